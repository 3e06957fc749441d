// The document of Engine::openapi as other programs see it: four validators and generators, and ajv, which checks
// answers of the program against the schema that the document has for them. Requests are made of the document, too:
// what its schema allows, the server must not refuse, and the other way round.
//
//   node openapi.mjs PROGRAM MODULES      the built openapi.cpp, and a directory with node_modules

import {execFile, spawn} from "node:child_process";
import {once} from "node:events";
import {mkdtemp, rm, writeFile} from "node:fs/promises";
import {createRequire} from "node:module";
import os from "node:os";
import path from "node:path";
import {pathToFileURL} from "node:url";
import {promisify} from "node:util";

const [program, modules] = process.argv.slice(2);
const load = createRequire(path.resolve(modules) + "/");
const patience = 120_000;
let failures = 0;

const report = (name, holds, otherwise = "") => {
    if (!holds) ++failures;
    console.log(holds ? `ok ${name}` : `FAIL ${name}: ${String(otherwise).slice(0, 1500)}`);
};

/// A tool of the modules; ends with status 0 and no warning.
async function tryTool(name, file, ...args) {
    const env = {...process.env, REDOCLY_TELEMETRY: "off", REDOCLY_SUPPRESS_UPDATE_NOTICE: "true", NO_COLOR: "1"};
    const tool = path.resolve(modules, "node_modules/.bin", file);
    try {
        const {stdout, stderr} = await promisify(execFile)(tool, args, {timeout: patience, env});
        report(name, !/\bwarning\s+\S+-\S+|\d+ warning/i.test(stdout + stderr), stdout + stderr);
    } catch (error) {
        report(name, false, `${error.message}\n${error.stdout}\n${error.stderr}`);
    }
}

async function tryTools(document, directory) {
    const file = path.join(directory, "openapi.json");
    const redocly = path.join(directory, "redocly.yaml");
    const spectral = path.join(directory, "spectral.yaml");
    const types = path.join(directory, "openapi.d.ts");
    await writeFile(file, document);
    // Errors are described by "default".
    await writeFile(redocly, "extends:\n  - recommended\nrules:\n  operation-4xx-response: off\n");
    await writeFile(spectral, 'extends: ["spectral:oas"]\n');
    const seriousme = await import(pathToFileURL(load.resolve("@seriousme/openapi-schema-validator")));
    const validator = new seriousme.Validator();
    const result = await validator.validate(JSON.parse(document));
    report("@seriousme/openapi-schema-validator", result.valid && validator.version === "3.1", JSON.stringify(result));
    await tryTool("redocly lint", "redocly", "lint", file, "--config", redocly);
    await tryTool("spectral lint", "spectral", "lint", file, "--ruleset", spectral, "--fail-severity", "hint");
    await tryTool("openapi-typescript", "openapi-typescript", file, "--output", types);
    await tryTool("its types compile", "tsc", "--noEmit", "--strict", types);
}

// --- Values of a schema ---

/// The same numbers in each run.
function makeRandom(seed) {
    let state = seed;
    const next = () => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return state / 2 ** 32;
    };
    const random = {chance: (share) => next() < share, below: (count) => Math.floor(next() * count)};
    random.pick = (list) => list[random.below(list.length)];
    return random;
}

