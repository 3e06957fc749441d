// The pages of the guestbook: HTML, style, script and icon. Every text that a visitor has sent passes through
// escaped().
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

inline constexpr std::size_t entries_per_page = 20;

struct Entry {
    std::int64_t id;
    std::string name, text, time, picture;  // the picture is the name of a file, or empty
};

inline std::string escaped(std::string_view text) {
    constexpr std::array names{"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"};
    std::string safe;
    for (const char c : text) {
        const std::size_t place = std::string_view("&<>\"'").find(c);
        safe += place == std::string_view::npos ? std::string(1, c) : names[place];
    }
    return safe;
}

inline std::string page(const std::string& content) {
    std::string html = R"(<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Guestbook</title>
<link rel="icon" href="/assets/icon.svg">
<link rel="stylesheet" href="/assets/style.css">
<script type="module" src="/assets/live.js"></script>
<header><h1><a href="/">Guestbook</a></h1><a href="/moderator">Moderator</a></header>
<main>
)";
    return html + content + "</main>\n</html>\n";
}

inline constexpr const char* sign_form =
    R"(<form class="card" method="post" action="/entries" enctype="multipart/form-data">
<label>Your name <input name="name" required maxlength="60" autocomplete="name"></label>
<label>Your words <textarea name="text" required maxlength="2000" rows="4"></textarea></label>
<label>A picture, if you like, of 4 MB at most
<input type="file" name="picture" accept="image/png,image/jpeg,image/gif,image/webp"></label>
<button>Sign</button>
</form>
)";

inline constexpr const char* login_form = R"(<form class="card" method="post" action="/moderator/login">
<label>The password of the moderator
<input type="password" name="password" required autofocus autocomplete="current-password"></label>
<button>Log in</button>
</form>
)";

inline constexpr const char* moderator_menu = R"(<form class="card" method="post" action="/moderator/logout">
<p>You are logged in: each entry has a button that deletes it.</p>
<p>See how the server is doing: <a href="/_sake">the dashboard</a>.</p>
<button>Log out</button>
</form>
)";

inline constexpr const char* delete_button = "<button>Delete</button></form>\n";

inline std::string html_of(const Entry& entry, bool is_moderator) {
    const std::string id = std::to_string(entry.id), name = escaped(entry.name);
    std::string html = "<li class=\"card\" id=\"entry-" + id + "\">\n<h2 dir=\"auto\">" + name + "</h2>\n";
    html += "<time datetime=\"" + entry.time + "Z\">" + entry.time + " UTC</time>\n";
    html += "<p dir=\"auto\">" + escaped(entry.text) + "</p>\n";
    if (!entry.picture.empty())
        html += "<img src=\"/pictures/" + entry.picture + "\" alt=\"A picture from " + name + "\">\n";
    if (is_moderator)
        html += "<form method=\"post\" action=\"/moderator/delete/" + id + "\">" + delete_button;
    return html + "</li>\n";
}

inline std::string html_of(const std::vector<Entry>& entries, bool is_moderator) {
    std::string html = std::string(sign_form) + "<ul id=\"entries\">\n";
    if (entries.empty()) html += "<li>Nobody has signed yet.</li>\n";
    for (const Entry& entry : entries) html += html_of(entry, is_moderator);
    if (entries.size() == entries_per_page)
        html += "<li><a href=\"/?before=" + std::to_string(entries.back().id) + "\">Older entries</a></li>\n";
    return page(html + "</ul>\n");
}

inline constexpr std::string_view style =
    R"(:root { color-scheme: light dark; --accent: #9c2b2b; --on-accent: #fff;
  --back: #f4f0e8; --card: #fffdf8; --line: #e2dacb; --edge: #8d8371; --text: #26211a; --quiet: #6a6152; }
@media (prefers-color-scheme: dark) { :root { --accent: #f0a093; --on-accent: #2a0f0b;
  --back: #191715; --card: #221f1c; --line: #38332d; --edge: #8c8273; --text: #ece6dc; --quiet: #b0a697; } }
* { box-sizing: border-box; }
body { max-width: 42rem; margin: 0 auto; padding: 1rem 1rem 4rem; overflow-wrap: anywhere;
  font: 1rem/1.55 system-ui, sans-serif; color: var(--text); background: var(--back); }
header { display: flex; align-items: baseline; justify-content: space-between; margin: 1rem 0 1.5rem; }
h1, h2 { margin: 0; font: 600 2rem/1.2 Georgia, "Noto Serif", serif; }
h1 a { color: inherit; text-decoration: none; }
h2 { font-size: 1.15rem; }
a { color: var(--accent); }
ul { margin: 0; padding: 0; list-style: none; }
.card { margin-bottom: 1rem; padding: 1.1rem 1.25rem; border: 1px solid var(--line); border-radius: 12px;
  background: var(--card); }
.card:target { border-color: var(--accent); }
.card p { margin: 0.5rem 0 0; white-space: pre-wrap; }
.card img { display: block; max-width: 100%; max-height: 30rem; margin-top: 0.9rem; border-radius: 8px; }
time, label { font-size: 0.875rem; color: var(--quiet); }
label { display: block; margin-bottom: 0.9rem; }
input, textarea { display: block; width: 100%; margin-top: 0.25rem; padding: 0.5rem 0.65rem;
  font: inherit; font-size: 1rem; color: var(--text); background: var(--back);
  border: 1px solid var(--edge); border-radius: 8px; }
textarea { resize: vertical; }
input[type=file] { padding: 0.25rem 0; font-size: 0.875rem; background: none; border: 0; }
button { padding: 0.45rem 1.4rem; font: inherit; color: var(--on-accent); background: var(--accent);
  border: 1px solid var(--accent); border-radius: 8px; cursor: pointer; }
p + button, li button { margin-top: 0.9rem; }
li button, ::file-selector-button { padding: 0.1rem 0.7rem; font: inherit; font-size: 0.875rem;
  color: var(--accent); background: none; border: 1px solid var(--accent); border-radius: 8px; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
@media (prefers-reduced-motion: no-preference) { .new { animation: arrive 0.6s ease-out; } }
@keyframes arrive { from { opacity: 0; transform: translateY(-0.75rem); } }
)";

// An event says that the book has changed. The page then fetches the list anew, one request at a time, and
// not all browsers at the same moment.
inline constexpr std::string_view script = R"(let changes = 0;
async function refresh() {
    if (++changes > 1) return;
    for (let seen = 0; seen < changes;) {
        await new Promise((resolve) => setTimeout(resolve, 200 * Math.random()));
        seen = changes;
        const answer = await fetch(location.href).catch(() => null);
        const html = answer?.ok && (await answer.text().catch(() => null));
        if (!html) break;
        const list = new DOMParser().parseFromString(html, "text/html").getElementById("entries");
        const shown = document.getElementById("entries");
        if (list.innerHTML === shown.innerHTML) continue;
        for (const entry of list.children) entry.classList.toggle("new", !document.getElementById(entry.id));
        shown.replaceWith(list);
    }
    changes = 0;
}
if (document.getElementById("entries")) {
    const events = new EventSource("/events");
    events.onopen = events.onmessage = refresh;  // it may have changed while there was no connection
}
)";

inline constexpr std::string_view icon =
    R"(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path fill="#9c2b2b"
d="M3 1h10v14H3z"/><path stroke="#fff" d="M5.5 5h5m-5 3h5m-5 3h3"/></svg>)";
