// The script of an API's page, second part: how schemas are shown, and examples made from them.
#pragma once

#include <string_view>

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

inline constexpr std::string_view docs_page_schema = R"js(
// ---- schemas

const PREFIX = "#/components/schemas/";

// The name of a schema that stands in the section "Schemas"; "" for another one.
function nameOf(schema) {
    const reference = textOf(objectOf(schema).$ref);
    const name = reference.startsWith(PREFIX) ? decoded(reference.slice(PREFIX.length)) : "";
    return target(reference) !== undefined ? name.replaceAll("~1", "/").replaceAll("~0", "~") : "";
}

// A schema with its references followed, and the parts of its allOf put together.
function flatten(schema, depth = 0) {
    const {allOf, ...whole} = resolve(schema);
    for (const part of depth < 6 ? listOf(allOf) : []) {
        const added = flatten(part, depth + 1);
        const properties = {...objectOf(added.properties), ...objectOf(whole.properties)};
        const required = [...listOf(added.required), ...listOf(whole.required)];
        Object.assign(whole, {...added, ...whole, properties, required});
    }
    return whole;
}

const choicesOf = (schema) => [...listOf(schema.oneOf), ...listOf(schema.anyOf)];

// Its types as a list; what is not said follows from what else is.
function typesOf(schema) {
    const types = listOf(schema.type).length ? schema.type : schema.type ? [schema.type] : [];
    if (schema.nullable === true) return [...types, "null"];
    if (types.length) return types;
    if (Object.keys(objectOf(schema.properties)).length || isObject(schema.additionalProperties)) return ["object"];
    return schema.items || schema.prefixItems ? ["array"] : [];
}

// The type in words, with links to the schemas that have a name.
function typeOf(schema, depth = 0) {
    const name = nameOf(schema);
    if (name) return [el("a", {href: `#${encodeURIComponent(`schema/${name}`)}`}, name)];
    if (schema === false) return ["nothing"];
    const flat = flatten(schema);
    const choices = choicesOf(flat);
    if (depth > 4) return ["..."];
    const words = typesOf(flat).map((type) => {
        if (type === "array" && flat.items) return ["array of ", typeOf(flat.items, depth + 1)];
        if (type === "object" && isObject(flat.additionalProperties) && !flat.properties)
            return ["map of ", typeOf(flat.additionalProperties, depth + 1)];
        return [textOf(type), typeof flat.format === "string" && type !== "null" ? ` (${flat.format})` : ""];
    });
    if (!words.length) words.push(...choices.map((choice) => typeOf(choice, depth + 1)));
    return words.length ? words.flatMap((word, index) => [index ? " or " : "", word]) : ["any value"];
}

const RULES = {
    minimum: "at least %", exclusiveMinimum: "more than %", maximum: "at most %", exclusiveMaximum: "less than %",
    multipleOf: "a multiple of %", minLength: "at least % characters", maxLength: "at most % characters",
    pattern: "pattern %", minItems: "at least % items", maxItems: "at most % items", uniqueItems: "no item twice",
    minProperties: "at least % members", maxProperties: "at most % members", const: "always %", enum: "one of %",
    contentMediaType: "holds %", contentEncoding: "in %", readOnly: "only in answers", writeOnly: "only in requests",
    default: "default %",
};

function rulesOf(schema) {
    const flat = flatten(schema);
    return Object.entries(RULES).filter(([key]) => Object.hasOwn(flat, key) && flat[key] !== false).map(([key, words]) => {
        const value = flat[key];
        const [before, after] = words.split("%");
        const values = key === "enum" ? listOf(value) : [value];
        const texts = values.map((each) => (key === "pattern" ? textOf(each) : JSON.stringify(each)));
        return el("li", {}, before, after !== undefined && texts.flatMap((text, index) =>
            [index ? ", " : "", el("code", {}, text)]), after);
    });
}

// A parameter or a member of an object.
function row(name, schema, facts, path) {
    const flat = flatten(schema);
    const rules = rulesOf(schema);
    const about = textOf(facts.description) || textOf(flat.description);
    const example = facts.example !== undefined ? facts.example : own(flat, "example") ?? listOf(flat.examples)[0];
    return el("li", {class: "field"},
        el("div", {class: "head"}, el("code", {class: "name"}, name), el("span", {class: "type"}, typeOf(schema)),
            facts.place && el("span", {class: "quiet"}, facts.place),
            facts.required ? el("span", {class: "needed"}, "required") : el("span", {class: "quiet"}, "optional"),
            (facts.deprecated || flat.deprecated === true) && el("span", {class: "mark"}, "deprecated")),
        prose(about), rules.length > 0 && el("ul", {class: "rules"}, rules),
        example !== undefined && el("p", {class: "quiet"}, "Example: ", el("code", {}, JSON.stringify(example))),
        nested(schema, path));
}

function hasMembers(schema, depth = 0) {
    const flat = flatten(schema);
    const isDeeper = (inner) => depth < 4 && isObject(inner) && hasMembers(inner, depth + 1);
    return Object.keys(objectOf(flat.properties)).length > 0 || listOf(flat.prefixItems).length > 0 ||
        Object.keys(objectOf(flat.patternProperties)).length > 0 ||
        [flat.items, flat.additionalProperties, ...choicesOf(flat)].some(isDeeper);
}

