// The script of the dashboard, first part: elements, figures in words, small charts and tiles.
#pragma once

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

inline constexpr char dashboard_script[] = R"js("use strict";

// ---- elements: what the server says becomes text, never markup

const byId = (id) => document.getElementById(id);

function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(key, value);
    else if (value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

// A text that has not changed is left alone, so that a selection in it stays.
function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// ---- figures in words

const unknown = "\u2013";

function digits(value) {
  if (value >= 1e6) return `${(value / 1e6).toFixed(value < 1e7 ? 2 : 1)} M`;
  if (value >= 1e4) return `${(value / 1e3).toFixed(value < 1e5 ? 1 : 0)} k`;
  return String(Number(value.toFixed(value < 100 ? 1 : 0)));
}
const number = (value) => (value === null || value === undefined ? unknown : digits(value));

function seconds(value) {
  if (value === null || value === undefined) return unknown;
  // What would be rounded to 1000 of a unit is 1 of the next.
  if (value > 0 && value < 9.995e-4) return `${Math.round(value * 1e6)} \u00b5s`;
  if (value > 0 && value < 0.9995) return `${(value * 1e3).toFixed(value < 0.01 ? 1 : 0)} ms`;
  if (value < 60) return `${Number.isInteger(value) ? value : value.toFixed(value < 10 ? 2 : 1)} s`;
  const whole = Math.floor(value);
  const [days, hours, minutes] = [86400, 3600, 60].map((unit) => Math.floor(whole / unit));
  if (days) return `${days} d ${hours % 24} h`;
  return hours ? `${hours} h ${minutes % 60} min` : `${minutes} min ${whole % 60} s`;
}

function bytes(value) {
  for (const unit of ["B", "KiB", "MiB"]) {
    if (value < 1024) return `${value.toFixed(unit === "B" || value >= 100 ? 0 : 1)} ${unit}`;
    value /= 1024;
  }
  return `${value.toFixed(1)} GiB`;
}

// ---- small charts of the last two minutes

const most = 120;  // moments, and at first so many
const least = 30;

const svg = (name, attributes) => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
};

// Where nothing is known, the line has a gap.
class Chart {
  constructor() {
    this.values = [];
    this.element = svg("svg", {class: "spark", preserveAspectRatio: "none", "aria-hidden": "true"});
    this.area = this.element.appendChild(svg("path", {class: "area"}));
    this.line = this.element.appendChild(svg("path", {class: "line"}));
  }

  add(value) {
    this.values.push(value ?? null);
    if (this.values.length > most) this.values.shift();
  }

  leaveGap() {
    if (this.values.length) this.add(null);
  }

  // Nothing but zeros is not drawn.
  draw() {
    const end = Math.max(this.values.length, least) - 1;
    const [line, area] = this.values.some(Boolean) ? this.paths(end) : ["", ""];
    if (!line && !this.line.getAttribute("d")) return;
    this.element.setAttribute("viewBox", `0 0 ${end} 24`);
    this.line.setAttribute("d", line);
    this.area.setAttribute("d", area);
  }

  paths(end) {
    const highest = Math.max(...this.values);
    const first = end + 1 - this.values.length;
    let [line, area, begin] = ["", "", null];
    const close = (at) => {
      if (begin !== null) area += `L${at} 24L${begin} 24Z`;
      begin = null;
    };
    this.values.forEach((value, index) => {
      const x = first + index;
      if (value === null) return close(x - 1);
      const point = `${x} ${(23 - 21 * value / highest).toFixed(2)}`;
      line += begin === null ? `M${point}h0` : `L${point}`;  // a moment alone is a dot
      area += (begin === null ? "M" : "L") + point;
      begin ??= x;
    });
    close(end);
    return [line, area];
  }
}

// ---- tiles

class Tile {
  // `figure(frame)` is [value, unit], `chart(frame)` the number that is drawn.
  constructor({name, figure, note, chart}) {
    Object.assign(this, {figure, note, chart});
    this.value = el("span");
    this.unit = el("span", {class: "unit"});
    this.small = el("p", {class: "note quiet"});
    this.spark = new Chart();
    byId("tiles").append(el("section", {class: "tile"}, el("h2", {}, name),
      el("p", {class: "value"}, this.value, this.unit), this.small, this.spark.element));
  }

  take(frame) {
    this.spark.add(this.chart(frame));
  }

  show(frame) {
    const [value, unit] = this.figure(frame);
    say(this.value, value);
    say(this.unit, unit);
    say(this.small, this.note(frame));
    this.spark.draw();
  }
}
)js";

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