class Values {
    constructor(document, random) {
        Object.assign(this, {document, random});
    }
    resolve(schema) {
        if (!schema.$ref) return schema;
        return schema.$ref.slice(2).split("/").reduce((value, name) => value[name], this.document);
    }
    /// One that the schema allows.
    of(schema, depth = 0) {
        const {random} = this;
        const it = this.resolve(schema);
        if (it.anyOf) return this.of(random.pick(it.anyOf), depth + 1);
        if (it.enum) return random.pick(it.enum);
        const type = Array.isArray(it.type) ? random.pick(it.type) : it.type;
        switch (type) {
            case "null": return null;
            case "boolean": return random.chance(0.5);
            case "integer": return this.integer(it);
            case "number": return random.pick([0, 0.5, -1.25, 1, 1.5].filter((each) => each >= (it.minimum ?? -2) && each <= (it.maximum ?? 2)));
            case "string": return this.text(it);
            case "array": return this.list(it, depth);
            case "object": return this.object(it, depth);
            default: return random.pick([null, 1, "x", [true], {a: {b: []}}]);
        }
    }
    integer({minimum = -(2 ** 40), maximum = 2 ** 40}) {
        return this.random.pick([minimum, maximum, minimum + this.random.below(Math.min(1000, maximum - minimum + 1))]);
    }
    text({format, minLength = 0, maxLength = 12}) {
        if (format === "email") return this.random.pick(["ada@example.org", "b.c+d@sub.example.com"]);
        const size = this.random.pick([minLength, maxLength, minLength + this.random.below(maxLength - minLength + 1)]);
        return Array.from({length: size}, () => this.random.pick(["a", "Z", "\u00e4", "\u{1f376}", '"', "\\", " ", "<"])).join("");
    }
    list({items, minItems = 0, maxItems = 3, uniqueItems}, depth) {
        const size = depth > 4 ? minItems : minItems + this.random.below(maxItems - minItems + 1);
        const list = Array.from({length: size}, () => this.of(items, depth + 1));
        if (!uniqueItems) return list;
        return [...new Map(list.map((each) => [JSON.stringify(each), each])).values()];
    }
    object({properties = {}, required = [], additionalProperties, maxProperties = 3}, depth) {
        const object = {};
        for (const [name, schema] of Object.entries(properties)) {
            if (required.includes(name) || (depth < 4 && this.random.chance(0.5))) object[name] = this.of(schema, depth + 1);
        }
        const others = additionalProperties && depth < 4 ? this.random.below(maxProperties + 1) : 0;
        for (let i = 0; i < others; ++i) object[`key ${i}`] = this.of(additionalProperties, depth + 1);
        return object;
    }
    /// The same with something changed, somewhere; the schema may still allow it.
    changed(value) {
        const {random} = this;
        const keys = value !== null && typeof value === "object" ? Object.keys(value) : [];
        if (keys.length === 0 || random.chance(0.2))
            return random.pick([null, true, 0, 1.5, -1, 7, 300, 70000, 2 ** 40, "", "red", "x".repeat(120), [], {}, ["a", "a"], [1, 2, 3, 4, 5]]);
        const copy = Array.isArray(value) ? [...value] : {...value};
        const key = random.pick(keys);
        if (!Array.isArray(value) && random.chance(0.1)) copy["more"] = 1;
        else if (!Array.isArray(value) && random.chance(0.3)) delete copy[key];
        else copy[key] = this.changed(copy[key]);
        return copy;
    }
}

// --- Answers ---

