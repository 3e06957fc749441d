// The script of an API's page, last part: credentials, requests that are sent from the page, and their
// answers.
#pragma once

#include <string_view>

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

inline constexpr std::string_view docs_page_try = R"js(
// ---- fields

function labelled(label, control, about) {
    control.id = freshId();
    return el("div", {class: "control"}, el("label", {for: control.id}, label), control,
        about && el("p", {class: "quiet"}, about));
}

// A control for a value of the schema.
function controlFor(schema, isRequired, value) {
    const flat = flatten(schema);
    const type = typesOf(flat)[0];
    const choices = type === "boolean" ? ["true", "false"] : listOf(flat.enum).map(textOf);
    if (choices.length) {
        const options = isRequired ? choices : ["", ...choices];
        return el("select", {}, options.map((choice) => el("option", {selected: choice === value}, choice)));
    }
    if (type === "array") return el("textarea", {rows: 2, spellcheck: "false"}, value);
    return el("input", {type: "text", value, autocomplete: "off", spellcheck: "false"});
}

// ---- credentials: kept in the page alone, until it is left

const credentials = new Map();  // from the name of a scheme to the function that adds to a request

function base64(text) {
    return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}

function credentialControls(name, scheme) {
    const field = (type) => el("input", {type, autocomplete: "off", spellcheck: "false"});
    const type = textOf(scheme.type).toLowerCase();
    const kind = textOf(scheme.scheme).toLowerCase();
    if (type === "http" && kind === "basic") {
        const [user, password] = [field("text"), field("password")];
        credentials.set(name, (request) => {
            if (user.value || password.value)
                request.headers.push(["Authorization", `Basic ${base64(`${user.value}:${password.value}`)}`]);
        });
        return [labelled(`${name}: user`, user), labelled(`${name}: password`, password)];
    }
    const key = field("password");
    credentials.set(name, (request) => {
        if (!key.value) return;
        const pair = [textOf(scheme.name), key.value];
        if (type !== "apikey") request.headers.push(["Authorization", `Bearer ${key.value}`]);
        else if (scheme.in === "query") request.query.push(pair);
        else if (scheme.in === "cookie") request.cookies.push(pair);
        else request.headers.push(pair);
    });
    return labelled(`${name}: ${type === "apikey" ? `${textOf(scheme.name)} (${textOf(scheme.in)})` : "bearer token"}`, key);
}

function credentialsView() {
    const schemes = Object.entries(objectOf(objectOf(api.components).securitySchemes));
    return schemes.length > 0 && el("section", {class: "credentials"}, el("h2", {}, "Authorization"),
        el("p", {class: "quiet"}, "Used by the requests that you send from this page, and forgotten when you leave it."),
        el("form", {submit: (event) => event.preventDefault()}, schemes.map(([name, value]) => {
            const scheme = resolve(value);
            return [prose(scheme.description), credentialControls(name, scheme)];
        })));
}

// ---- a request

// Where the paths of the document begin: the engine that serves this page. Other servers are not asked.
function baseAddress() {
    const root = new URL(document.body.dataset.root, location.href).href.replace(/\/+$/, "");
    const server = objectOf(listOf(api.servers)[0]);
    const path = textOf(server.url).replace(/\{([^}]*)\}/g, (whole, name) =>
        textOf(objectOf(own(objectOf(server.variables), name)).default));
    return /^\/[^/]/.test(path) ? root + path.replace(/\/+$/, "") : root;
}

const SEPARATORS = {pipeDelimited: "|", spaceDelimited: " "};

// Puts the value of a parameter into a request, unless it is empty.
function addParameter(request, parameter, text) {
    const name = textOf(parameter.name);
    const isList = typesOf(flatten(schemaOf(parameter)))[0] === "array";
    const values = isList ? text.split("\n").filter(Boolean) : [text];
    if (parameter.in === "path") {
        const encode = (value) => (parameter.allowReserved === true
            ? value.split("/").map(encodeURIComponent).join("/") : encodeURIComponent(value));
        request.path = request.path.replaceAll(`{${name}}`, () => values.map(encode).join(","));
    } else if (!text) {
        return;
    } else if (parameter.in === "query") {
        const parts = parameter.explode === false ? [values.join(own(SEPARATORS, parameter.style) || ",")] : values;
        request.query.push(...parts.map((value) => [name, value]));
    } else if (parameter.in === "cookie") {
        request.cookies.push([name, text]);
    } else {
        request.headers.push([name, values.join(",")]);
    }
}

