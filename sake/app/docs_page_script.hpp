// The script of an API's page, first part: elements, values of the document, and its list of operations.
#pragma once

#include <string_view>

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

inline constexpr std::string_view docs_page_script = R"js("use strict";

// ---- elements: what a document says becomes text, never markup

const isShown = (child) => child !== undefined && child !== null && child !== false && child !== "";
const put = (parent, ...children) => parent.append(...children.flat(Infinity).filter(isShown));

function el(name, attributes, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes || {})) {
        if (typeof value === "function") made.addEventListener(key, value);
        else if (value === true) made.setAttribute(key, "");
        else if (isShown(value)) made.setAttribute(key, value);
    }
    put(made, ...children);
    return made;
}

let lastId = 0;
const freshId = () => `part-${++lastId}`;

// A button that shows and hides what `build` makes when it is opened first.
function disclosure(className, label, build) {
    const panel = el("div", {id: freshId(), class: "panel", hidden: true});
    const button = el("button", {type: "button", class: className, "aria-expanded": "false",
        "aria-controls": panel.id, click: () => toggle(panel.hidden)}, label);
    function toggle(open) {
        if (open && !panel.hasChildNodes()) put(panel, build());
        panel.hidden = !open;
        button.setAttribute("aria-expanded", String(open));
    }
    return {button, panel, toggle};
}

const expander = (label, build) => {
    const {button, panel} = disclosure("expander", label, build);
    return el("div", {}, button, panel);
};

// Paragraphs, with `code` in them.
const prose = (text) => textOf(text).split(/\n\s*\n/).filter((part) => part.trim()).map((paragraph) =>
    el("p", {class: "prose"}, paragraph.split(/`([^`\n]+)`/).map((part, index) =>
        index % 2 ? el("code", {}, part) : part)));

const outsideLink = (url, text) => /^https?:/i.test(textOf(url))
    ? el("a", {href: url, rel: "noopener noreferrer"}, text || url) : text || textOf(url);

// ---- values, whatever stands in the document

let api = {};

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const objectOf = (value) => (isObject(value) ? value : {});
const listOf = (value) => (Array.isArray(value) ? value : []);
const textOf = (value) => {
    if (typeof value === "string") return value;
    return value === undefined || value === null ? "" : JSON.stringify(value);
};
const own = (value, key) =>
    value !== null && typeof value === "object" && Object.hasOwn(value, key) ? value[key] : undefined;

function decoded(text) {
    try {
        return decodeURIComponent(text);
    } catch {
        return text;
    }
}

// What "#/components/schemas/Pet" stands for; undefined if it is not in the document.
const target = (reference) => (reference.startsWith("#") ? reference.slice(1).split("/").slice(1)
    .reduce((value, key) => own(value, decoded(key).replaceAll("~1", "/").replaceAll("~0", "~")), api) : undefined);

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

// ---- operations

const METHODS = ["get", "post", "put", "patch", "delete", "head", "options", "trace", "query"];

// An operation, its path and the parameters of both.
function operationOf(method, path, item, operation, isWebhook) {
    const parameters = new Map();
    for (const each of [...listOf(item.parameters), ...listOf(operation.parameters)]) {
        const parameter = resolve(each);
        parameters.set(`${textOf(parameter.in)} ${textOf(parameter.name)}`, parameter);
    }
    const tags = listOf(operation.tags).map(textOf).filter(Boolean);
    const first = path.split("/").find(Boolean) || "/";
    return {method: method.toUpperCase(), path, operation, tags, isWebhook,
        group: isWebhook ? "Webhooks" : tags[0] || first,
        id: textOf(operation.operationId) || `${method}${path}`,
        parameters: [...parameters.values()]};
}

function operationsOf(paths, isWebhook) {
    return Object.entries(objectOf(paths)).flatMap(([path, value]) => {
        const item = resolve(value);
        const others = Object.entries(objectOf(item.additionalOperations));
        return [...METHODS.map((method) => [method, item[method]]), ...others]
            .filter(([, operation]) => isObject(operation))
            .map(([method, operation]) => operationOf(method, path, item, operation, isWebhook));
    });
}

const opened = new Map();  // from what stands behind "#" in the address to the function that opens it

function operationItem(entry) {
    const {method, path, operation, id} = entry;
    const {button, panel, toggle} = disclosure("operation", [
        el("span", {class: "method"}, method),
        el("code", {class: "path"}, path),
        el("span", {class: "summary"}, textOf(operation.summary)),
        operation.deprecated === true && el("span", {class: "mark"}, "deprecated"),
    ], () => operationView(entry));
    button.addEventListener("click", () => history.replaceState(null, "", `#${encodeURIComponent(id)}`));
    const item = el("li", {class: "item"}, el("h3", {}, button), panel);
    if (!opened.has(id)) opened.set(id, () => reveal(item, toggle, button));
    const words = [method, path, operation.summary, id, ...entry.tags].map(textOf).join(" ").toLowerCase();
    return {item, words};
}

