// Tokens of npm's jose, verified by middleware::jwt, and tokens of sign_jwt, verified by jose; then a table of tokens that
// nobody may take, and many that are a little damaged: what Sake lets pass, jose lets pass, too.
//
//   node jwt.mjs PROGRAM MODULES      the built jwt.cpp, and a directory with node_modules

import {spawn} from "node:child_process";
import crypto from "node:crypto";
import {once} from "node:events";
import {mkdtemp, rm, writeFile} from "node:fs/promises";
import {createRequire} from "node:module";
import os from "node:os";
import path from "node:path";
import {pathToFileURL} from "node:url";

const [program, modules] = process.argv.slice(2);
const load = createRequire(path.resolve(modules) + "/");
const jose = await import(pathToFileURL(load.resolve("jose")));
const patience = 120_000;
const issuer = "https://login.example";
const audience = "notes";
let failures = 0;

const report = (name, holds, otherwise = "") => {
    if (!holds) ++failures;
    console.log(holds ? `ok ${name}` : `FAIL ${name}: ${String(otherwise).slice(0, 1500)}`);
};
const base64url = (value) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
const now = () => Math.floor(Date.now() / 1000);
const good = () => ({sub: "ada", iss: issuer, aud: audience, iat: now() - 10, nbf: now() - 10, exp: now() + 600});

// --- Keys: a pair of each algorithm, its name the kid ---

const algorithms = ["HS256", "RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"];
const keys = new Map();
for (const alg of algorithms) {
    if (alg === "HS256") {
        const secret = crypto.randomBytes(48);
        const jwk = {kty: "oct", k: secret.toString("base64url"), alg, kid: alg};
        keys.set(alg, {signer: secret, verifier: secret, privateJwk: jwk, publicJwk: jwk});
        continue;
    }
    const {publicKey, privateKey} = await jose.generateKeyPair(alg, {extractable: true, crv: "Ed25519"});
    keys.set(alg, {
        signer: privateKey,
        verifier: publicKey,
        privateJwk: {...await jose.exportJWK(privateKey), alg, kid: alg},
        publicJwk: {...await jose.exportJWK(publicKey), alg, kid: alg, use: "sig"},
        pem: await jose.exportSPKI(publicKey),
    });
}
const jwks = {keys: [...keys.values()].map((key) => key.publicJwk)};

function sign(alg, claims, header = {}, key = keys.get(alg).signer) {
    return new jose.SignJWT(claims).setProtectedHeader({alg, kid: alg, ...header}).sign(key);
}

/// Whether jose takes it, with the keys as they are given to Sake.
async function joseTakes(token) {
    try {
        const {alg} = jose.decodeProtectedHeader(token);
        await jose.jwtVerify(token, keys.get(alg).verifier,
            {issuer, audience, algorithms: [alg], requiredClaims: ["exp"]});
        return true;
    } catch {
        return false;
    }
}

// --- Trials ---

async function tryBothWays(url) {
    for (const alg of algorithms) {
        for (const place of alg === "HS256" ? ["jwk"] : ["jwk", "pem"]) {
            const token = await sign(alg, {...good(), roles: ["a", "ä"]});
            const answer = await fetch(`${url}/${place}`, {headers: {Authorization: `Bearer ${token}`}});
            const body = await answer.text();
            report(`Sake verifies ${alg} of jose (${place})`,
                answer.status === 200 && JSON.parse(body).roles[1] === "ä", `${answer.status} ${body}`);
        }
        const claims = {...good(), roles: ["a", "ä"]};
        const headers = {"Content-Type": "application/json"};
        const answer = await fetch(`${url}/sign/${alg}`, {method: "POST", headers, body: JSON.stringify(claims)});
        const token = await answer.text();
        try {
            const key = alg === "HS256" ? keys.get(alg).verifier : jose.createLocalJWKSet(jwks);  // no secrets in those
            const {payload, protectedHeader} = await jose.jwtVerify(token, key, {issuer, audience, algorithms: [alg]});
            report(`jose verifies ${alg} of Sake`,
                payload.roles[1] === "ä" && protectedHeader.kid === alg && protectedHeader.typ === "JWT", token);
        } catch (error) {
            report(`jose verifies ${alg} of Sake`, false, `${error.message} ${token}`);
        }
    }
}

async function statusOf(url, token, place = "jwk") {
    const answer = await fetch(`${url}/${place}`, {headers: {Authorization: `Bearer ${token}`}});
    await answer.arrayBuffer();
    return answer.status;
}

