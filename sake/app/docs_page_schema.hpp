// The script of an API's page, second part: how schemas are shown, and examples made from them.
#pragma once

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

inline constexpr char docs_page_schema[] = R"js(
// ---- schemas

// The name of a schema that stands in the section "Schemas"; "" for another one.
function nameOf(schema) {
  const reference = textOf(objectOf(schema).$ref);
  const prefix = "#/components/schemas/";
  if (!reference.startsWith(prefix) || target(reference) === undefined) return "";
  return unescaped(reference.slice(prefix.length));
}

// A schema with its references followed, and the parts of its allOf put together.
function flatten(schema, depth = 0) {
  const {allOf, ...whole} = resolve(schema);
  for (const part of depth < 6 ? listOf(allOf) : []) {
    const added = flatten(part, depth + 1);
    const properties = {...objectOf(whole.properties), ...objectOf(added.properties)};
    const required = [...listOf(whole.required), ...listOf(added.required)];
    Object.assign(whole, {...added, ...whole, properties, required});
  }
  return whole;
}

const choicesOf = (flat) => [...listOf(flat.oneOf), ...listOf(flat.anyOf)];

// The types of a flat schema as a list. What is not said follows from what else is.
function typesOf(flat) {
  const types = [flat.type || []].flat().map(textOf);
  if (flat.nullable === true) types.push("null");
  if (types.length) return types;
  if (entriesOf(flat.properties).length || isObject(flat.additionalProperties)) return ["object"];
  if (isObject(flat.items)) return ["array"];
  const value = flat.const ?? listOf(flat.enum)[0] ?? null;
  return value === null ? [] : [typeof value];
}

// The type in words, with links to the schemas that have a name.
function typeOf(schema, depth = 0) {
  const name = nameOf(schema);
  if (name) return [el("a", {href: `#${encodeURIComponent(`schema/${name}`)}`}, name)];
  if (schema === false) return ["nothing"];
  if (depth > 4) return ["..."];
  const flat = flatten(schema);
  const words = typesOf(flat).map((type) => {
    if (type === "array" && flat.items) return ["array of ", typeOf(flat.items, depth + 1)];
    if (type === "object" && isObject(flat.additionalProperties) && !flat.properties)
      return ["map of ", typeOf(flat.additionalProperties, depth + 1)];
    return [type, typeof flat.format === "string" && type !== "null" && ` (${flat.format})`];
  });
  if (!words.length) words.push(...choicesOf(flat).map((choice) => typeOf(choice, depth + 1)));
  return words.length ? words.map((word, index) => [index > 0 && " or ", word]) : ["any value"];
}

const RULES = {
  minimum: "at least %", exclusiveMinimum: "more than %", maximum: "at most %", exclusiveMaximum: "less than %",
  multipleOf: "a multiple of %", minLength: "length at least %", maxLength: "length at most %",
  pattern: "pattern %", minItems: "items at least %", maxItems: "items at most %", uniqueItems: "no item twice",
  minProperties: "members at least %", maxProperties: "members at most %", const: "always %", enum: "one of %",
  contentMediaType: "holds %", readOnly: "only in answers", writeOnly: "only in requests", default: "default %",
};

// The bounds of an int32 say no more than its format.
const isOfFormat = (flat, key) => flat.format === "int32" &&
  ((key === "minimum" && flat.minimum === -(2 ** 31)) || (key === "maximum" && flat.maximum === 2 ** 31 - 1));

function rulesOf(flat, whose = "") {
  const rules = Object.entries(RULES).filter(([key, words]) =>
    Object.hasOwn(flat, key) && (words.includes("%") || flat[key] === true) && !isOfFormat(flat, key));
  return rules.map(([key, words]) => {
    const [before, after] = words.split("%");
    const values = (key === "enum" ? listOf(flat.enum) : [flat[key]])
      .map((each) => code(key === "pattern" ? textOf(each) : JSON.stringify(each)))
      .flatMap((each, index) => [index > 0 && ", ", each]);
    return el("li", {}, whose, before, after !== undefined && values, after);
  });
}

// The rules of a value, and of the elements in it.
function rulesView(flat) {
  const inside = [flat.items, flat.additionalProperties].filter(isObject);
  return list("rules", [...rulesOf(flat), ...inside.flatMap((each) => rulesOf(flatten(each), "each "))]);
}

// A parameter, a header or a member of an object.
function row(name, schema, facts, path = []) {
  const flat = flatten(schema);
  const example = facts.example ?? flat.example ?? listOf(flat.examples)[0];
  return el("li", {class: "field"},
    el("div", {class: "head"}, code(name, "name"), span("type", typeOf(schema)),
      facts.place && span("type", facts.place),
      facts.required === true ? el("strong", {}, "required") : span("type", "optional"),
      markOf({...flat, ...facts})),
    prose(facts.description || flat.description), rulesView(flat),
    example !== undefined && quiet("Example: ", code(JSON.stringify(example))), nested(schema, path));
}