function reveal(item, toggle, button) {
    toggle(true);
    item.closest("section").hidden = item.hidden = false;
    item.scrollIntoView();
    button.focus({preventScroll: true});
}

function openFromAddress() {
    const open = opened.get(decoded(location.hash.slice(1)));
    if (open) open();
}

// Operations by group, in the order of the document's tags, and a field that filters them.
function operationList() {
    const operations = [...operationsOf(api.paths, false), ...operationsOf(api.webhooks, true)];
    const tags = new Map(listOf(api.tags).map((tag) => [textOf(own(tag, "name")), objectOf(tag)]));
    const names = new Set([...tags.keys(), ...operations.map((entry) => entry.group)]);
    const groups = [...names].map((name) => {
        const items = operations.filter((entry) => entry.group === name).map(operationItem);
        const section = el("section", {}, el("h2", {}, name), prose(objectOf(tags.get(name)).description),
            el("ul", {class: "list"}, items.map(({item}) => item)));
        return {section, items};
    }).filter(({items}) => items.length);
    const count = el("p", {class: "quiet", role: "status"});
    const filter = el("input", {id: freshId(), type: "search", input: show, autocomplete: "off"});
    function show() {
        const words = filter.value.toLowerCase().split(/\s+/);
        let shown = 0;
        for (const {section, items} of groups) {
            for (const each of items) {
                each.item.hidden = !words.every((word) => each.words.includes(word));
                shown += each.item.hidden ? 0 : 1;
            }
            section.hidden = items.every(({item}) => item.hidden);
        }
        count.textContent = shown === operations.length ? `${shown} operations` : `${shown} of ${operations.length} operations`;
    }
    show();
    return [el("div", {class: "filter"}, el("label", {for: filter.id}, "Filter"), filter, count),
        groups.map(({section}) => section)];
}

function schemaList() {
    const schemas = Object.entries(objectOf(objectOf(api.components).schemas));
    return schemas.length > 0 && el("section", {}, el("h2", {}, "Schemas"),
        el("ul", {class: "list"}, schemas.map(([name, schema]) => {
            const {button, panel, toggle} = disclosure("operation", el("code", {class: "path"}, name),
                () => [prose(flatten(schema).description), schemaView(schema, [name])]);
            const item = el("li", {class: "item"}, el("h3", {}, button), panel);
            opened.set(`schema/${name}`, () => reveal(item, toggle, button));
            return item;
        })));
}

// ---- the page

function heading() {
    const info = objectOf(api.info);
    const license = objectOf(info.license);
    const contact = objectOf(info.contact);
    const title = document.body.dataset.title || textOf(info.title) || "API documentation";
    document.title = title;
    return el("header", {}, el("h1", {}, title, " ", el("span", {class: "version"}, textOf(info.version))),
        prose(info.summary), prose(info.description),
        el("p", {class: "links"},
            el("a", {href: document.body.dataset.openapi}, "OpenAPI document"),
            outsideLink(license.url, textOf(license.name || license.identifier)),
            outsideLink(contact.url, textOf(contact.name)), textOf(contact.email),
            outsideLink(objectOf(api.externalDocs).url, textOf(objectOf(api.externalDocs).description))));
}

async function readDocument(address) {
    let answer;
    try {
        answer = await fetch(address, {headers: {Accept: "application/json"}});
    } catch {
        throw new Error(`The document at ${address} cannot be fetched: there is no answer.`);
    }
    if (!answer.ok) throw new Error(`The document at ${address} cannot be fetched: the answer is ${answer.status}.`);
    let read;
    try {
        read = await answer.json();
    } catch {
        throw new Error(`The document at ${address} is not JSON.`);
    }
    if (!/^3\./.test(textOf(own(read, "openapi")))) {
        throw new Error(`The document at ${address} is not an OpenAPI 3 document: it has no member "openapi" of 3.x.`);
    }
    return read;
}

async function start() {
    const main = document.querySelector("main");
    try {
        api = await readDocument(new URL(document.body.dataset.openapi, location.href).href);
        main.replaceChildren();
        put(main, heading(), credentialsView(), operationList(), schemaList());
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
