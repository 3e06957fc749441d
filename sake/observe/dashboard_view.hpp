// The script of the dashboard, third part: what a frame shows, and the connection that frames come by.
#pragma once

#include "sake/base/version.hpp"

namespace sake {
inline namespace SAKE_ABI {
namespace detail {

inline constexpr char dashboard_view[] = R"js(
// ---- what a frame shows

let errorsBefore = null;
let errorsNow = null;  // in the last second

const split = (text) => text.split(" ");

const tiles = [
  {name: "Requests", figure: ({total}) => [number(total.rate), "per s"],
    note: ({total}) => `${number(total.count)} in all`, chart: ({total}) => total.rate},
  {name: "Latency p99", figure: ({total}) => split(seconds(total.p99)),
    note: ({total}) => `p50 ${seconds(total.p50)}`, chart: ({total}) => total.p99},
  {name: "Server errors", figure: () => [number(errorsNow), "per s"],
    note: ({total}) => `${number(total.errors)} in all`, chart: () => errorsNow},
  {name: "Loop lag p99", figure: ({loop}) => split(seconds(loop.p99)),
    note: ({loop}) => `${number(loop.stalls)} stall${loop.stalls === 1 ? "" : "s"} in all`, chart: ({loop}) => loop.p99},
  {name: "Connections", figure: ({connections}) => [number(connections.open), "open"],
    note: ({connections}) => `${number(connections.idle)} of them idle`, chart: ({connections}) => connections.open},
  {name: "Memory held", figure: ({memory}) => split(bytes(memory.held)),
    note: ({memory}) => (memory.limit ? `of ${bytes(memory.limit)}` : "without a limit"),
    chart: ({memory}) => memory.held},
].map((tile) => new Tile(tile));

const few = 10;  // of the slow requests, until all are wanted
let showsAll = false;
let last = null;

function show(frame) {
  const {workers, connections} = frame;
  say(byId("about"), `${frame.version}, up ${seconds(Math.floor(frame.uptime))}`);
  for (const tile of tiles) tile.show(frame);
  routes.show(frame.routes.map((route) => [nameOf(route), route]));
  byId("workers").hidden = workers.threads === 0;
  showLines(byId("pool"), [["busy", workers.busy, workers.threads], ["waiting", workers.queued, workers.limit]]
    .map(([name, count, limit]) => (limit ? [name, `${number(count)} of ${number(limit)}`, count / limit]
      : [name, number(count), 0])));
  showLines(byId("running"), workers.running.map((job) => [job.route, seconds(job.seconds)]));
  showLines(byId("connections"), Object.entries(connections).filter(([state]) => state !== "open")
    .map(([state, count]) => [state, number(count), count / connections.open]));
  byId("all").hidden = frame.slow.length <= few;
  slow.show(frame.slow.slice(0, showsAll ? undefined : few).map((request) => [JSON.stringify(request), request]));
  byId("shown").hidden = false;
}

byId("all").addEventListener("click", ({target}) => {
  showsAll = !showsAll;
  say(target, showsAll ? "Show fewer" : "Show all");
  show(last);
});

function take(frame) {
  last = frame;
  errorsNow = errorsBefore === null ? null : frame.total.errors - errorsBefore;
  errorsBefore = frame.total.errors;
  for (const tile of tiles) tile.take(frame);
  frame.routes.forEach(remember);
  show(frame);
}

// ---- the feed

// Beneath the page, whether or not its address ends with a slash.
const feed = `${location.pathname.replace(/\/$/, "")}/events`;
const patience = 5000;  // without a frame, the connection is lost

let source = null;
let heard = 0;
let retry = null;

function setState(name, words) {
  byId("state").className = `state ${name}`;
  say(byId("state"), words);
  byId("shown").classList.toggle("stale", name === "lost");
}

function hangUp() {
  clearTimeout(retry);
  source?.close();
  source = null;
  errorsBefore = null;
}

function connect() {
  hangUp();
  for (const chart of [...tiles.map(({spark}) => spark), ...[...seen.values()].flatMap(({rate, p99}) => [rate, p99])])
    chart.leaveGap();
  heard = Date.now();
  source = new EventSource(feed);
  source.onmessage = ({data}) => {
    heard = Date.now();
    take(JSON.parse(data));
    setState("live", "live");
  };
  source.onerror = lose;
}

const reasons = {401: "sign in again", 403: "this page may not be seen from here", 503: "too many viewers"};

// Says why, as far as the server says it, and tries again.
async function lose() {
  hangUp();
  setState("lost", "no connection, trying again");
  retry = setTimeout(connect, 2000);
  const {status} = await fetch(feed, {method: "HEAD", cache: "no-store"}).catch(() => ({}));
  if (reasons[status] && !source) setState("lost", `${reasons[status]}, trying again`);
}

byId("pause").addEventListener("click", ({target}) => {
  const pauses = target.textContent === "Pause";
  say(target, pauses ? "Resume" : "Pause");
  if (pauses) hangUp();
  setState("", pauses ? "paused" : "connecting");
  if (!pauses) connect();
});

setInterval(() => source && Date.now() - heard > patience && lose(), 1000);
connect();
)js";

}  // namespace detail
}  // namespace SAKE_ABI
}  // namespace sake
