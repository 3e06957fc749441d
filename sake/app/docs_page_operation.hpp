// The script of an API's page, third part: what an opened operation shows.
#pragma once

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

inline constexpr char docs_page_operation[] = R"js(
// ---- an opened operation

// The schema of a parameter or a header, which may be that of its content.
const schemaOf = ({schema, content}) =>
  schema ?? objectOf(Object.values(objectOf(content))[0]).schema ?? {};

// The examples that a parameter or a body has, as pairs of a name and a value.
const examplesOf = (media) => [["", media.example], ...entriesOf(media.examples).map(([name, each]) => {
  const example = resolve(each);
  return [textOf(example.summary) || name, example.value];
})].filter(([, value]) => value !== undefined);

const indented = (value) => (typeof value === "string" ? value : JSON.stringify(value, null, 2));

const fieldRow = (name, place, field) =>
  row(textOf(name), schemaOf(field), {...field, place, example: examplesOf(field)[0]?.[1]});

// The bodies of a request or an answer by media type, each with schema and example.
const contentView = (content, leftOut) => entriesOf(content).map(([type, value]) => {
  const media = resolve(value);
  const schema = media.schema ?? media.itemSchema;
  const given = examplesOf(media);
  if (!given.length && schema !== undefined) given.push(["", exampleOf(schema, leftOut) ?? null]);
  return el("div", {class: "content"}, quiet(code(type)), schema !== undefined && schemaView(schema),
    given.map(([name, example]) => expander(`Example${name && `: ${name}`}`,
      () => pre("Example", indented(example)))));
});

function responseView([status, value]) {
  const response = resolve(value);
  const headers = entriesOf(response.headers).map(([name, each]) => fieldRow(name, "header", resolve(each)));
  return el("div", {class: "response"},
    el("h5", {}, code(status === "default" ? "any other" : status), " ", response.description),
    list("fields", headers), contentView(response.content, "writeOnly"));
}

// The names of the security schemes that an operation asks for; a list for each choice.
const securityOf = (operation) =>
  listOf(operation.security ?? api.security).map((choice) => Object.keys(objectOf(choice)));

const block = (title, ...children) => el("div", {class: "block"}, el("h4", {}, title), children);

function operationView(entry) {
  const {operation, parameters} = entry;
  const body = resolve(operation.requestBody);
  const responses = entriesOf(operation.responses);
  const docs = objectOf(operation.externalDocs);
  const security = securityOf(operation).map((names) => names.join(" and ") || "nothing").join(", or ");
  return [
    operation.deprecated === true && el("strong", {}, "Deprecated: new programs should not use it."),
    prose(operation.description), docs.url && el("p", {}, outsideLink(docs.url, docs.description)),
    security && quiet(`Authorization: ${security}`),
    parameters.length > 0 && block("Parameters",
      list("fields", parameters.map((each) => fieldRow(each.name, `in ${textOf(each.in)}`, each)))),
    isObject(body.content) && block(`Request body${body.required === true ? "" : " (optional)"}`,
      prose(body.description), contentView(body.content, "readOnly")),
    responses.length > 0 && block("Responses", responses.map(responseView)),
    !entry.isWebhook && block("Try it", tryView(entry)),
  ];
}
)js";

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
