// The style of an API's page: system fonts, one accent colour, light and dark, from 360 pixels on.
#pragma once

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

inline constexpr char docs_page_style[] = R"css(:root {
  color-scheme: light dark;
  --back: #fff; --raised: #f5f6f8; --line: #dfe3e8; --edge: #7d8793;
  --text: #1b2027; --quiet: #56606c; --accent: #0b57c5; --bad: #b3261e;
  --mono: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
}
@media (prefers-color-scheme: dark) {
  :root {
    --back: #14171b; --raised: #1e2228; --line: #333a43; --edge: #7c8794;
    --text: #e5e8ec; --quiet: #a3adb9; --accent: #8ab6ff; --bad: #ff9d94;
  }
}
* { box-sizing: border-box; }
[hidden] { display: none !important; }
body { margin: 0; background: var(--back); color: var(--text); font: 1rem/1.55 system-ui, sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 2.5rem 1.25rem 6rem; overflow-wrap: anywhere; }
h1 { margin: 0 0 0.75rem; font-size: 1.9rem; line-height: 1.2; }
h2 { margin: 3rem 0 0.5rem; font-size: 1.3rem; }
h3, h5 { margin: 0; font-size: 1rem; }
h4 { margin: 0 0 0.5rem; font-size: 1.1rem; }
p { margin: 0 0 0.6rem; }
ul { margin: 0; padding: 0; list-style: none; }
a { color: var(--accent); text-underline-offset: 0.15em; }
code, pre, .code { font-family: var(--mono); font-size: 0.875em; }
pre { margin: 0.5rem 0; padding: 0.75rem 1rem; max-height: 30rem; overflow: auto; white-space: pre-wrap;
  background: var(--raised); border: 1px solid var(--line); border-radius: 6px; }
button, input, select, textarea { font: inherit; color: inherit; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }

.prose { max-width: 46rem; white-space: pre-line; }
.quiet, .type, .rules, .version { color: var(--quiet); font-size: 0.9rem; font-weight: 400; }
.problem { color: var(--bad); font-weight: 600; }
.mark { padding: 0 0.45em; border: 1px solid var(--edge); border-radius: 4px; font-size: 0.8rem;
  font-weight: 400; }
.links, .rules, .head, .filter { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 1rem; }
.filter { margin-top: 1.75rem; }
.filter input { flex: 1 1 14rem; max-width: 28rem; }
.filter p { margin: 0; }

.list { margin-top: 0.75rem; border-top: 1px solid var(--line); }
.item { border-bottom: 1px solid var(--line); scroll-margin-top: 1rem; }
.item > .panel { padding: 1rem 0.5rem 2.5rem; }
.line { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 0.9rem; position: relative; width: 100%;
  padding: 0.7rem 2rem 0.7rem 0.5rem; border: 0; background: none; text-align: left; cursor: pointer; }
.line:hover, .line[aria-expanded="true"] { background: var(--raised); }
.line::after { content: "\203A"; position: absolute; right: 0.75rem; }
.line[aria-expanded="true"]::after, .expander[aria-expanded="true"]::before { content: "\2304"; }
.method { flex: 0 0 4.2rem; color: var(--accent); font: 600 0.82rem var(--mono); }
.path, .name { font-weight: 600; }
.summary { color: var(--quiet); font-weight: 400; }

.block { margin-top: 1.75rem; }
.fields { margin: 0.5rem 0; border-left: 2px solid var(--line); padding-left: 1rem; }
.head strong { font-size: 0.9rem; }
.field { padding: 0.4rem 0; }
.field p, .content p { margin: 0.15rem 0; }
.response, .content { margin: 0.4rem 0 1rem; }
.choice { font-size: 0.9rem; font-weight: 600; }
.expander { display: inline-flex; gap: 0.5rem; min-height: 1.75rem; padding: 0; border: 0; background: none;
  color: var(--accent); font-size: 0.9rem; cursor: pointer; }
.expander::before { content: "\203A"; }

form { max-width: 46rem; }
.control { display: grid; grid-template-columns: minmax(0, 1fr); gap: 0.2rem; margin: 0.75rem 0; }
.control label { font-size: 0.9rem; font-weight: 600; }
input:not([type="file"]), select, textarea { width: 100%; min-height: 2.5rem; padding: 0.4rem 0.65rem;
  background: var(--back); border: 1px solid var(--edge); border-radius: 6px; }
textarea { resize: vertical; }
input { max-width: 100%; }
.button { min-height: 2.5rem; padding: 0.3rem 1.25rem; border: 1px solid var(--edge); border-radius: 6px;
  background: none; cursor: pointer; }
.primary { border-color: var(--accent); background: var(--accent); color: var(--back); font-weight: 600; }
.answer { margin: 1.25rem 0; }
@media (max-width: 34rem) {
  main { padding: 1.5rem 1rem 4rem; }
  .summary { flex-basis: 100%; }
}
)css";

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
