// One order: its state as it changes, and what people may do with it.

import { refresh } from "./order_gallery.js";
import { $, ENDED, Refusal, api, duration, explain, follow, showState, t } from "./studio.js";

const order = $("order");
const { job } = order.dataset;
const total = Number(order.dataset.total);

/** Show how long the order still takes, or why that is not known. Events of the past do not say. */
function showTimeLeft({ state, seconds_left: seconds, reason }) {
  if (seconds === undefined && !ENDED.has(state)) return;
  const known = seconds ? t("about {time} left", { time: duration(seconds) }) : "";
  $("left").textContent = reason ? t("The time left is not known: {reason}.", { reason: t(reason) }) : known;
}

function changed(now) {
  const ended = ENDED.has(now.state);
  order.dataset.state = now.state;
  showState(order.querySelector(".state"), now);
  showTimeLeft(now);
  $("pause").hidden = !["queued", "running"].includes(now.state);
  $("resume").hidden = now.state !== "paused";
  $("cancel").hidden = ended;
  $("delete").hidden = !ended;
  $("archive").hidden = !ended || !now.done;
  $("retry").hidden = !["partial", "failed"].includes(now.state);
  refresh();
}

/** Show what the API says of the order. Events do not have its priority. */
function loaded(now) {
  changed(now);
  const movable = !ENDED.has(now.state) && total <= Number(order.dataset.interactive);
  $("sooner").hidden = !movable || now.priority === "interactive";
  $("later").hidden = !movable || now.priority === "bulk";
  explain($("trouble"), now.error && new Refusal(now.error));
  $("failed").hidden = !now.failed;
  return now;
}

/** List the first failed pictures with their reasons, a line for neighbours that failed alike. */
async function listFailures() {
  const { data, next } = await api("GET", `/v1/jobs/${job}/failures?limit=500`);
  const runs = [];
  for (const { index, sku, attributes, error } of data) {
    const text = `${[sku, ...Object.values(attributes).map(t)].filter(Boolean).join(" · ")}: ${error}`;
    if (runs.at(-1)?.text === text) runs.at(-1).last = index;
    else runs.push({ first: index, last: index, text });
  }
  const lines = runs.map(({ first, last, text }) => `${first === last ? first : `${first}–${last}`} · ${text}`);
  const items = [...lines, ...(next ? ["…"] : [])].map((text) => {
    const item = document.createElement("li");
    item.textContent = text;
    return item;
  });
  $("failures").replaceChildren(...items);
}

const load = async () => loaded(await api("GET", `/v1/jobs/${job}`));

/** Send a request about the order when `button` is pressed. */
function act(button, path, json) {
  $(button).onclick = async () => {
    $(button).disabled = true;
    try {
      const ended = ENDED.has(order.dataset.state);
      const now = loaded(await api("POST", `/v1/jobs/${job}/${path}`, { json }));
      explain($("problem"));
      if (ended) followOrder(now).catch((error) => explain($("problem"), error));
    } catch (error) {
      explain($("problem"), error);
    }
    $(button).disabled = false;
  };
}

/** Open `dialog` by `button`; `act` once the person has agreed. */
function confirm(button, dialog, act) {
  $(button).onclick = () => {
    $(dialog).returnValue = ""; // Escape keeps the answer of the last time
    $(dialog).showModal();
  };
  $(dialog).onclose = () => $(dialog).returnValue && act().catch((error) => explain($("problem"), error));
}

act("pause", "pause");
act("resume", "resume");
act("retry", "retry");
act("sooner", "priority", { priority: "interactive" });
act("later", "priority", { priority: "bulk" });
confirm("cancel", "cancelling", async () => {
  await api("POST", `/v1/jobs/${job}/cancel`);
  await load();
});
confirm("delete", "deleting", async () => {
  await api("DELETE", `/v1/jobs/${job}`);
  location.reload(); // to the page that can restore it
});
if ($("again"))
  confirm("again", "ordering-again", async () => {
    const made = await api("POST", `/v1/jobs/${job}/again`, { json: { model: $("version").value } });
    location.assign(`/orders/${job}/diff/${made.id}`);
  });

$("keep").onchange = () =>
  api("POST", `/v1/jobs/${job}/keep`, { json: { keep: $("keep").value } }).then(
    () => explain($("problem")),
    (error) => explain($("problem"), error),
  );

$("failed").ontoggle = () => $("failed").open && listFailures().catch((error) => explain($("problem"), error));

/** Show the order, and every change until it has ended. */
async function followOrder(now) {
  if (ENDED.has(now.state)) return;
  await follow(`/v1/jobs/${job}`, changed);
  await load();
}

load()
  .then(followOrder)
  .catch((error) => explain($("problem"), error));