async function tryAnswers(url, document) {
    const {default: Ajv} = load("ajv/dist/2020.js");
    const {default: addFormats} = load("ajv-formats");
    const ajv = new Ajv({strict: false, allErrors: true});
    addFormats(ajv);
    ajv.addSchema(document, "document");
    const compiled = new Map();
    /// The validator of the schema at a place in the document.
    const schemaAt = (...names) => {
        const pointer = names.map((name) => encodeURIComponent(name.replaceAll("~", "~0").replaceAll("/", "~1"))).join("/");
        if (!compiled.has(pointer)) compiled.set(pointer, ajv.compile({$ref: `document#/${pointer}`}));
        return compiled.get(pointer);
    };
    const random = makeRandom(19);
    const values = new Values(document, random);
    const seen = new Map();
    const wrong = [];
    const complain = (...what) => wrong.push(what.join(" "));
    let answers = 0;

    /// What the document says of an answer, as a validator.
    function schemaOf(place, status, type) {
        const responses = document.paths[place[1]][place[2]].responses;
        const key = responses[status] ? String(status) : "default";
        const {$ref} = responses[key];
        const steps = $ref ? $ref.slice(2).split("/") : [...place, "responses", key];
        const content = steps.reduce((value, name) => value[name], document).content ?? {};
        if (!content[type]) return null;
        return schemaAt(...steps, "content", type, "schema");
    }

    async function tryRequest(place, operation) {
        const [, template, method] = place;
        const valid = random.chance(0.5);
        let mayRefuse = false; // what is sent is not what the document says, or may not be
        let mustRefuse = false;
        let target = template;
        const query = new URLSearchParams();
        for (const {name, in: where, required, schema} of operation.parameters ?? []) {
            let value = values.of(schema);
            if (where === "path") {
                if (value === "") value = "word";
                if (schema.type !== "string" && random.chance(0.1)) [value, mustRefuse] = ["nothing", true];
                else if (schema.type === "integer" && random.chance(0.5)) value = random.below(200);
                target = target.replace(`{${name}}`, encodeURIComponent(value));
                continue;
            }
            if (!required && random.chance(0.5)) continue;
            if (!valid && random.chance(0.3)) [value, mayRefuse] = [values.changed(value), true];
            for (const each of Array.isArray(value) ? value : [value]) query.append(name, each);
        }
        if (query.size) target += `?${query}`;
        const request = {method: method.toUpperCase(), headers: {}};
        const [type, media] = random.pick(Object.entries(operation.requestBody?.content ?? {none: null}));
        if (type === "application/json") {
            const value = valid ? values.of(media.schema) : values.changed(values.of(media.schema));
            const fits = schemaAt(...place, "requestBody", "content", type, "schema")(value);
            if (valid && !fits) complain("the generator is wrong:", JSON.stringify(value));
            mustRefuse ||= !fits;
            request.body = JSON.stringify(value);
            request.headers["Content-Type"] = type;
            if (random.chance(0.05)) [request.body, mustRefuse] = [`${request.body.slice(0, -1)}?`, true];
            if (random.chance(0.05)) [request.headers["Content-Type"], mustRefuse] = ["text/html", true];
            if (template === "/small") mayRefuse ||= Buffer.byteLength(request.body) > 100;
        } else if (type !== "none") {
            let value = values.of(media.schema);
            if (!valid) [value, mayRefuse] = [values.changed(value) ?? {}, true];
            const form = type === "multipart/form-data" ? new FormData() : new URLSearchParams();
            for (const [name, each] of Object.entries(value)) form.append(name, each);
            form.append("more", "than is asked for");
            request.body = form;
            if (random.chance(0.1)) [request.body, mustRefuse] = ["{}", true];
        }
        const answer = await fetch(url + target, request);
        const text = await answer.text();
        const what = `${request.method} ${target} ${type === "none" ? "" : request.body} -> ${answer.status} ${text}`;
        ++answers;
        seen.set(answer.status, (seen.get(answer.status) ?? 0) + 1);
        const isRefused = [400, 413, 415, 422].includes(answer.status);
        if (answer.status >= 500) complain("a failure:", what);
        if (mustRefuse && !isRefused) complain("the schema refuses it, the server does not:", what);
        if (!mustRefuse && !mayRefuse && isRefused) complain("the schema allows it, the server does not:", what);
        const contentType = (answer.headers.get("Content-Type") ?? "").split(";")[0];
        if (text === "") return;
        const check = schemaOf(place, answer.status, contentType);
        if (check === null) return complain("the document does not know this answer:", contentType, what);
        if (!check(contentType === "text/plain" ? text : JSON.parse(text))) complain(JSON.stringify(check.errors), what);
    }

    while (answers < 800) {
        for (const [template, methods] of Object.entries(document.paths)) {
            for (const [method, operation] of Object.entries(methods)) {
                const count = operation.requestBody ? 4 : 1;
                for (let i = 0; i < count; ++i) await tryRequest(["paths", template, method], operation);
            }
        }
    }
    report(`${answers} answers are as the document says`, wrong.length === 0, `${wrong.length} are not, such as ${wrong.slice(0, 3).join("\n")}`);
    for (const status of [200, 201, 204, 400, 404, 409, 413, 415, 422])
        report(`${seen.get(status) ?? 0} of them are ${status}`, seen.has(status), "none is");
}

const directory = await mkdtemp(path.join(os.tmpdir(), "sake-openapi-"));
const child = spawn(program, ["127.0.0.1:0"], {stdio: ["ignore", "ignore", "pipe"]});
const timer = setTimeout(() => child.kill("SIGKILL"), 4 * patience);
try {
    let said = "";
    await new Promise((resolve, reject) => {
        child.on("exit", () => reject(new Error(`the program has ended: ${said}`)));
        child.stderr.on("data", (bytes) => {
            said += bytes;
            if (/127\.0\.0\.1:\d+\//.test(said)) resolve();
        });
    });
    const url = `http://127.0.0.1:${/127\.0\.0\.1:(\d+)\//.exec(said)[1]}`;
    const document = await (await fetch(`${url}/openapi.json`)).text();
    await tryAnswers(url, JSON.parse(document));
    await tryTools(document, directory);
} finally {
    clearTimeout(timer);
    if (child.exitCode === null) {
        const ended = once(child, "exit");
        child.kill("SIGTERM");
        await ended;
    }
    await rm(directory, {recursive: true});
}
process.exit(failures ? 1 : 0);
