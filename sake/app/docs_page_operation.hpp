// The script of an API's page, third part: what an opened operation shows.
#pragma once

#include <string_view>

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

inline constexpr std::string_view docs_page_operation = R"js(
// ---- an opened operation

// The schema of a parameter or a header, which may be that of its content.
const schemaOf = (parameter) => parameter.schema ?? Object.values(objectOf(parameter.content)).map(objectOf)[0]?.schema ?? {};

// The examples that a parameter or a body has, as pairs of a name and a value.
function examplesOf(media) {
    const named = Object.entries(objectOf(media.examples)).map(([name, each]) => {
        const example = resolve(each);
        return [textOf(example.summary) || name, example.value ?? example.dataValue];
    }).filter(([, value]) => value !== undefined);
    return media.example !== undefined ? [["", media.example], ...named] : named;
}

const exampleAsText = (value) => (typeof value === "string" ? value : JSON.stringify(value, null, 2));

function parameterRow(parameter) {
    const [example] = examplesOf(parameter);
    return row(textOf(parameter.name), schemaOf(parameter), {place: `in ${textOf(parameter.in)}`,
        required: parameter.required === true, deprecated: parameter.deprecated === true,
        description: parameter.description, example: example && example[1]}, []);
}

// The bodies of a request or an answer by media type, each with schema and example.
function contentView(content, leftOut) {
    return Object.entries(objectOf(content)).map(([type, value]) => {
        const media = resolve(value);
        const schema = media.schema ?? media.itemSchema;
        const given = examplesOf(media);
        const made = schema !== undefined && given.length === 0 ? exampleOf(schema, leftOut) : undefined;
        const examples = made !== undefined ? [["", made]] : given;
        return el("div", {class: "content"}, el("p", {class: "quiet"}, el("code", {}, type),
            media.itemSchema !== undefined && ", of items"),
            schema !== undefined && schemaView(schema),
            examples.map(([name, example]) => expander(name ? `Example: ${name}` : "Example",
                () => el("pre", {tabindex: "0"}, exampleAsText(example)))));
    });
}

function responseView([status, value]) {
    const response = resolve(value);
    const headers = Object.entries(objectOf(response.headers)).map(([name, each]) => {
        const header = resolve(each);
        return row(name, schemaOf(header), {place: "header", required: header.required === true,
            description: header.description}, []);
    });
    return el("div", {class: "response"},
        el("h5", {}, el("code", {}, status === "default" ? "any other" : status), " ", textOf(response.description)),
        headers.length > 0 && el("ul", {class: "fields"}, headers), contentView(response.content, "writeOnly"));
}

// The names of the security schemes that an operation may use; a list for each choice.
const securityOf = (operation) =>
    listOf(operation.security ?? api.security).map((choice) => Object.keys(objectOf(choice)));

function securityLine(operation) {
    const choices = securityOf(operation);
    if (!choices.some((names) => names.length)) return "";
    const words = choices.map((names) => (names.length ? names.join(" and ") : "nothing"));
    return el("p", {class: "quiet"}, `Authorization: ${words.join(", or ")}`);
}

const part = (title, ...children) => el("div", {class: "block"}, el("h4", {}, title), ...children);

function operationView(entry) {
    const {operation, parameters} = entry;
    const body = resolve(operation.requestBody);
    const responses = Object.entries(objectOf(operation.responses));
    const docs = objectOf(operation.externalDocs);
    return [
        operation.deprecated === true && el("p", {class: "notice"}, "Deprecated: new programs should not use it."),
        prose(operation.description),
        docs.url && el("p", {}, outsideLink(docs.url, textOf(docs.description))),
        securityLine(operation),
        parameters.length > 0 && part("Parameters", el("ul", {class: "fields"}, parameters.map(parameterRow))),
        isObject(body.content) && part(body.required === true ? "Request body" : "Request body (optional)",
            prose(body.description), contentView(body.content, "readOnly")),
        responses.length > 0 && part("Responses", responses.map(responseView)),
        !entry.isWebhook && part("Try it", tryView(entry)),
    ];
}
)js";

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
