// A training over time: a chart of each loss and score, and its samples under a slider.

import { Chart } from "./chart.js";
import { $, api, element, explain, number, t } from "./studio.js";

const { run, score } = $("run").dataset;
const path = `/v1/training-jobs/${run}`;
const logged = new Map(); // what the newest checkpoint holds, by step
let live = []; // what events brought since
let samples = [];
let shown = -1;

// The losses and scores

const TITLES = { domain_fid: t("Fréchet distance, lower is better") };
const charts = new Map();

/** Return every logged step, the live ones last. */
const points = () => [...logged.values(), ...live.filter((one) => !logged.has(one.step))];

/** Return the steps at which the training was evaluated. */
export const scores = () => points().filter((one) => one.metrics?.domain_fid);

const newest = () => [...logged.keys()].at(-1) ?? 0;

/** Draw the charts anew. */
export function draw() {
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
      $("charts")[marked ? "prepend" : "append"](charts.get(name).element);
    }
    charts.get(name).show(values, all.at(-1).step);
  }
  mark();
}

const mark = () => charts.forEach((chart) => chart.mark(samples[shown]?.step ?? Number.MAX_SAFE_INTEGER));

/** Load what has been logged since the last time. */
export async function loadMetrics() {
  let after = newest();
  while (after !== null) {
    const page = await api("GET", `${path}/metrics?after=${after}`);
    for (const one of page.data) logged.set(one.step, one);
    after = page.next;
  }
  live = live.filter((one) => one.step > newest());
  draw();
}

/** Show the losses and scores of an event. `isBack`: the training has returned to an earlier step. */
export function takeEvent({ step, losses, metrics }, isBack) {
  if (isBack) logged.clear(); // what was logged after that step counts no more
  live = live.filter((one) => one.step < step);
  if (losses && Object.keys(losses).length) live.push({ step, losses });
  if (metrics?.step && !scores().some((one) => one.step === metrics.step)) live.push({ ...metrics, metrics });
  live.sort((one, other) => one.step - other.step);
}

// The samples

/** Look for new samples; show the newest, unless an earlier one was chosen. */
export async function loadSamples() {
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

if ($("scrub")) $("scrub").oninput = () => move(Number($("scrub").value));
