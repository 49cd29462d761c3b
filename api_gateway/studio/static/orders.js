// The list of orders: a picture of each order, and its state as it changes.

import { $, ENDED, api, element, explain, showState } from "./studio.js";

const PAUSE = 2000;
const rows = new Map([...$("orders").children].map((row) => [row.dataset.job, row.querySelector(".state")]));

async function showPicture(job, state) {
  const place = $("orders").querySelector(`[data-job="${job}"] .thumb`);
  if (place.firstChild || state.querySelector("progress").value === 0) return;
  const page = await api("GET", `/v1/jobs/${job}/images?limit=1`);
  if (page.data.length && !place.firstChild) place.append(element("img", { src: page.data[0].url, alt: "" }));
}

// Asks at intervals for each order that has not ended, because browsers allow only six event streams at a time.
async function update() {
  const active = [...rows].filter(([, state]) => !ENDED.has(state.dataset.state));
  if (!active.length) return;
  try {
    if (!document.hidden) {
      const jobs = await Promise.all(active.map(([job]) => api("GET", `/v1/jobs/${job}`)));
      for (const job of jobs) showState(rows.get(job.id), job);
      for (const [job, state] of active) await showPicture(job, state);
    }
    explain($("problem"));
  } catch (error) {
    explain($("problem"), error);
    if (error.status === 401) return;
  }
  setTimeout(update, PAUSE);
}

for (const [job, state] of rows) showPicture(job, state).catch((error) => explain($("problem"), error));
update();
