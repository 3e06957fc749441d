// The script of the dashboard, second part: tables that are sorted, and lines with bars.
#pragma once

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

inline constexpr char dashboard_tables[] = R"js(
// ---- tables

// Columns are {name, sort, fill}: `fill(cell, row)` writes a cell, `sort(row)` is what rows are ordered by.
class Table {
  constructor(id, columns, sorted) {
    this.columns = columns;
    this.rows = new Map();  // in the order of the last frame
    this.sorted = sorted;
    this.falls = true;
    this.heads = columns.map(({name, sort}, index) => el("th", {scope: "col"},
      sort ? el("button", {type: "button", click: () => this.sortBy(index)}, name) : name));
    this.body = el("tbody");
    byId(id).append(el("thead", {}, el("tr", {}, ...this.heads)), this.body);
    if (sorted !== undefined) this.sortBy(sorted);
  }

  sortBy(index) {
    this.falls = index !== this.sorted || !this.heads[index].hasAttribute("aria-sort") || !this.falls;
    this.sorted = index;
    this.heads.forEach((head) => head.removeAttribute("aria-sort"));
    this.heads[index].setAttribute("aria-sort", this.falls ? "descending" : "ascending");
    this.order();
  }

  // The rows of these keys, made where they are new; others go.
  show(entries) {
    const before = this.rows;
    this.rows = new Map(entries.map(([key, data]) => {
      const row = before.get(key) ?? this.makeRow();
      row.data = data;
      this.columns.forEach(({fill}, index) => fill(row.cells[index], data));
      return [key, row];
    }));
    for (const [key, {element}] of before) if (!this.rows.has(key)) element.remove();
    this.order();
  }

  makeRow() {
    const cells = this.columns.map(({name}, index) =>
      (index ? el("td", {"data-label": name}) : el("th", {scope: "row"})));
    return {cells, element: el("tr", {}, ...cells)};
  }

  order() {
    const rows = [...this.rows.values()];
    const {sort} = this.columns[this.sorted] ?? {};
    const compare = (a, b) => (a < b ? -1 : Number(a > b)) * (this.falls ? -1 : 1);
    if (sort) rows.sort((a, b) => compare(sort(a.data), sort(b.data)));
    rows.forEach(({element}, index) => {
      if (this.body.children[index] !== element) this.body.insertBefore(element, this.body.children[index] ?? null);
    });
  }
}

function fillRoute(cell, {method, pattern, route}) {
  if (cell.firstChild) return;
  cell.className = "route";
  if (method) cell.append(el("span", {class: "method"}, method), " ");
  cell.append(pattern ?? route);
}

// A figure and its chart.
function fillChart(cell, text, chart) {
  cell.className = "charted";
  if (!cell.firstChild) cell.append(chart.element, el("span"));
  say(cell.lastChild, text);
  chart.draw();
}

function fillCount(cell, count) {
  say(cell, number(count));
  cell.classList.toggle("bad", count > 0);
}

// What was seen of a route: charts, and its last figures, since not every second has a request of it.
const seen = new Map();
const nameOf = ({method, pattern}) => `${method} ${pattern}`;

function remember(route) {
  const name = nameOf(route);
  if (!seen.has(name)) seen.set(name, {rate: new Chart(), p99: new Chart(), last: {}});
  const past = seen.get(name);
  past.rate.add(route.rate);
  past.p99.add(route.p99);
  if (typeof route.p50 === "number") past.last = route;
}

const past = (route) => seen.get(nameOf(route));
const ordered = (value) => value ?? -1;

const routes = new Table("routes", [
  {name: "Route", sort: nameOf, fill: fillRoute},
  {name: "per s", sort: (route) => ordered(route.rate),
    fill: (cell, route) => fillChart(cell, number(route.rate), past(route).rate)},
  {name: "p50", sort: (route) => ordered(past(route).last.p50),
    fill: (cell, route) => say(cell, seconds(past(route).last.p50))},
  {name: "p99", sort: (route) => ordered(past(route).last.p99),
    fill: (cell, route) => fillChart(cell, seconds(past(route).last.p99), past(route).p99)},
  {name: "Errors", sort: (route) => route.errors, fill: (cell, route) => fillCount(cell, route.errors)},
  {name: "Requests", sort: (route) => route.count, fill: (cell, route) => say(cell, number(route.count))},
], 5);

const slow = new Table("slow", [
  {name: "Route", fill: fillRoute},
  {name: "Time", fill: (cell, request) => say(cell, seconds(request.seconds))},
  {name: "Status", fill: (cell, request) => {
    say(cell, String(request.status));
    cell.classList.toggle("bad", request.status >= 500);
  }},
  {name: "Cause", fill: (cell, request) => say(cell, request.cause.replaceAll("_", " "))},
  {name: "At", fill: (cell, request) => say(cell, new Date(request.at * 1000).toLocaleTimeString())},
]);

// Lines of a label and a figure, with a bar in between where there is a whole of which it is a share.
function showLines(list, lines) {
  while (list.children.length > lines.length) list.lastChild.remove();
  lines.forEach(([label, figure, share], index) => {
    const line = list.children[index] ?? list.appendChild(el("li", {}, el("span"),
      share === undefined ? "" : el("span", {class: "track"}, el("span", {class: "fill"})), el("span")));
    say(line.firstElementChild, label);
    say(line.lastElementChild, figure);
    if (share !== undefined) line.children[1].firstChild.style.width = `${100 * Math.min(share || 0, 1)}%`;
  });
}
)js";

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