function addressOf(request) {
    const query = request.query.map((pair) => pair.map(encodeURIComponent).join("=")).join("&");
    return baseAddress() + (request.path.startsWith("/") ? "" : "/") + request.path + (query && `?${query}`);
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

function curlOf(request) {
    const head = request.method === "GET" ? "" : request.method === "HEAD" ? " --head" : ` -X ${quoted(request.method)}`;
    const parts = [`curl${head} ${quoted(addressOf(request))}`];
    parts.push(...request.headers.map(([name, value]) => `-H ${quoted(value ? `${name}: ${value}` : `${name};`)}`));
    if (request.cookies.length) parts.push(`-b ${quoted(request.cookies.map((pair) => pair.join("=")).join("; "))}`);
    return [...parts, ...request.curlBody].join(" \\\n  ");
}

// ---- the editor of a body

const isForm = (type) => /^(multipart\/form-data|application\/x-www-form-urlencoded)/.test(type);
const isText = (type) => !type || /^text\/|json|xml|yaml|javascript|urlencoded/.test(type);
const isFile = (schema) => schema.format === "binary" || (textOf(schema.contentMediaType) !== "" && !schema.contentEncoding);

// The controls for a body of this type, and `add`, which puts it into a request.
function bodyEditor(type, media) {
    const schema = flatten(media.schema);
    if (isForm(type) && isObject(schema.properties)) return formEditor(type, schema);
    if (!isText(type)) {
        const file = el("input", {type: "file"});
        return {view: labelled("File", file), add(request) {
            request.headers.push(["Content-Type", type]);
            if (file.files[0]) request.body = file.files[0];
            request.curlBody.push(`--data-binary ${quoted(`@${file.files[0] ? file.files[0].name : "FILE"}`)}`);
        }};
    }
    const [given] = examplesOf(media);
    const example = given ? given[1] : exampleOf(media.schema ?? {}, "readOnly");
    const editor = el("textarea", {rows: 8, class: "code", spellcheck: "false"}, exampleAsText(example ?? ""));
    editor.rows = Math.min(Math.max(editor.value.split("\n").length + 1, 4), 24);
    return {view: labelled("Body", editor), add(request) {
        if (!editor.value) return;
        request.headers.push(["Content-Type", type]);
        request.body = editor.value;
        request.curlBody.push(`--data-raw ${quoted(editor.value)}`);
    }};
}

function formEditor(type, schema) {
    const fields = Object.entries(schema.properties).map(([name, each]) => {
        const flat = flatten(each);
        const inner = typesOf(flat)[0] === "array" ? flatten(flat.items) : flat;
        const isRequired = listOf(schema.required).includes(name);
        const example = exampleOf(each, "readOnly");
        const control = isFile(inner) ? el("input", {type: "file", multiple: inner !== flat})
            : controlFor(each, isRequired, isRequired ? listOf(example).map(textOf).join("\n") || textOf(example) : "");
        return {name, control, isList: inner !== flat, label: `${name}${isRequired ? " (required)" : ""}`};
    });
    const valuesOf = ({control, isList}) => {
        if (control.type === "file") return [...control.files];
        return (isList ? control.value.split("\n") : [control.value]).filter(Boolean);
    };
    return {view: fields.map(({label, control}) => labelled(label, control)), add(request) {
        const pairs = fields.flatMap((field) => valuesOf(field).map((value) => [field.name, value]));
        const isMultipart = type.startsWith("multipart");
        request.body = isMultipart ? new FormData() : new URLSearchParams();
        for (const [name, value] of pairs) {
            request.body.append(name, value);
            if (!isMultipart) request.curlBody.push(`--data-urlencode ${quoted(`${name}=${value}`)}`);
            else if (typeof value === "string") request.curlBody.push(`--form-string ${quoted(`${name}=${value}`)}`);
            else request.curlBody.push(`-F ${quoted(`${name}=@${value.name}`)}`);
        }
    }};
}

// ---- an answer

const LIMIT = 256 * 1024;  // of characters that are shown

// JSON with its members one a line. Its text stays as it is: numbers keep all their digits.
function indented(text) {
    JSON.parse(text);
    const tokens = text.match(/"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]|[^\s{}[\],:"]+/g);
    let [made, depth] = ["", 0];
    const line = () => `\n${"  ".repeat(depth)}`;
    tokens.forEach((token, index) => {
        const isClosed = "}]".includes(tokens[index + 1]);
        if ("{[".includes(token)) {
            depth += 1;
            made += token + (isClosed ? "" : line());
        } else if ("}]".includes(token)) {
            depth -= 1;
            made += ("{[".includes(tokens[index - 1]) ? "" : line()) + token;
        } else {
            made += token === "," ? token + line() : token === ":" ? ": " : token;
        }
    });
    return made;
}

