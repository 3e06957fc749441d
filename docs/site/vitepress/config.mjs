// The site. docs/site/stage.py writes site.json and the pages; docs/site/sidebar.json has their order.
import { defineConfig } from 'vitepress'
import site from '../site.json'

// A cup, seen from above.
const icon =
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><circle cx="8" cy="8" r="7" fill="#b3364a"/><circle cx="8" cy="8" r="4" fill="#fff"/></svg>'

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
    head: [['link', { rel: 'icon', href: 'data:image/svg+xml,' + encodeURIComponent(icon) }]],
    srcDir: 'pages',
    cleanUrls: true,
    ignoreDeadLinks: 'localhostLinks',
    markdown: { anchor: { slugify }, toc: { slugify }, config: keepBraces },
    vite: { build: { chunkSizeWarningLimit: 3000 } }, // the index of the search is one chunk
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