// The members of a schema inside another one. What is deep, or inside itself, is made when it is asked for.
function nested(schema, path) {
    if (!hasMembers(schema)) return "";
    const name = nameOf(schema);
    if (path.length < 3 && !(name && path.includes(name))) return members(schema, [...path, name]);
    return expander(name ? `Members of ${name}` : "Members", () => members(schema, [name]));
}

function members(schema, path) {
    const flat = flatten(schema);
    const required = listOf(flat.required);
    const rows = Object.entries(objectOf(flat.properties)).map(([name, each]) =>
        row(name, each, {required: required.includes(name)}, path));
    for (const [pattern, each] of Object.entries(objectOf(flat.patternProperties)))
        rows.push(row(pattern, each, {place: "names of this pattern"}, path));
    if (isObject(flat.additionalProperties) && flat.properties)
        rows.push(row("*", flat.additionalProperties, {place: "any other name"}, path));
    listOf(flat.prefixItems).forEach((each, index) => rows.push(row(`[${index}]`, each, {required: true}, path)));
    const choices = choicesOf(flat).filter((choice) => hasMembers(choice));
    const decider = textOf(objectOf(flat.discriminator).propertyName);
    return [rows.length > 0 && el("ul", {class: "fields"}, rows),
        [flat.items, !flat.properties && flat.additionalProperties].filter(isObject).map((each) => nested(each, path)),
        decider && el("p", {class: "quiet"}, "Which one it is, stands in ", el("code", {}, decider), "."),
        choices.map((choice) => [
            choices.length > 1 && el("p", {class: "choice"}, "If it is ", typeOf(choice)), nested(choice, path)])];
}

// A whole schema: its type, its rules and its members.
function schemaView(schema, path = []) {
    const rules = rulesOf(schema);
    const type = path.length ? typeOf(resolve(schema)) : typeOf(schema);
    return [el("p", {class: "type"}, type), rules.length > 0 && el("ul", {class: "rules"}, rules),
        hasMembers(schema) && members(schema, [...path, nameOf(schema)])];
}

// ---- examples

const TEXTS = {
    "date-time": "2026-01-31T12:00:00Z", date: "2026-01-31", time: "12:00:00Z", duration: "PT1H",
    email: "name@example.com", hostname: "example.com", uri: "urn:example:1", "uri-reference": "/path",
    uuid: "3fa85f64-5717-4562-b3fc-2c963f66afa6", ipv4: "192.0.2.1", ipv6: "2001:db8::1", byte: "AAAA", binary: "",
};

function exampleNumber(schema, step) {
    const low = [schema.minimum, Number.isFinite(schema.exclusiveMinimum) ? schema.exclusiveMinimum + step : NaN];
    const high = [schema.maximum, Number.isFinite(schema.exclusiveMaximum) ? schema.exclusiveMaximum - step : NaN];
    let number = Math.max(1, ...low.filter(Number.isFinite));
    number = Math.min(number, ...high.filter(Number.isFinite));
    return schema.multipleOf > 0 ? Math.ceil(number / schema.multipleOf) * schema.multipleOf : number;
}

function exampleText(schema) {
    const known = own(TEXTS, schema.format);
    if (known !== undefined) return known;
    const least = Math.min(schema.minLength || 0, 1000);
    return "text".repeat(Math.ceil(Math.max(least, 1) / 4)).slice(0, Math.min(Math.max(least, 4), schema.maxLength ?? 1000));
}

// A value of the schema, without members that `leftOut` says ("readOnly"). Bounded, also where the schema is not.
function exampleOf(schema, leftOut) {
    let left = 1000;
    const make = (part, inside) => {
        const name = nameOf(part);
        if (--left < 0 || inside.length > 12 || (name && inside.includes(name)) || part === false) return undefined;
        const flat = flatten(part);
        const given = [own(flat, "example"), listOf(flat.examples)[0], own(flat, "const"), own(flat, "default"),
            listOf(flat.enum)[0]].find((value) => value !== undefined);
        if (given !== undefined) return given;
        const within = [...inside, name];
        const chosen = choicesOf(flat).length ? make(choicesOf(flat)[0], within) : undefined;
        const type = typesOf(flat)[0];
        if (!isObject(flat.properties) && !isObject(flat.additionalProperties) && chosen !== undefined) return chosen;
        if (type === "object" || (!type && flat.properties)) return makeObject(flat, chosen, within);
        if (type === "array") return makeArray(flat, within);
        if (type === "integer") return exampleNumber(flat, 1);
        if (type === "number") return exampleNumber(flat, 0.5);
        if (type === "boolean") return true;
        return type === "string" ? exampleText(flat) : null;
    };
    const makeObject = (flat, chosen, inside) => {
        const entries = Object.entries(objectOf(flat.properties))
            .filter(([, each]) => flatten(each)[leftOut] !== true)
            .map(([name, each]) => [name, make(each, inside)]);
        if (!entries.length && isObject(flat.additionalProperties))
            entries.push(["name", make(flat.additionalProperties, inside)]);
        return Object.fromEntries([...Object.entries(objectOf(chosen)), ...entries]
            .filter(([, value]) => value !== undefined));
    };
    const makeArray = (flat, inside) => {
        const first = listOf(flat.prefixItems).map((each) => make(each, inside));
        const count = first.length ? 0 : Math.min(Math.max(flat.minItems || 0, 1), 10);
        const rest = flat.items ? Array.from({length: count}, () => make(flat.items, inside)) : [];
        return [...first, ...rest].filter((value) => value !== undefined);
    };
    return make(schema, []);
}
)js";

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
