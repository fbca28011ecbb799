// All jobs of somebody, live: one stream of events for all tabs of a browser.
//
// The tab that holds the lock listens to the service and tells the others. When it goes, the next
// one takes its place. Where there are no locks (a page that did not come over HTTPS, nor from this
// machine), each tab has its own stream. What the stream does not tell, because something on the
// way keeps it back, is asked for.
import { call } from "../api.js";
import { pause } from "../dataset.js";

const FIRST = 1_000; // until a stream that was refused is tried again; each time twice as long
const LONGEST = 30_000;
const QUIET = 8_000; // without news for so long, a page asks once
const MUTE = 3_000; // and so often where that told more than the stream had

// Follow a user's jobs. `told(job)` gets each job that has changed, `gone(id)` each that was deleted;
// `refresh()` reads again what the page shows and returns whether anything was new, and is asked only
// while `waiting()` says that something there can still change. While the service does not answer,
// the place for that on the page says so.
export function follow(user, { told, gone, refresh, waiting }) {
  const name = `mediamill.jobs.${user}`;
  const channel = "BroadcastChannel" in globalThis ? new BroadcastChannel(name) : null;
  let last = Date.now();
  const look = async () => {
    const news = await refresh().catch((problem) => {
      lost(problem.status === 0);
      throw problem;
    });
    lost(false);
    return news;
  };
  const hear = ({ kind, data }) => {
    if (kind !== "broken") last = Date.now(); // that is no news of jobs
    if (kind === "job") told(data);
    else if (kind === "job_deleted") gone(data.id);
    else if (kind === "broken") lost(data.away);
    else look().catch(() => {});
  };
  if (channel) channel.onmessage = ({ data }) => hear(data);
  const tell = (message) => {
    channel?.postMessage(message);
    hear(message);
  };
  if (navigator.locks) navigator.locks.request(name, () => new Promise(() => listen(tell)));
  else listen(tell);
  lookNowAndThen(look, waiting, () => last);
}

function lost(away) {
  const place = document.getElementById("lost");
  if (place.hidden === away) place.hidden = !away;
}

// A new stream does not know what was told before it: whoever hears that it is open looks by themselves.
// When one breaks, and whenever it cannot come back, one page asks for all whether anybody answers.
function listen(tell, wait = FIRST) {
  const source = new EventSource("/v1/events");
  let after = wait;
  const again = () => {
    source.close();
    setTimeout(() => listen(tell, Math.min(after * 2, LONGEST)), after);
  };
  let broken = true; // before it is open for the first time, too
  source.addEventListener("open", () => {
    after = FIRST;
    if (broken) tell({ kind: "opened" });
    broken = false;
  });
  for (const kind of ["job", "job_deleted"]) {
    source.addEventListener(kind, (event) => tell({ kind, data: JSON.parse(event.data) }));
  }
  source.addEventListener("gone", again);
  source.addEventListener("error", async () => {
    broken = true;
    if (source.readyState === EventSource.CLOSED) again(); // else the browser comes again by itself
    const data = { away: await away() };
    if (broken) tell({ kind: "broken", data });
  });
}

const away = () => call("GET", "/v1/jobs?limit=1").then(() => false, (problem) => problem.status === 0);

async function lookNowAndThen(refresh, waiting, last) {
  for (let mute = false; ;) {
    await pause(mute ? MUTE : QUIET);
    if (document.hidden || !waiting()) continue;
    if (Date.now() - last() < (mute ? MUTE : QUIET)) mute = false;
    else mute = await refresh().catch(() => mute);
  }
}
