// Forms of npm's form-data and of undici, sent to the mirror of forms.cpp, and what busboy makes of the same bytes.
//
//   node forms.mjs MODULES PORT      MODULES is the directory that has node_modules
//
// Prints "ok NAME" or "FAIL NAME: WHY" for each thing that it tries.

import { createRequire } from "node:module";
import http from "node:http";
import path from "node:path";
import { Readable } from "node:stream";

const [modules, port] = process.argv.slice(2);
const load = createRequire(path.resolve(modules, "package.json"));
const FormData = load("form-data");
const undici = load("undici");
const busboy = load("busboy");
const paths = ["/whole", "/worker", "/streamed"];
const origin = `http://127.0.0.1:${port}`;

function check(name, seen, expected) {
  const [left, right] = [seen, expected].map((value) => JSON.stringify(value));
  console.log(left === right ? `ok ${name}` : `FAIL ${name}: ${left.slice(0, 600)} is not ${right.slice(0, 600)}`);
}

const text = (base64) => Buffer.from(base64, "base64").toString();

/** The answer of the mirror in the form of what is expected: {fields: [[name, value]], files: [[field, filename, type, bytes]]}. */
function readable(answer) {
  const mirrored = JSON.parse(answer);
  if (!mirrored.fields) return mirrored;
  return {
    fields: mirrored.fields.map(([name, value]) => [text(name), text(value)]),
    files: mirrored.files.map((file) => [text(file.field), text(file.filename), text(file.type), file.bytes]),
  };
}

function post(where, headers, body) {
  return new Promise((resolve, reject) => {
    const request = http.request(origin + where, { method: "POST", headers }, (response) => {
      const pieces = [];
      response.on("data", (piece) => pieces.push(piece));
      response.on("end", () => resolve(readable(Buffer.concat(pieces).toString())));
    });
    request.on("error", reject);
    request.end(body);
  });
}

// busboy leaves the escapes of browsers as they are.
const unescaped = (name) => name?.replaceAll("%22", '"').replaceAll("%0D", "\r").replaceAll("%0A", "\n") ?? "";

function ofBusboy(contentType, body) {
  return new Promise((resolve, reject) => {
    const seen = { fields: [], files: [] };
    const parser = busboy({ headers: { "content-type": contentType }, defParamCharset: "utf8", preservePath: true });
    parser.on("field", (name, value) => seen.fields.push([unescaped(name), value]));
    parser.on("file", (name, stream, info) => {
      const pieces = [];
      stream.on("data", (piece) => pieces.push(piece));
      stream.on("end", () => {
        const bytes = Buffer.concat(pieces).toString("base64");
        seen.files.push([unescaped(name), unescaped(info.filename), info.mimeType, bytes]);
      });
    });
    parser.on("close", () => resolve(seen));
    parser.on("error", reject);
    Readable.from([body]).pipe(parser);
  });
}

async function checkBytes(name, contentType, body, expected) {
  for (const where of paths) {
    check(`${name}: ${where}`, await post(where, { "content-type": contentType, "content-length": body.length }, body), expected);
  }
  check(`${name}: busboy`, await ofBusboy(contentType, body), expected);
}

const all = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
const large = Buffer.alloc(300_000, "\r\n--x\r\n----");
const small = Buffer.from("bytes");
const cases = {
  "fields": { fields: [["a", "1"], ["b", ""], ["a", "2"]], files: [] },
  "UTF-8": { fields: [["\u00fcn\u00efc\u00f6de \u{1f376}", "\u65e5\u672c\u9152 \u{1f376}"]], files: [["\u00e9", "\u00e9t\u00e9 \u{1f376}.txt", "text/plain", small]] },
  "line ends in a value": { fields: [["a", "1\r\n2\r\n\r\n--3--\r\n"]], files: [] },
  "a file": { fields: [["a", "1"]], files: [["f", "x.bin", "application/octet-stream", all]] },
  "a large file": { fields: [], files: [["f", "x.bin", "application/octet-stream", large]] },
  "an empty file": { fields: [], files: [["f", "empty", "text/plain", Buffer.alloc(0)]] },
  "many": {
    fields: Array.from({ length: 300 }, (_, i) => [`n${i}`, `v${i}`]),
    files: Array.from({ length: 50 }, (_, i) => ["f", `f${i}`, "text/plain", small]),
  },
};
const inBase64 = (form) => ({ ...form, files: form.files.map(([...file]) => [...file.slice(0, 3), file[3].toString("base64")]) });

for (const [name, form] of Object.entries(cases)) {
  const expected = inBase64(form);

  const made = new FormData();
  for (const [key, value] of form.fields) made.append(key, value);
  for (const [key, filename, contentType, bytes] of form.files) made.append(key, bytes, { filename, contentType });
  await checkBytes(`form-data: ${name}`, made.getHeaders()["content-type"], form.fields.length + form.files.length ? made.getBuffer() : Buffer.alloc(0), expected);

  const standard = new undici.FormData();
  for (const [key, value] of form.fields) standard.append(key, value);
  for (const [key, filename, type, bytes] of form.files) standard.append(key, new Blob([bytes], { type }), filename);
  const request = new undici.Request(origin, { method: "POST", body: standard });
  await checkBytes(`undici: ${name}`, request.headers.get("content-type"), Buffer.from(await request.arrayBuffer()), expected);
  for (const where of paths) {  // as it sends it itself, in pieces of its own
    const response = await undici.fetch(origin + where, { method: "POST", body: standard });
    check(`undici: ${name}: ${where}, fetched`, readable(await response.text()), expected);
  }
}

// What browsers escape, by the same rules as undici.
const hostile = new undici.FormData();
hostile.append('a"b\r\nc', "1");
hostile.append("f", new Blob([small], { type: "text/plain" }), 'q"r\\s\r\nt; filename="u".txt');
const escaped = new undici.Request(origin, { method: "POST", body: hostile });
const escapedBody = Buffer.from(await escaped.arrayBuffer());
for (const where of paths) {
  const headers = { "content-type": escaped.headers.get("content-type"), "content-length": escapedBody.length };
  const seen = await post(where, headers, escapedBody);
  check(`undici: quotes and line ends in names: ${where}`, seen, {
    fields: [['a"b\r\nc', "1"]],
    files: [["f", 'q"r\\s\r\nt; filename="u".txt', "text/plain", small.toString("base64")]],
  });
}

const pairs = new URLSearchParams([["a", "1"], ["a b&c=d", "\u00e9+%~*"], ["a", "\u{1f376}\r\n"]]);
const encoded = Buffer.from(pairs.toString());
await checkBytes("URLSearchParams", "application/x-www-form-urlencoded;charset=UTF-8", encoded, { fields: [...pairs], files: [] });
const bare = "=&&a&=1&b==";  // of which busboy leaves out what has no name
for (const where of paths) {
  const headers = { "content-type": "application/x-www-form-urlencoded", "content-length": bare.length };
  check(`pairs without names: ${where}`, await post(where, headers, bare), { fields: [...new URLSearchParams(bare)], files: [] });
}
undici.getGlobalDispatcher().close();
