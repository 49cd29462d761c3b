// One run: its state, what happened to it, and the commands that it takes. training.js shows its numbers and samples.

import { figure } from "./chart.js";
import { $, ENDED, Refusal, api, ask, duration, element, explain, follow, number, showState, t } from "./studio.js";
import { draw, loadMetrics, loadSamples, scores, takeEvent } from "./training.js";

const PAUSE = 5000; // milliseconds between two looks for new samples
const HAPPENED = 100; // the most lines of what happened
const place = $("run");
const path = `/v1/training-jobs/${place.dataset.run}`;
const happened = [];
let last = ""; // the id of the last event

// What happened

function showHappened() {
  const measured = scores().map(({ time, step, metrics }) => ({
    at: time * 1000,
    text: t("step {step}: a Fréchet distance of {value}", { step: number(step), value: figure(metrics.domain_fid) }),
  }));
  const lines = [...happened, ...measured].sort((one, other) => other.at - one.at).slice(0, HAPPENED);
  const when = (at) => new Date(at).toLocaleString(document.documentElement.lang, { dateStyle: "medium", timeStyle: "medium" });
  $("happened").replaceChildren(
    ...lines.map(({ at, text }) => element("li", {}, element("span", { className: "hint" }, at ? when(at) : ""), element("span", {}, text))),
  );
}

$("log").ontoggle = async () => {
  if (!$("log").open) return;
  const response = await fetch(`${path}/logs`).catch(() => null);
  if (!response?.ok) return explain($("problem"), new Refusal(t("prodgen failed to answer."), { status: response?.status }));
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
  takeEvent(now, now.step < before.step);
  before = now;
  cancelAnimationFrame(drawing);
  drawing = requestAnimationFrame(() => showNow(now));
}

function showNow({ state, step, steps: total, seconds_left: left, images_per_second: rate, doing }) {
  place.dataset.state = state;
  showState(place.querySelector(".state"), { state, done: step });
  $("pause").hidden = !["queued", "running"].includes(state);
  $("resume").hidden = state !== "paused";
  $("cancel").hidden = ENDED.has(state);
  $("delete").hidden = !ENDED.has(state);
  if (state === "running" && step === total && !doing) {
    $("left").textContent = t("Its last step is done. It is measured, and then made a version.");
  } else if (state === "running") {
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
    if (!now.wish) changed({ ...now, type: "state" });
    $("left").textContent = t(now.wish ? "It stops after its present step." : (now.reason ?? ""));
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

$("delete").onclick = async () => {
  const about = t("Its samples, checkpoints and logs go with it. For seven days you can restore them.");
  if (!(await ask(t("Delete the run?"), about))) return;
  try {
    await api("DELETE", path);
    location.reload(); // to the page that can restore it
  } catch (error) {
    explain($("problem"), error);
  }
};

/** Look for new samples and for a newer checkpoint until the run has ended. */
async function look() {
  try {
    if (!document.hidden) {
      await loadSamples();
      await loadMetrics();
      showHappened();
    }
  } catch (error) {
    explain($("problem"), error);
    if (error.status === 401) return;
  }
  if (!ENDED.has(place.dataset.state)) setTimeout(look, PAUSE);
}

if ($("charts")) look();
const ended = ENDED.has(place.dataset.state);
follow(path, changed)
  .then(() => ended || location.reload()) // the page then also shows what the run has made
  .catch((error) => explain($("problem"), error));
