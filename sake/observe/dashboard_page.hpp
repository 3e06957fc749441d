// The page of the dashboard: one text with its style and its script, and the policy that lets a browser run
// these two and nothing else.
#pragma once

#include <string>
#include <string_view>

#include "sake/base/sha256.hpp"
#include "sake/base/text.hpp"
#include "sake/observe/dashboard_script.hpp"
#include "sake/observe/dashboard_style.hpp"
#include "sake/observe/dashboard_tables.hpp"
#include "sake/observe/dashboard_view.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

struct DashboardPage {
    std::string html;
    std::string policy;
};

/// A template, like what calls it: only programs with a dashboard compile it.
template <class Page = DashboardPage>
Page make_dashboard_page() {
    const std::string style(dashboard_style);
    std::string script(dashboard_script);
    script.append(dashboard_tables).append(dashboard_view);
    const auto hash = [](std::string_view text) {
        return "'sha256-" + base64_encode(Sha256::digest(text)) + "'";
    };
    Page page;
    page.policy = "default-src 'none'; script-src " + hash(script) + "; style-src " + hash(style) +
                  "; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
                  "frame-ancestors 'none'";
    page.html = R"html(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sake dashboard</title>
<link rel="icon" href="data:,">
<style>)html" + style +
                R"html(</style>
</head>
<body>
<main>
<header>
<div><h1>Sake</h1><p id="about" class="quiet">dashboard</p></div>
<p id="state" class="state" role="status">connecting</p>
<button id="pause" type="button">Pause</button>
</header>
<noscript><p>This page needs JavaScript.</p></noscript>
<div id="shown" hidden>
<div id="tiles" class="tiles"></div>
<section class="panel wide"><h2>Routes</h2><table id="routes"></table></section>
<div class="panels">
<section id="workers" class="panel"><h2>Workers</h2>
<ul id="pool" class="lines"></ul><ul id="running" class="lines"></ul></section>
<section class="panel"><h2>Connections</h2><ul id="connections" class="lines"></ul></section>
</div>
<section class="panel wide"><h2>Slowest recent requests</h2><table id="slow"></table>
<button id="all" class="plain" type="button" hidden>Show all</button></section>
</div>
</main>
<script>)html" + script +
                R"html(</script>
</body>
</html>
)html";
    return page;
}

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
