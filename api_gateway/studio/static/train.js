// The list of runs: the state of each as it changes.

import { $, ENDED, api, duration, explain, showState, t } from "./studio.js";

const PAUSE = 3000;
const rows = new Map([...$("runs").children].map((row) => [row.dataset.run, row]));
const stateOf = (row) => row.querySelector(".state");

// Asks at intervals for each run that has not ended, because browsers allow only six event streams at a time.
async function update() {
  const active = [...rows].filter(([, row]) => !ENDED.has(stateOf(row).dataset.state));
  if (!active.length) return;
  try {
    if (!document.hidden) {
      const runs = await Promise.all(active.map(([run]) => api("GET", `/v1/training-jobs/${run}`)));
      for (const run of runs) {
        showState(stateOf(rows.get(run.id)), { state: run.state, done: run.step });
        const left = run.state === "running" && run.progress.seconds_left;
        rows.get(run.id).querySelector(".left").textContent = left
          ? t("about {time} left", { time: duration(left) })
          : t(run.reason ?? "");
      }
    }
    explain($("problem"));
  } catch (error) {
    explain($("problem"), error);
    if (error.status === 401) return;
  }
  setTimeout(update, PAUSE);
}

update();
