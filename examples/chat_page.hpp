// The page of the chat: HTML, style, script and icon. Texts of visitors reach the page by textContent alone,
// so they are never markup.
#pragma once

#include <string_view>

inline constexpr std::string_view page = R"(<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1, interactive-widget=resizes-content">
<title>Chat</title>
<link rel="icon" href="icon.svg">
<link rel="stylesheet" href="chat.css">
<script type="module" src="chat.js"></script>
<main>
<form id="door" class="card">
<h1>Chat</h1>
<label>Your name <input id="name" required maxlength="20" autocomplete="nickname"></label>
<label>Room <input id="room" required maxlength="20" value="kitchen"></label>
<button>Join</button>
</form>
<section id="chat" hidden>
<header><h1 id="title" dir="auto"></h1><p id="state" role="status"></p>
<button id="again" type="button" class="quiet" hidden>Try now</button>
<button id="leave" type="button" class="quiet">Leave</button></header>
<aside><h2>Here</h2><ul id="people"></ul></aside>
<ol id="log" role="log" aria-label="Messages" tabindex="0"></ol>
<form id="say">
<input id="text" aria-label="Message" placeholder="Write a message" required autocomplete="off">
<button id="send">Send</button>
</form>
</section>
</main>
</html>
)";

inline constexpr std::string_view style =
    R"(:root { color-scheme: light dark; --accent: #0b6e63; --on-accent: #fff;
  --back: #eef2f1; --card: #fff; --mine: #d9efeb; --line: #d3dcda; --edge: #7d8d8a; --text: #17211f; --quiet: #53625f; }
