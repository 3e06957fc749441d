// The script of an API's page, first part: elements, values of the document, and its list of operations.
#pragma once

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

inline constexpr char docs_page_script[] = R"js("use strict";

// ---- elements: what a document says becomes text, never markup

const put = (parent, ...children) => parent.append(...children.flat(Infinity).filter(Boolean)
  .map((child) => (child instanceof Node ? child : textOf(child))));

function el(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(key, value);
    else if (value !== false && value !== undefined) made.setAttribute(key, value);
  }
  put(made, children);
  return made;
}

const code = (text, className) => el("code", {class: className}, text);
const span = (className, ...children) => el("span", {class: className}, children);
const quiet = (...children) => el("p", {class: "quiet"}, children);
const list = (className, items) => items.length > 0 && el("ul", {class: className}, items);
const pre = (label, text) => el("pre", {tabindex: "0", "aria-label": label}, text);

let lastId = 0;
const freshId = () => `part-${++lastId}`;

// A button that shows and hides what `build` makes when it is opened first.
function disclosure(className, label, build) {
  const panel = el("div", {id: freshId(), class: "panel", hidden: ""});
  const button = el("button", {type: "button", class: className, "aria-expanded": "false",
    "aria-controls": panel.id, click: () => toggle(panel.hidden)}, label);
  function toggle(open) {
    if (open && !panel.hasChildNodes()) put(panel, build());
    panel.hidden = !open;
    button.setAttribute("aria-expanded", open);
  }
  return {button, panel, toggle};
}

function expander(label, build) {
  const {button, panel} = disclosure("expander", label, build);
  return el("div", {}, button, panel);
}

// Paragraphs, with `code` in them.
const prose = (text) => textOf(text).split(/\n\s*\n/).filter((part) => part.trim()).map((paragraph) =>
  el("p", {class: "prose"}, paragraph.split(/`([^`\n]+)`/).map((part, index) =>
    index % 2 ? code(part) : part)));

// Only an address of the web is a link.
const outsideLink = (url, text) => /^https?:/i.test(textOf(url))
  ? el("a", {href: url, rel: "noopener noreferrer"}, text || url) : text;

// ---- values, whatever stands in the document

let api = {};

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const objectOf = (value) => (isObject(value) ? value : {});
const entriesOf = (value) => Object.entries(objectOf(value));
const listOf = (value) => (Array.isArray(value) ? value : []);
const textOf = (value) => (typeof value === "string" ? value : JSON.stringify(value ?? "").replace(/^""$/, ""));
const own = (value, key) => (Object.hasOwn(Object(value), key) ? value[key] : undefined);

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
const unescaped = (key) => decoded(key).replaceAll("~1", "/").replaceAll("~0", "~");

// What "#/components/schemas/Pet" stands for; undefined if it is not in the document.
const target = (reference) => (/^#\//.test(reference)
  ? reference.split("/").slice(1).reduce((value, key) => own(value, unescaped(key)), api) : undefined);

// The value with its references followed. What stands beside a reference comes first.
function resolve(value) {
  let found = objectOf(value);
  for (let steps = 0; typeof found.$ref === "string" && steps < 20; ++steps) {
    const {$ref, ...beside} = found;
    const there = target($ref);
    if (there === undefined) return {description: `${$ref} is not in this document.`, ...beside};
    found = {...objectOf(there), ...beside};
  }
  return found;
}

// ---- the list of operations

const METHODS = ["get", "post", "put", "patch", "delete", "head", "options", "trace", "query"];

const operationsOf = (paths, isWebhook) => entriesOf(paths).flatMap(([path, value]) => {
  const item = resolve(value);
  return METHODS.filter((method) => isObject(item[method])).map((method) => {
    const operation = item[method];
    const parameters = new Map([...listOf(item.parameters), ...listOf(operation.parameters)].map(resolve)
      .map((parameter, index) => [`${textOf(parameter.in)} ${textOf(parameter.name) || index}`, parameter]));
    const tags = listOf(operation.tags).map(textOf).filter(Boolean);
    return {path, operation, tags, isWebhook, method: method.toUpperCase(),
      parameters: [...parameters.values()],
      group: isWebhook ? "Webhooks" : tags[0] || path.split("/").find(Boolean) || "/",
      id: textOf(operation.operationId) || `${method}${path}`};
  });
});

const openers = new Map();  // from what stands behind "#" in the address to the function that opens it

function openFromAddress() {
  const open = openers.get(decoded(location.hash.slice(1)));
  if (open) open();
}

// A line of a list that opens, also by its id in the address.
function listItem(id, label, build) {
  const {button, panel, toggle} = disclosure("line", label, build);
  button.addEventListener("click", () => history.replaceState(null, "", `#${encodeURIComponent(id)}`));
  const item = el("li", {class: "item"}, el("h3", {}, button), panel);
  openers.set(id, () => {
    toggle(true);
    item.closest("section").hidden = item.hidden = false;
    item.scrollIntoView();
    button.focus({preventScroll: true});
  });
  return item;
}

