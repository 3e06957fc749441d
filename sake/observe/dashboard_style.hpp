// The style of the dashboard: system fonts, one accent colour, light and dark, from 360 pixels on.
#pragma once

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

inline constexpr char dashboard_style[] = R"css(:root {
  color-scheme: light dark;
  --back: #f6f7f9; --raised: #fff; --line: #e0e4e9; --edge: #7d8793;
  --text: #1b2027; --quiet: #56606c; --accent: #0b57c5; --good: #1a7f45; --bad: #b3261e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --back: #14171b; --raised: #1b1f24; --line: #2c323a; --edge: #7c8794;
    --text: #e5e8ec; --quiet: #a3adb9; --accent: #8ab6ff; --good: #6fd39a; --bad: #ff9d94;
  }
}
* { box-sizing: border-box; }
[hidden] { display: none !important; }
body { margin: 0; background: var(--back); color: var(--text); font: 0.9375rem/1.5 system-ui, sans-serif;
  font-variant-numeric: tabular-nums; }
main { max-width: 80rem; margin: 0 auto; padding: 1.5rem 1.5rem 4rem; overflow-wrap: anywhere; }
h1, h2, p, ul { margin: 0; padding: 0; }
h1 { font-size: 1.25rem; line-height: 1.3; }
h2 { font-size: 1rem; }
ul { list-style: none; }
button { font: inherit; color: inherit; background: none; border: 0; cursor: pointer; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.quiet { color: var(--quiet); font-size: 0.85rem; font-weight: 400; }
.bad { color: var(--bad); }

header { display: flex; flex-wrap: wrap; align-items: center; gap: 0.25rem 1rem; margin-bottom: 1.25rem; }
header div { margin-right: auto; }
.state::before { content: ""; display: inline-block; width: 0.6rem; height: 0.6rem; margin-right: 0.5rem;
  border-radius: 50%; background: var(--edge); }
.state.live::before { background: var(--good); }
.state.lost { color: var(--bad); }
.state.lost::before { background: var(--bad); }
.plain { margin-top: 0.5rem; padding: 0.3rem 0; color: var(--accent); }
#pause { min-width: 6rem; padding: 0.3rem 0.9rem; border: 1px solid var(--edge); border-radius: 6px; }
#pause:hover { background: var(--raised); }
.stale { filter: grayscale(1); }

.tiles { display: grid; grid-template-columns: repeat(6, 1fr); gap: 0.75rem; }
.tile, .panel { background: var(--raised); border: 1px solid var(--line); border-radius: 10px; }
.tile { display: flex; flex-direction: column; padding: 0.75rem 0.9rem 0; overflow: hidden; }
.tile h2 { color: var(--quiet); font-size: 0.85rem; font-weight: 400; }
.tile .value { font-size: 1.6rem; line-height: 1.25; font-weight: 600; }
.tile .unit { margin-left: 0.3rem; font-size: 0.9rem; font-weight: 400; color: var(--quiet); }
.tile .note { min-height: 1.3rem; }
.tile .spark { width: calc(100% + 1.8rem); height: 2.25rem; margin: auto -0.9rem 0; }
.spark { display: block; width: 6rem; height: 1.5rem; color: var(--accent); overflow: visible; }
.spark .line { fill: none; stroke: currentColor; stroke-width: 1.5; stroke-linejoin: round; stroke-linecap: round;
  vector-effect: non-scaling-stroke; }
.spark .area { fill: currentColor; opacity: 0.13; }

.panels { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); gap: 0.75rem;
  margin-top: 0.75rem; }
.panel { padding: 0.9rem; min-width: 0; }
.panel > .quiet { margin-bottom: 0.4rem; }
.wide { margin-top: 0.75rem; }
.lines li { display: grid; grid-template-columns: 6rem 1fr minmax(3.5rem, auto); align-items: center;
  gap: 0.75rem; padding: 0.15rem 0; }
.lines li > :last-child { text-align: right; }
.track, .fill { display: block; height: 0.5rem; border-radius: 4px; }
.track { background: var(--line); overflow: hidden; }
.fill { background: var(--accent); }
#running { margin-top: 0.6rem; border-top: 1px solid var(--line); padding-top: 0.4rem; }
#running:empty { display: none; }
#running li { grid-template-columns: 1fr auto; }

table { width: 100%; border-collapse: collapse; }
th, td { padding: 0.4rem 0.6rem; text-align: right; font-weight: 400; border-bottom: 1px solid var(--line);
  white-space: nowrap; }
tbody tr:last-child > * { border-bottom: 0; }
th:first-child, td:first-child, .left { text-align: left; }
th:first-child, td:first-child { padding-left: 0; }
th:last-child, td:last-child { padding-right: 0; }
thead th { color: var(--quiet); font-size: 0.85rem; }
thead button { padding: 0.15rem 0; font-size: inherit; }
thead button::after { content: "\2195"; margin-left: 0.3rem; opacity: 0.45; }
thead [aria-sort] button { color: var(--text); font-weight: 600; }
thead [aria-sort] button::after { content: "\2193"; opacity: 1; }
thead [aria-sort="ascending"] button::after { content: "\2191"; }
.route { white-space: normal; }
.route, #running li > :first-child { font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: 0.85em; }
.method { display: inline-block; min-width: 4.2em; margin-right: 0.5em; color: var(--accent); font-weight: 600; }
td .spark { display: inline-block; vertical-align: middle; }
.charted span { display: inline-block; min-width: 4.75rem; }

@media (max-width: 66rem) {
  .tiles { grid-template-columns: repeat(3, 1fr); }
}
@media (max-width: 44rem) {
  main { padding: 1rem 0.9rem 3rem; }
  .tiles { grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)); }
  table, tbody, thead { display: block; }
  tr { display: grid; grid-template-columns: repeat(3, 1fr); gap: 0.25rem 0.75rem; padding: 0.6rem 0;
    border-bottom: 1px solid var(--line); }
  thead tr { display: flex; flex-wrap: wrap; gap: 0 1.1rem; padding: 0.25rem 0; }
  #slow thead { display: none; }
  #slow tr { grid-template-columns: 0.9fr 0.7fr 1fr 1.6fr; }
  tbody tr:last-child { border-bottom: 0; }
  th, td { padding: 0; border: 0; text-align: left; white-space: normal; }
  tbody th { grid-column: 1 / -1; }
  td::before { content: attr(data-label); display: block; color: var(--quiet); font-size: 0.8rem; line-height: 1.3; }
  .charted { display: flex; flex-direction: column; }
  td .spark { order: 1; width: 100%; height: 1.25rem; }
}
)css";

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
