// The script of an API's page, last part: credentials, requests that are sent from the page, and their
// answers.
#pragma once

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

inline constexpr char docs_page_try[] = R"js(
// ---- fields

function labelled(label, control, about) {
  control.id = freshId();
  return el("div", {class: "control"}, el("label", {for: control.id}, label), control, about && quiet(about));
}

const input = (type, value) => el("input", {type, value, autocomplete: "off", spellcheck: "false"});
const editor = (rows, value) => el("textarea", {rows, class: "code", spellcheck: "false"}, value);
const selection = (choices, value) => el("select", {}, choices.map((choice) =>
  el("option", choice === value ? {selected: ""} : {}, choice)));

// A control for a value of the schema; of a list there is one value a line.
function controlFor(schema, isRequired, value) {
  const flat = flatten(schema);
  const type = typesOf(flat)[0];
  if (type === "array") return editor(2, listOf(value).map(textOf).join("\n"));
  const choices = type === "boolean" ? ["true", "false"] : listOf(flat.enum).map(textOf);
  if (choices.length === 0) return input("text", textOf(value));
  return selection(isRequired ? choices : ["", ...choices], textOf(value));
}

const valuesOf = (control) => (control.type === "file" ? [...control.files]
  : control.type === "textarea" ? control.value.split("\n") : [control.value]).filter(Boolean);

// ---- credentials: kept in this page alone, until it is left

const credentials = new Map();  // from the name of a scheme to the function that adds them to a request

function credentialControls([name, value]) {
  const scheme = resolve(value);
  const [user, secret] = [input("text"), input("password")];
  const isBasic = scheme.type === "http" && /^basic$/i.test(scheme.scheme);
  credentials.set(name, (request) => {
    const utf8 = new TextEncoder().encode(`${user.value}:${secret.value}`);
    const words = isBasic ? `Basic ${btoa(String.fromCharCode(...utf8))}` : `Bearer ${secret.value}`;
    if (!secret.value && !user.value) return;
    if (scheme.type !== "apiKey") request.headers.push(["Authorization", words]);
    else addParameter(request, scheme, [secret.value]);
  });
  const kind = isBasic ? "password" : scheme.type === "apiKey" ? "key" : "bearer token";
  return [isBasic && labelled(`${name}: user`, user), labelled(`${name}: ${kind}`, secret, scheme.description)];
}

function credentialsView() {
  const schemes = entriesOf(objectOf(api.components).securitySchemes);
  return schemes.length > 0 && expander("Authorization", () =>
    el("form", {submit: (event) => event.preventDefault()},
      quiet("Used by the requests that you send from this page, and forgotten when you leave it."),
      schemes.map(credentialControls)));
}

// ---- a request

// Paths begin at the engine that serves this page, and there at the path of the document's server.
function addressOf({path, query}) {
  const root = new URL(document.body.dataset.root, location.href).href.replace(/\/+$/, "");
  const server = textOf(objectOf(listOf(api.servers)[0]).url).replace(/\/+$/, "");
  const place = (server.startsWith("/") ? server : "") + path.replace(/^(?!\/)/, "/");
  return root + place + (`${query}` && `?${query}`);
}

// A parameter without a value is left out. Cookies are the browser's.
function addParameter(request, parameter, values) {
  const name = textOf(parameter.name);
  if (parameter.in === "path")
    request.path = request.path.replaceAll(`{${name}}`, () => values.map(encodeURIComponent).join(","));
  else if (parameter.in === "query" && parameter.explode !== false)
    values.forEach((value) => request.query.append(name, value));
  else if (parameter.in === "query" && values.length) request.query.append(name, values.join(","));
  else if (parameter.in === "header" && values.length) request.headers.push([name, values.join(",")]);
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

function curlOf({curl, ...request}) {
  const verb = request.method === "GET" ? "" : request.method === "HEAD" ? "--head " : `-X ${request.method} `;
  return [`curl ${verb}${quoted(addressOf(request))}`,
    ...request.headers.map((pair) => `-H ${quoted(pair.join(": "))}`), ...curl].join(" \\\n  ");
}

// ---- the body of a request

const isText = (type) => !type || /^text\/|json|xml|yaml|javascript|urlencoded/.test(type);

// What is shown to edit a body of this type, and `add`, which puts the body into a request.
function bodyEditor([type, value]) {
  const media = resolve(value);
  const flat = flatten(media.schema);
  if (/^multipart\/form-data|urlencoded/.test(type) && isObject(flat.properties)) return formEditor(type, flat);
  const [given] = examplesOf(media);
  const text = isText(type) ? indented(given ? given[1] : exampleOf(media.schema ?? {}, "readOnly") ?? "") : "";
  const control = isText(type) ? editor(Math.min(text.split("\n").length + 1, 24), text) : input("file");
  return {type, view: [labelled(`Body: ${type}`, control)], add(request) {
    const body = isText(type) ? control.value : control.files[0];
    if (!body) return;
    Object.assign(request, {body}).headers.push(["Content-Type", type]);
    request.curl.push(isText(type) ? `--data-raw ${quoted(body)}` : `--data-binary ${quoted(`@${body.name}`)}`);
  }};
}

function formEditor(type, flat) {
  const isMultipart = type.startsWith("multipart");
  const fields = Object.entries(flat.properties).map(([name, schema]) => {
    const isRequired = listOf(flat.required).includes(name);
    const whole = flatten(schema);
    const {format, contentMediaType, contentEncoding} = isObject(whole.items) ? flatten(whole.items) : whole;
    const isFile = format === "binary" || (contentMediaType && !contentEncoding);
    const control = isFile ? el("input", {type: "file", multiple: isObject(whole.items)})
      : controlFor(schema, isRequired, isRequired ? exampleOf(schema) : "");
    return {name, control, view: labelled(`${name}${isRequired ? " (required)" : ""}`, control)};
  });
  return {type, view: fields.map(({view}) => view), add(request) {
    request.body = isMultipart ? new FormData() : new URLSearchParams();
    const pairs = fields.flatMap(({name, control}) => valuesOf(control).map((value) => [name, value]));
    for (const [name, each] of pairs) {
      request.body.append(name, each);
      const option = !isMultipart ? "--data-urlencode" : each instanceof File ? "-F" : "--form-string";
      request.curl.push(`${option} ${quoted(`${name}=${each instanceof File ? `@${each.name}` : each}`)}`);
    }
  }};
}

// ---- an answer

const LIMIT = 256 * 1024;  // of characters that are shown

// JSON with its members one a line. Where the browser can, numbers keep all their digits.
function prettyJson(text) {
  try {
    return indented(JSON.parse(text, (key, value, context) =>
      (typeof value === "number" && JSON.rawJSON ? JSON.rawJSON(context.source) : value)));
  } catch {
    return text;
  }
}

// Shows an answer while it comes, since a stream of events may have no end.
async function showAnswer(answer, time, view) {
  const type = answer.headers.get("Content-Type");
  const body = pre("Body", !isText(type) && `(${type} is not shown)`);
  const words = el("strong", {}, `${answer.status} ${answer.statusText}`);
  const status = el("p", {role: "status"}, words, ` in ${time} ms`);
  put(view, status, pre("Header fields", [...answer.headers].map((pair) => pair.join(": ")).join("\n")), body);
  const decoder = new TextDecoder();
  const reader = (answer.body || new Blob().stream()).getReader();
  let [text, size] = ["", 0];
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    size += piece.value.length;
    if (!isText(type) || text.length > LIMIT) continue;
    text += decoder.decode(piece.value, {stream: true});
    body.textContent = text;
  }
  if (/json/.test(type) && text.length <= LIMIT) body.textContent = prettyJson(text);
  put(status, `, ${size} bytes`, text.length > LIMIT && "; the rest is not shown");
  body.hidden = size === 0;
}