// Shows an answer while it comes, since a stream of events may have no end.
async function showAnswer(answer, since, view) {
    const time = () => `${Math.round(performance.now() - since)} ms`;
    const type = answer.headers.get("Content-Type") || "";
    const body = el("pre", {tabindex: "0", "aria-label": "Body of the answer"});
    const status = el("p", {class: "status", role: "status"}, el("strong", {}, `${answer.status} ${answer.statusText}`), ` in ${time()}`);
    view.replaceChildren(status, el("pre", {tabindex: "0", "aria-label": "Header fields of the answer"},
        [...answer.headers].map(([name, value]) => `${name}: ${value}`).join("\n")), body);
    const decoder = new TextDecoder();
    const reader = answer.body && answer.body.getReader();
    let [text, size] = ["", 0];
    for (let piece = {}; reader && !(piece = await reader.read()).done;) {
        size += piece.value.length;
        if (!isText(type) || text.length > LIMIT) continue;
        text += decoder.decode(piece.value, {stream: true});
        body.textContent = text;
    }
    try {
        if (/json/.test(type) && text.length <= LIMIT) body.textContent = indented(text);
    } catch {
        // It says that it is JSON, and is not: shown as it came.
    }
    put(status, `, ${size} bytes`, text.length > LIMIT && `, of which the first ${text.length} characters are shown`);
    if (!isText(type)) body.textContent = `(${type} is not shown)`;
    if (!size) body.remove();
}

async function send(request, signal, view) {
    const since = performance.now();
    try {
        const address = addressOf(request);
        if (new URL(address).origin !== location.origin) throw new Error("its address is not of this server");
        const {method, headers, body} = request;
        await showAnswer(await fetch(address, {method, headers, body, signal}), since, view);
    } catch (error) {
        const words = signal.aborted ? "Stopped." : `The request failed: ${error.message}`;
        put(view, el("p", {class: "problem", role: "alert"}, words));
    }
}

async function copy(text, shown, button) {
    try {
        await navigator.clipboard.writeText(text);
        button.textContent = "Copied";
    } catch {  // the page is not of a secure origin
        getSelection().selectAllChildren(shown);
        button.textContent = "Selected: copy it by the keyboard";
    }
}

// ---- the form of an operation

function tryView(entry) {
    const {method, path, operation, parameters} = entry;
    const fields = parameters.map((parameter) => {
        const [given] = examplesOf(parameter);
        const isRequired = parameter.required === true;
        const example = given ? given[1] : isRequired ? exampleOf(schemaOf(parameter)) : "";
        const value = Array.isArray(example) ? example.map(textOf).join("\n") : textOf(example);
        const control = controlFor(schemaOf(parameter), isRequired, value);
        const label = `${textOf(parameter.name)} (${textOf(parameter.in)}${isRequired ? ", required" : ""})`;
        const about = parameter.in === "cookie" ? "Only in the command: a browser sends the cookies that it has."
            : control.tagName === "TEXTAREA" ? "One value a line." : "";
        return {parameter, control, view: labelled(label, control, about)};
    });
    const media = method === "GET" || method === "HEAD" ? {} : objectOf(resolve(operation.requestBody).content);
    const editors = Object.entries(media).map(([type, value]) => [type, bodyEditor(type, resolve(value))]);
    const kind = el("select", {}, editors.map(([type]) => el("option", {}, type)));
    const editorView = el("div", {});
    const chosen = () => (editors[kind.selectedIndex] || [])[1];
    const showEditor = () => editorView.replaceChildren(...[chosen().view].flat());
    const more = el("textarea", {rows: 2, class: "code", spellcheck: "false"});
    const command = el("pre", {tabindex: "0", "aria-label": "The request as a command"});
    const answer = el("div", {class: "answer"});
    const button = el("button", {class: "primary"}, "Send");
    const copier = el("button", {type: "button", click: () => copy(command.textContent, command, copier)}, "Copy");
    let running = null;

    function request() {
        const made = {method, path, query: [], headers: [], cookies: [], curlBody: []};
        for (const {parameter, control} of fields) addParameter(made, parameter, control.value);
        for (const name of new Set(securityOf(operation).flat())) (credentials.get(name) || (() => {}))(made);
        for (const [, name, value] of more.value.matchAll(/^([^:\n]+):[ \t]*(.*)$/gm)) made.headers.push([name, value]);
        if (editors.length) chosen().add(made);
        return made;
    }
    function update() {
        command.textContent = curlOf(request());
        copier.textContent = "Copy";
    }
    async function submit(event) {
        event.preventDefault();
        if (running) return running.abort();
        running = new AbortController();
        button.textContent = "Stop";
        answer.replaceChildren();
        update();
        await send(request(), running.signal, answer);
        running = null;
        button.textContent = "Send";
    }

    if (editors.length) showEditor();
    kind.addEventListener("change", showEditor);
    document.addEventListener("input", update);
    update();
    return el("form", {class: "try", submit, change: update}, fields.map(({view}) => view),
        editors.length > 1 && labelled("Content-Type", kind), editorView,
        labelled("More header fields", more, "One a line, such as X-Trace: 1."),
        el("div", {class: "command"}, el("h5", {}, "As a command"), copier), command, button, answer);
}
)js";

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
