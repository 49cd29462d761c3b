// One run: its state, its losses and scores, its samples over time, and what happened to it.

import { Chart, figure } from "./chart.js";
import { $, ENDED, api, ask, duration, element, explain, follow, number, showState, t } from "./studio.js";

const PAUSE = 5000; // milliseconds between two looks for new samples
const HAPPENED = 100; // the most lines of what happened
const place = $("run");
const path = `/v1/training-jobs/${place.dataset.run}`;
const { score } = place.dataset;
const logged = new Map(); // what the newest checkpoint holds, by step
let live = []; // what events brought since
const happened = [];
let samples = [];
let shown = -1;
let last = ""; // the id of the last event

// The losses and scores

const TITLES = { domain_fid: t("Fréchet distance, lower is better") };
const charts = new Map();

/** Return every logged step, the live ones last. */
const points = () => [...logged.values(), ...live.filter((one) => !logged.has(one.step))];

const newest = () => [...logged.keys()].at(-1) ?? 0;

function draw() {
  const all = points();
  const series = new Map();
  for (const one of all)
    for (const [kind, numbers] of [["metrics", one.metrics], ["losses", one.losses]])
      for (const [name, value] of Object.entries(numbers ?? {}))
        if (kind === "losses" || name === score || name === "domain_fid") {
          if (!series.has(name)) series.set(name, { marked: kind === "metrics", values: [] });
          series.get(name).values.push([one.step, value]);
        }
  for (const [name, { marked, values }] of series) {
    if (!charts.has(name)) {
      charts.set(name, new Chart(TITLES[name] ?? t(name), marked, choose));
      $("charts").append(charts.get(name).element);
    }
    charts.get(name).show(values, all.at(-1).step);
  }
  mark();
}

const mark = () => charts.forEach((chart) => chart.mark(samples[shown]?.step ?? Number.MAX_SAFE_INTEGER));

/** Load what has been logged since the last time. */
async function loadMetrics() {
  let after = newest();
  while (after !== null) {
    const page = await api("GET", `${path}/metrics?after=${after}`);
    for (const one of page.data) logged.set(one.step, one);
    after = page.next;
  }
  live = live.filter((one) => one.step > newest());
  draw();
  showHappened();
}

// The samples

async function loadSamples() {
  const follows = shown === samples.length - 1;
  await renewSamples();
  $("scrub").disabled = samples.length < 2;
  $("scrub").max = Math.max(0, samples.length - 1);
  if (follows || shown >= samples.length) await showSample(samples.length - 1);
}

async function renewSamples() {
  samples = (await api("GET", `${path}/samples`)).data.filter((one) => one.step !== null);
}

/** Show a sample. If it cannot be loaded, try once more with a new link, because links expire. */
async function showSample(index, again = false) {
  if (index < 0) return;
  shown = index;
  const { step, url } = samples[index];
  $("scrub").value = index;
  $("scrub").setAttribute("aria-valuetext", t("step {step}", { step: number(step) }));
  $("at").textContent = number(step);
  mark();
  try {
    await element("img", { src: url }).decode();
  } catch (error) {
    if (again) throw error;
    await renewSamples();
    return showSample(shown, true);
  }
  if (shown !== index) return;
  Object.assign($("grid"), { src: url, hidden: false, alt: t("Generated images at step {step}", { step: number(step) }) });
  $("no-grid").hidden = true;
}

const move = (index) => showSample(index).catch((error) => explain($("problem"), error));

/** Show the sample that is nearest to a step. */
function choose(step) {
  const distances = samples.map((one) => Math.abs(one.step - step));
  if (samples.length) move(distances.indexOf(Math.min(...distances)));
}

// What happened