async function send(request, signal, view) {
  const since = performance.now();
  try {
    const answer = await fetch(addressOf(request), {...request, signal});
    await showAnswer(answer, Math.round(performance.now() - since), view);
  } catch (error) {
    const words = signal.aborted ? "Stopped." : `The request failed: ${error.message}`;
    put(view, el("p", {class: "problem", role: "alert"}, words));
  }
}

// ---- the form of an operation

function parameterField(parameter) {
  const isRequired = parameter.required === true;
  const [given] = examplesOf(parameter);
  const value = given ? given[1] : isRequired ? exampleOf(schemaOf(parameter)) : "";
  const control = controlFor(schemaOf(parameter), isRequired, value);
  const label = `${textOf(parameter.name)} (${textOf(parameter.in)}${isRequired ? ", required" : ""})`;
  return {parameter, control, view: labelled(label, control, control.rows && "One value a line.")};
}

// The request as a command for a shell. It follows what is typed.
function commandView(request) {
  const command = pre("Command");
  const copier = el("button", {type: "button", class: "button", click: copy}, "Copy");
  function update() {
    command.textContent = curlOf(request());
    copier.textContent = "Copy";
  }
  async function copy() {
    getSelection().selectAllChildren(command);  // for the reader to copy, where the page may not
    const isCopied = await navigator.clipboard?.writeText(command.textContent).then(() => true, () => false);
    copier.textContent = isCopied ? "Copied" : "Selected";
  }
  update();
  for (const event of ["input", "change"]) document.addEventListener(event, update);
  return [command, copier];
}

function tryView({method, path, operation, parameters}) {
  const fields = parameters.filter((each) => each.in !== "cookie").map(parameterField);
  const content = /^(GET|HEAD)$/.test(method) ? {} : resolve(operation.requestBody).content;
  const editors = entriesOf(content).map(bodyEditor);
  const kind = selection(editors.map(({type}) => type));
  const body = el("div", {});
  const more = editor(2);
  const button = el("button", {class: "button primary"}, "Send");
  const answer = el("div", {class: "answer"});
  let running = null;

  const showEditor = () => editors.length && body.replaceChildren(...editors[kind.selectedIndex].view);
  function request() {
    const made = {method, path, query: new URLSearchParams(), headers: [], curl: []};
    for (const {parameter, control} of fields) addParameter(made, parameter, valuesOf(control));
    for (const name of new Set(securityOf(operation).flat())) credentials.get(name)?.(made);
    for (const [, ...pair] of more.value.matchAll(/^([^:\n]+):[ \t]*(.*)$/gm)) made.headers.push(pair);
    editors[kind.selectedIndex]?.add(made);
    return made;
  }
  async function submit(event) {
    event.preventDefault();
    if (running) return running.abort();
    running = new AbortController();
    button.textContent = "Stop";
    answer.replaceChildren();
    await send(request(), running.signal, answer);
    running = null;
    button.textContent = "Send";
  }

  showEditor();
  kind.addEventListener("change", showEditor);
  return el("form", {submit}, fields.map(({view}) => view),
    editors.length > 1 && labelled("Content-Type", kind), body,
    labelled("More header fields", more, "One a line, such as X-Trace: 1"), button, answer,
    expander("The request as a curl command", () => commandView(request)));
}
)js";

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