const markOf = (value) => value.deprecated === true && span("mark", "deprecated");

function operationItem(entry) {
  const {method, path, operation, id} = entry;
  const item = listItem(id, [span("method", method), code(path, "path"), span("summary", operation.summary),
    markOf(operation)], () => operationView(entry));
  const words = [method, path, textOf(operation.summary), id, ...entry.tags].join(" ").toLowerCase();
  return {item, words};
}

// Operations by group, in the order of the document's tags, and a field that filters them.
function operationList() {
  const operations = [...operationsOf(api.paths, false), ...operationsOf(api.webhooks, true)];
  const tags = new Map(listOf(api.tags).map(objectOf).map((tag) => [textOf(tag.name), tag.description]));
  const groups = [...new Set([...tags.keys(), ...operations.map((entry) => entry.group)])].map((name) => {
    const items = operations.filter((entry) => entry.group === name).map(operationItem);
    const section = el("section", {}, el("h2", {}, name), prose(tags.get(name)),
      list("list", items.map(({item}) => item)));
    return {section, items};
  }).filter(({items}) => items.length);
  const count = el("p", {class: "quiet", role: "status"});
  const filter = el("input", {id: freshId(), type: "search", input: show, autocomplete: "off"});
  function show() {
    const words = filter.value.toLowerCase().split(/\s+/);
    for (const {section, items} of groups) {
      for (const each of items) each.item.hidden = !words.every((word) => each.words.includes(word));
      section.hidden = items.every(({item}) => item.hidden);
    }
    const shown = groups.flatMap(({items}) => items).filter(({item}) => !item.hidden).length;
    count.textContent = `${shown} of ${operations.length} operations`;
  }
  show();
  return [el("div", {class: "filter"}, el("label", {for: filter.id}, "Filter"), filter, count),
    groups.map(({section}) => section)];
}

function schemaList() {
  const schemas = entriesOf(objectOf(api.components).schemas);
  return schemas.length > 0 && el("section", {}, el("h2", {}, "Schemas"),
    list("list", schemas.map(([name, schema]) => listItem(`schema/${name}`, code(name, "path"),
      () => [prose(flatten(schema).description), schemaView(schema, [name])]))));
}

// ---- the page

function heading() {
  const {title, openapi} = document.body.dataset;
  const info = objectOf(api.info);
  const [license, contact] = [info.license, info.contact].map(objectOf);
  document.title = title || textOf(info.title) || document.title;
  return el("header", {}, el("h1", {}, document.title, " ", span("version", info.version)),
    prose(info.summary), prose(info.description),
    el("p", {class: "links"}, el("a", {href: openapi}, "OpenAPI document"),
      outsideLink(license.url, license.name), outsideLink(contact.url, contact.name), contact.email));
}

async function readDocument(address) {
  const problem = (words) => () => {
    throw new Error(`The document at ${address} ${words}.`);
  };
  const answer = await fetch(address).catch(problem("cannot be fetched: there is no answer"));
  if (!answer.ok) problem(`cannot be fetched: the answer is ${answer.status}`)();
  const read = await answer.json().catch(problem("is not JSON"));
  if (!/^3\./.test(own(read, "openapi"))) problem('is not of OpenAPI 3: its member "openapi" is not 3.x')();
  return read;
}

async function start() {
  const main = document.querySelector("main");
  try {
    api = await readDocument(new URL(document.body.dataset.openapi, location.href).href);
    const shown = el("div", {}, heading(), credentialsView(), operationList(), schemaList());
    main.replaceChildren(shown);
    openFromAddress();
    addEventListener("hashchange", openFromAddress);
  } catch (error) {
    put(main, el("p", {class: "problem", role: "alert"}, error.message));
  }
}

addEventListener("DOMContentLoaded", start);
)js";

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