function showHappened() {
  const scores = points()
    .filter((one) => one.metrics?.domain_fid)
    .map((one) => ({
      at: one.time * 1000,
      text: t("step {step}: a Fréchet distance of {value}", { step: number(one.step), value: figure(one.metrics.domain_fid) }),
    }));
  const lines = [...happened, ...scores].sort((one, other) => other.at - one.at).slice(0, HAPPENED);
  const when = (at) => new Date(at).toLocaleString(document.documentElement.lang, { dateStyle: "medium", timeStyle: "medium" });
  $("happened").replaceChildren(
    ...lines.map(({ at, text }) => element("li", {}, element("span", { className: "hint" }, at ? when(at) : ""), element("span", {}, text))),
  );
}

$("log").ontoggle = async () => {
  if (!$("log").open) return;
  const response = await fetch(`${path}/logs`);
  const lines = (await response.text()).trim().split("\n");
  $("log").querySelector("pre").textContent = lines.map(readable).join("\n") || t("The log is empty.");
};

/** Return a line of the log as a time and a message, or as it is if it is no JSON. */
function readable(line) {
  try {
    const { time, message } = JSON.parse(line);
    return `${time.slice(0, 19)}  ${message}`;
  } catch {
    return line;
  }
}

// The state

let drawing = 0;
let before = { state: "", restarts: 0, step: 0 };

function changed(now, id = "") {
  if (id && id === last) return;
  last = id;
  const at = Number(id.split("-")[0]);
  if (now.type === "state" && (now.state !== before.state || now.restarts !== before.restarts)) {
    const values = { state: t(now.state), step: number(now.step) };
    const again = now.restarts > before.restarts;
    happened.push({ at, text: again ? t("{state} again after a crash, at step {step}", values) : t("{state} at step {step}", values) });
  }
  if (now.step < before.step) logged.clear(); // back at a checkpoint: what was logged after it counts no more
  before = now;
  if (now.losses && Object.keys(now.losses).length) {
    live = live.filter((one) => one.step < now.step);
    live.push({ step: now.step, losses: now.losses });
    const scored = now.metrics;
    if (scored?.step && !points().some((one) => one.step === scored.step && one.metrics?.domain_fid))
      live.push({ ...scored, metrics: scored });
    live.sort((one, other) => one.step - other.step);
  }
  cancelAnimationFrame(drawing);
  drawing = requestAnimationFrame(() => showNow(now));
}

function showNow({ state, step, seconds_left: left, images_per_second: rate, doing }) {
  place.dataset.state = state;
  showState(place.querySelector(".state"), { state, done: step });
  $("pause").hidden = !["queued", "running"].includes(state);
  $("resume").hidden = state !== "paused";
  $("cancel").hidden = ENDED.has(state);
  if (state === "running") {
    const parts = [doing && t(doing), left && t("about {time} left", { time: duration(left) }), rate && t("{rate} images a second", { rate: figure(rate) })];
    $("left").textContent = parts.filter(Boolean).join(" · ");
  } else if (state !== "queued") {
    $("left").textContent = "";
  }
  if ($("charts")) draw();
  showHappened();
}

async function command(name) {
  try {
    const now = await api("POST", `${path}/${name}`);
    if (now.wish) $("left").textContent = t("It stops after its present step.");
    else changed({ ...now, type: "state" });
    explain($("problem"));
  } catch (error) {
    explain($("problem"), error);
  }
}

$("pause").onclick = () => command("pause");
$("resume").onclick = () => command("resume");
$("cancel").onclick = async () => {
  const about = t("It cannot be continued. Its samples stay, but no version is made.");
  if (await ask(t("Cancel the run?"), about)) await command("cancel");
};

/** Look for new samples and for a newer checkpoint until the run has ended. */
async function look() {
  try {
    if (!document.hidden) {
      await loadSamples();
      await loadMetrics();
    }
  } catch (error) {
    explain($("problem"), error);
    if (error.status === 401) return;
  }
  if (!ENDED.has(place.dataset.state)) setTimeout(look, PAUSE);
}

if ($("charts")) {
  $("scrub").oninput = () => move(Number($("scrub").value));
  look();
}
const ended = ENDED.has(place.dataset.state);
follow(path, changed)
  .then(() => ended || location.reload()) // the page then also shows what the run has made
  .catch((error) => explain($("problem"), error));
