// The site. docs/site/stage.py writes site.json and the pages; docs/site/sidebar.json has their order.
import { defineConfig } from 'vitepress'
import site from '../site.json'

// Anchors are GitHub's, because the same pages are read there.
const slugify = (heading) => heading.trim().toLowerCase().replace(/[^\p{L}\p{N}\p{M}_\- ]/gu, '').replaceAll(' ', '-')

// Two braces are text, as everywhere in Markdown, not an expression of Vue.
const keepBraces = (md) => {
    for (const kind of ['text', 'code_inline']) {
        const render = md.renderer.rules[kind]
        md.renderer.rules[kind] = (...args) => render(...args).replaceAll('{{', '&#123;&#123;')
    }
}

export default defineConfig({
    title: 'Sake',
    description: 'A C++20 web framework in one header',
    lang: 'en',
    srcDir: 'pages',
    cleanUrls: true,
    ignoreDeadLinks: 'localhostLinks',
    markdown: { anchor: { slugify }, toc: { slugify }, config: keepBraces },
    themeConfig: {
        nav: [
            { text: 'Guide', link: '/getting-started', activeMatch: '^/(?!api/|cookbook|changelog|$)' },
            { text: 'Cookbook', link: '/cookbook' },
            { text: 'API', link: '/api/', activeMatch: '^/api/' },
            { text: site.version, link: '/changelog' },
        ],
        sidebar: { '/api/': site.api, '/': site.guide },
        outline: { level: [2, 3] },
        search: { provider: 'local' },
        footer: { message: 'MIT licence' },
    },
})