@media (prefers-color-scheme: dark) { :root { --accent: #6fd3c4; --on-accent: #04231f;
  --back: #111716; --card: #1b2322; --mine: #15403a; --line: #2d3a38; --edge: #7c8f8c; --text: #e4ecea; --quiet: #a3b3b0; } }
* { box-sizing: border-box; }
[hidden] { display: none !important; }
body { margin: 0; overflow-wrap: anywhere; font: 1rem/1.5 system-ui, sans-serif;
  color: var(--text); background: var(--back); }
h1, h2, p, ol, ul { margin: 0; padding: 0; list-style: none; }
h1 { font-size: 1.25rem; line-height: 1.2; }
h2, label, time, .note { font-size: 0.875rem; font-weight: normal; color: var(--quiet); }
input { width: 100%; padding: 0.55rem 0.75rem; font: inherit; color: var(--text); background: var(--back);
  border: 1px solid var(--edge); border-radius: 8px; }
::placeholder { color: var(--quiet); opacity: 1; }
button { padding: 0.5rem 1.25rem; font: inherit; white-space: nowrap; color: var(--on-accent); background: var(--accent);
  border: 1px solid var(--accent); border-radius: 8px; cursor: pointer; }
button.quiet { padding: 0.2rem 0.8rem; font-size: 0.875rem; color: var(--accent); background: none; }
button:disabled { color: var(--quiet); background: none; border-color: var(--line); cursor: default; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.card { max-width: 24rem; margin: 12vh auto 0; padding: 1.5rem; border: 1px solid var(--line);
  border-radius: 12px; background: var(--card); }
.card label { display: block; margin: 1rem 0; }
.card input { margin-top: 0.35rem; }
aside h2 { white-space: nowrap; }
@media (max-width: 26rem) { .card { margin: 1rem; } }
#chat { display: grid; height: 100vh; height: 100dvh; max-width: 64rem; margin: 0 auto;
  grid-template: auto 1fr auto / 1fr 11rem; }
header { display: flex; grid-column: 1 / 3; gap: 0.75rem; align-items: center; padding: 0.75rem 1rem; }
#state { flex: 1; font-size: 0.875rem; color: var(--quiet); }
aside { grid-area: 2 / 2 / 4 / 3; padding: 0 1rem 1rem 0; overflow: auto; }
#people li { padding: 0.15rem 0; }
#log { display: flex; flex-direction: column; gap: 0.5rem; padding: 0.5rem 1rem; overflow: auto; }
#log > :first-child { margin-top: auto; }
.line { align-self: flex-start; max-width: min(85%, 40rem); padding: 0.5rem 0.85rem; border: 1px solid var(--line);
  border-radius: 12px; background: var(--card); }
.line b { font-size: 0.875rem; }
.line time { margin-left: 0.5rem; }
.line p { white-space: pre-wrap; }
.mine { align-self: flex-end; background: var(--mine); }
.note { align-self: center; text-align: center; }
#say { display: flex; gap: 0.5rem; padding: 0.75rem 1rem 1rem; }
#say input { background: var(--card); }
@media (max-width: 40rem) {
  #chat { grid-template: auto auto 1fr auto / 1fr; }
  header { grid-column: 1; flex-wrap: wrap; }
  #title { flex: 1; }
  #state { flex-basis: 100%; order: 1; }
  aside { grid-area: 2 / 1 / 3 / 2; display: flex; gap: 0.75rem; padding: 0 1rem 0.5rem; max-height: 5rem;
    border-bottom: 1px solid var(--line); }
  #people { display: flex; flex-wrap: wrap; gap: 0 0.75rem; }
  aside h2, #people li { padding: 0; font-size: 0.875rem; line-height: 1.5; }
}
)";

// The server may go away at any time, and come back: the page comes again by itself, waits longer from time
// to time, and knows by the ids which lines it shows already.
inline constexpr std::string_view script = R"(const find = (id) => document.getElementById(id);
const [log, state, text] = [find("log"), find("state"), find("text")];
const first_pause = 500, longest_pause = 30_000;  // milliseconds
let room, name, socket, timer, pause, last_id, present;

function element(tag, content, attributes = {}) {
    const made = document.createElement(tag);
    made.textContent = content;
    return Object.assign(made, attributes);
}
function show(item) {
    const is_at_end = log.scrollHeight - log.scrollTop - log.clientHeight < 50;
    log.append(item);
    if (log.children.length > 500) log.firstChild.remove();
    if (is_at_end) log.scrollTop = log.scrollHeight;
}
const note = (words) => show(element("li", words, {className: "note", dir: "auto"}));

function show_line(line) {
    if (line.id <= last_id) return;
    last_id = line.id;
    const time = new Date(line.id / 1000), is_mine = line.name === name;
    const item = element("li", "", {className: is_mine ? "line mine" : "line"});
    const clock = time.toLocaleTimeString([], {hour: "2-digit", minute: "2-digit"});
    item.append(element("b", line.name, {dir: "auto"}), element("time", clock, {dateTime: time.toISOString()}),
        element("p", line.text, {dir: "auto"}));
    show(item);
}
function show_people(here) {
    const before = present ?? new Set(here);
    present = new Set(here);
    for (const each of present) if (!before.has(each)) note(`${each} joined`);
    for (const each of before) if (!present.has(each)) note(`${each} left`);
    find("people").replaceChildren(...[...present].map((each) => element("li", each, {dir: "auto"})));
}

function disconnect() {
    clearTimeout(timer);
    timer = present = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close(1000);
}
function connect() {
    disconnect();
    say_state("Connecting");
    const path = `/rooms/${encodeURIComponent(room)}?name=${encodeURIComponent(name)}`;
    socket = new WebSocket(`${location.protocol.replace("http", "ws")}//${location.host}${path}`);
    socket.onopen = () => say_state("Connected", true);
    socket.onclose = closed;
    socket.onmessage = ({data}) => {
        pause = first_pause;
        const message = JSON.parse(data);
        if (message.here) show_people(message.here);
        else if (message.warning) note(message.warning);
        else show_line(message);
    };
}
function closed({code, reason}) {
    present = null;
    const why = reason ? `Closed: ${reason}.` : "There is no connection.";
    if (code === 1003 || code === 1008 || code === 1009) return say_state(why);  // it was this page's fault
    const wait = pause * (0.5 + Math.random() / 2);  // so that not all pages come at the same moment
    pause = Math.min(2 * pause, longest_pause);
    say_state(`${why} Trying again in ${Math.ceil(wait / 1000)} s.`);
    timer = setTimeout(connect, wait);
}
function say_state(words, is_open = false) {
    state.textContent = words;
    find("send").disabled = !is_open;
    find("again").hidden = is_open || words === "Connecting";
}

function join() {
    [name, room] = [find("name").value.trim(), find("room").value.trim()];
    if (!name || !room) return;
    localStorage.setItem("name", name);
    history.replaceState(null, "", "#" + encodeURIComponent(room));
    [pause, last_id, present] = [first_pause, 0, null];
    log.replaceChildren();
    find("people").replaceChildren();
    find("title").textContent = document.title = room;
    [find("door").hidden, find("chat").hidden] = [true, false];
    text.focus();
    connect();
}
function leave() {
    disconnect();
    document.title = "Chat";
    [find("door").hidden, find("chat").hidden] = [false, true];
    fill_in();
}
function fill_in() {
    find("name").value = localStorage.getItem("name") ?? "";
    try {
        find("room").value = decodeURIComponent(location.hash.slice(1)).slice(0, 20) || "kitchen";
    } catch {
        // An address that nobody has made here.
    }
    find(find("name").value ? "room" : "name").focus();
}

find("door").onsubmit = (event) => {
    event.preventDefault();
    join();
};
find("say").onsubmit = (event) => {
    event.preventDefault();
    if (socket.readyState !== WebSocket.OPEN || !text.value.trim()) return;
    socket.send(text.value);
    text.value = "";
    log.scrollTop = log.scrollHeight;
};
text.oninput = () => {
    const bytes = new TextEncoder().encode(text.value).length;
    text.setCustomValidity(bytes > 2048 ? "A message has at most 2,048 bytes." : "");
};
find("again").onclick = connect;
find("leave").onclick = leave;
addEventListener("online", () => timer && connect());
addEventListener("hashchange", leave);
// Browsers may keep a page that was left, with its connection, for the way back.
addEventListener("pagehide", disconnect);
addEventListener("pageshow", ({persisted}) => persisted && !find("chat").hidden && connect());
fill_in();
)";

inline constexpr std::string_view icon =
    R"(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path fill="#0b6e63"
d="M2 2h12v9H7l-3 3v-3H2z"/><path stroke="#fff" d="M4.5 5h7m-7 3h5"/></svg>)";