async function tryHostile(url) {
    const evil = await jose.generateKeyPair("RS256", {extractable: true});
    const evilJwk = await jose.exportJWK(evil.publicKey);
    const head = (header) => `${base64url(header)}.${base64url(good())}`;
    const hmac = (text, secret) => `${text}.${crypto.createHmac("sha256", secret).update(text).digest("base64url")}`;
    const rsa = await jose.exportPKCS8(keys.get("RS256").signer);
    const ec = await jose.exportPKCS8(keys.get("ES256").signer);
    const sha256 = (text, key) => crypto.sign("sha256", Buffer.from(text), key).toString("base64url");
    const rs256 = await sign("RS256", good());
    const rows = {
        "alg none": new jose.UnsecuredJWT(good()).encode(),
        "alg none, and a signature": `${head({alg: "none", kid: "RS256"})}.${rs256.split(".")[2]}`,
        "the header of another token": `${base64url({alg: "HS256", kid: "HS256"})}.${rs256.split(".").slice(1).join(".")}`,
        "HS256 with the public PEM": hmac(head({alg: "HS256", kid: "RS256"}), keys.get("RS256").pem),
        "HS256 with the public JWK": hmac(head({alg: "HS256"}), JSON.stringify(keys.get("RS256").publicJwk)),
        "HS256 with the modulus": hmac(head({alg: "HS256"}), Buffer.from(keys.get("RS256").publicJwk.n, "base64url")),
        "HS256 with nothing": hmac(head({alg: "HS256", kid: "HS256"}), ""),
        "HS256 with the id": hmac(head({alg: "HS256", kid: "HS256"}), "HS256"),
        "a key of the token's own (jwk)": await sign("RS256", good(), {jwk: evilJwk}, evil.privateKey),
        "a place for keys (jku)": await sign("RS256", good(), {jku: `${url}/keys`}, evil.privateKey),
        "a certificate (x5c)": await sign("RS256", good(), {x5c: ["MIIB"]}, evil.privateKey),
        "another key with the same kid": await sign("RS256", good(), {}, evil.privateKey),
        "RS256 under the kid of PS256": await sign("RS256", good(), {kid: "PS256"}),
        "RS384 as RS256": await sign("RS384", good(), {kid: "RS256"}),
        "PS256, said to be RS256": `${head({alg: "RS256"})}.${crypto.sign("sha256", Buffer.from(head({alg: "RS256"})),
            {key: rsa, padding: crypto.constants.RSA_PKCS1_PSS_PADDING, saltLength: 32}).toString("base64url")}`,
        "RS256, said to be PS256": `${head({alg: "PS256"})}.${sha256(head({alg: "PS256"}), rsa)}`,
        "ES256 as ASN.1": `${head({alg: "ES256"})}.${sha256(head({alg: "ES256"}), ec)}`,
        "ES256 of zeros": `${head({alg: "ES256"})}.${Buffer.alloc(64).toString("base64url")}`,
        "ES384 of zeros": `${head({alg: "ES384"})}.${Buffer.alloc(96).toString("base64url")}`,
        "EdDSA of zeros": `${head({alg: "EdDSA"})}.${Buffer.alloc(64).toString("base64url")}`,
        "expired": await sign("ES256", {...good(), exp: now() - 1}),
        "no exp": await sign("ES256", {...good(), exp: undefined}),
        "exp as text": hmacOf({...good(), exp: String(now() + 600)}),
        "not yet": await sign("ES256", {...good(), nbf: now() + 600}),
        "from the future": await sign("ES256", {...good(), iat: now() + 600}),
        "another issuer": await sign("ES256", {...good(), iss: "https://evil.example"}),
        "no issuer": await sign("ES256", {...good(), iss: undefined}),
        "another audience": await sign("ES256", {...good(), aud: "mail"}),
        "other audiences": await sign("ES256", {...good(), aud: ["mail", "notes2"]}),
        "no audience": await sign("ES256", {...good(), aud: undefined}),
        "crit": await new jose.SignJWT(good()).setProtectedHeader({alg: "ES256", x: 1, crit: ["x"]})
            .sign(keys.get("ES256").signer, {crit: {x: true}}),
        "a JWE": await new jose.EncryptJWT(good()).setProtectedHeader({alg: "dir", enc: "A256GCM"})
            .encrypt(crypto.randomBytes(32)),
        "an unknown kid": await sign("ES256", good(), {kid: "../../dev/null"}),
    };
    function hmacOf(claims) {
        const text = `${base64url({alg: "HS256", kid: "HS256"})}.${base64url(claims)}`;
        return hmac(text, keys.get("HS256").signer);
    }
    for (const [name, token] of Object.entries(rows)) {
        const status = await statusOf(url, token);
        report(`refused: ${name}`, status === 401, `${status}: ${token}`);
    }
    report("not refused: the audience among others",
        await statusOf(url, await sign("ES256", {...good(), aud: ["mail", "notes"]})) === 200);
    report("not refused: times with a fraction", await statusOf(url, hmacOf({...good(), exp: now() + 600.5})) === 200);
}

/// The same numbers in each run.
function makeRandom(seed) {
    return (below) => {
        seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
        return seed % 65521 % below;
    };
}

async function tryDamaged(url) {
    const random = makeRandom(20);
    const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
    let count = 0;
    const wrong = [];
    for (const alg of ["HS256", "RS256", "PS256", "ES256", "EdDSA"]) {
        const token = await sign(alg, good());
        for (let i = 0; i < 200; ++i) {
            // Half of them at the end, where a signature has bits to spare.
            const at = i % 2 ? token.length - 1 - random(3) : random(token.length);
            const letter = letters[random(letters.length)];
            const tail = token.slice(at + (random(8) ? 1 : 0));
            const damaged = token.slice(0, at) + letter + tail;
            if (damaged === token) continue;
            ++count;
            const status = await statusOf(url, damaged);
            if (status !== 401 && !(status === 200 && await joseTakes(damaged))) wrong.push(`${status}: ${damaged}`);
        }
    }
    report(`of ${count} damaged tokens, Sake takes none that jose refuses`, wrong.length === 0, wrong[0]);
}

const directory = await mkdtemp(path.join(os.tmpdir(), "sake-jwt-"));
const write = async (name, text) => {
    await writeFile(path.join(directory, name), text);
    return path.join(directory, name);
};
const files = [await write("public.json", JSON.stringify(jwks)),
    await write("private.json", JSON.stringify({keys: [...keys.values()].map((key) => key.privateJwk)}))];
for (const [alg, key] of keys) {
    if (key.pem) files.push(alg, await write(`${alg}.pem`, key.pem));
}
const child = spawn(program, ["127.0.0.1:0", ...files], {stdio: ["ignore", "ignore", "pipe"]});
const timer = setTimeout(() => child.kill("SIGKILL"), patience);
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
    await tryBothWays(url);
    await tryHostile(url);
    await tryDamaged(url);
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