function hasMembers(schema, depth = 0) {
  const flat = flatten(schema);
  const inside = depth < 4 ? [flat.items, flat.additionalProperties, ...choicesOf(flat)].filter(isObject) : [];
  return entriesOf(flat.properties).length > 0 || inside.some((each) => hasMembers(each, depth + 1));
}

// The members of a schema inside another one. What is deep, or inside itself, is made when it is asked for.
function nested(schema, path) {
  if (!hasMembers(schema)) return "";
  const name = nameOf(schema);
  if (path.length < 3 && !(name && path.includes(name))) return members(schema, [...path, name]);
  return expander(`Members${name && ` of ${name}`}`, () => members(schema, [name]));
}

function members(schema, path) {
  const flat = flatten(schema);
  const rows = entriesOf(flat.properties).map(([name, each]) =>
    row(name, each, {required: listOf(flat.required).includes(name)}, path));
  if (rows.length && isObject(flat.additionalProperties))
    rows.push(row("*", flat.additionalProperties, {place: "any other name"}, path));
  const choices = choicesOf(flat).filter((choice) => hasMembers(choice));
  return [list("fields", rows),
    [flat.items, !rows.length && flat.additionalProperties].filter(isObject).map((each) => nested(each, path)),
    choices.map((choice) => [choices.length > 1 && el("p", {class: "choice"}, "If it is ", typeOf(choice), ":"),
      nested(choice, path)])];
}

// A whole schema: its type, its rules and its members.
const schemaView = (schema, path = []) => [
  el("p", {class: "type"}, typeOf(path.length && schema !== false ? resolve(schema) : schema)),
  rulesView(flatten(schema)), hasMembers(schema) && members(schema, [...path, nameOf(schema)])];

// ---- examples

const TEXTS = {
  "date-time": "2026-01-31T12:00:00Z", date: "2026-01-31", time: "12:00:00Z", email: "name@example.com",
  uri: "urn:example:1", uuid: "3fa85f64-5717-4562-b3fc-2c963f66afa6", ipv4: "192.0.2.1", ipv6: "2001:db8::1",
};

function exampleText({format, minLength, maxLength}) {
  const size = Math.max(Math.min(Math.max(minLength || 0, 4), maxLength ?? 1000, 1000), 0);
  return own(TEXTS, format) ?? "text".repeat(size).slice(0, size);
}

function exampleNumber({minimum, exclusiveMinimum, maximum, multipleOf}) {
  const number = Math.min(Math.max(minimum ?? 1, exclusiveMinimum + 1 || 1, 1), maximum ?? Infinity);
  return multipleOf > 0 ? Math.ceil(number / multipleOf) * multipleOf : number;
}

// A value of the schema, without members that say `leftOut` ("readOnly"). Bounded, even if the schema is not.
function exampleOf(schema, leftOut) {
  let left = 1000;
  function make(part, inside) {
    const name = nameOf(part);
    if (--left < 0 || inside.length > 12 || (name && inside.includes(name)) || part === false) return undefined;
    const flat = flatten(part);
    const within = [...inside, name];
    const said = [flat.example, listOf(flat.examples)[0], flat.const, flat.default, listOf(flat.enum)[0]];
    const given = said.find((value) => value !== undefined);
    if (given !== undefined) return given;
    const choice = choicesOf(flat).map((each) => make(each, within)).find((value) => value !== undefined);
    const type = typesOf(flat)[0];
    if (type === "object") return makeObject(flat, objectOf(choice), within);
    if (type === "array") {
      const count = Math.min(Math.max(flat.minItems || 1, 1), 10);
      return Array.from({length: count}, () => make(flat.items, within)).filter((value) => value !== undefined);
    }
    if (type === "boolean") return true;
    if (type === "string") return exampleText(flat);
    if (type === "integer" || type === "number") return exampleNumber(flat);
    return type === undefined && choicesOf(flat).length ? choice : null;
  }
  function makeObject(flat, chosen, inside) {
    const made = entriesOf(flat.properties).filter(([, each]) => flatten(each)[leftOut] !== true)
      .map(([name, each]) => [name, make(each, inside)]);
    if (!made.length && isObject(flat.additionalProperties))
      made.push(["name", make(flat.additionalProperties, inside)]);
    return Object.fromEntries([...entriesOf(chosen), ...made].filter(([, value]) => value !== undefined));
  }
  return make(schema, []);
}
)js";

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
