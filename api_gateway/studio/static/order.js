// One order: its state as it changes, and what people may do with it.

import { refresh } from "./order_gallery.js";
import { $, ENDED, Refusal, api, explain, follow, number, showState, t } from "./studio.js";

const order = $("order");
const { job } = order.dataset;
const total = Number(order.dataset.total);

/** Show how long the order still takes, or why that is not known. Events of the past do not say. */
function showTimeLeft({ state, seconds_left: seconds, reason }) {
  if (seconds === undefined && !ENDED.has(state)) return;
  const [unit, length] = seconds >= 7200 ? ["hours", 3600] : seconds >= 120 ? ["minutes", 60] : ["seconds", 1];
  const known = seconds ? t(`about {count} ${unit} left`, { count: number(Math.ceil(seconds / length)) }) : "";
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
  refresh();
}

/** Show what the API says of the order. Events do not have its priority. */
function loaded(now) {
  changed(now);
  const movable = !ENDED.has(now.state) && total <= Number(order.dataset.interactive);
  $("sooner").hidden = !movable || now.priority === "interactive";
  $("later").hidden = !movable || now.priority === "bulk";
  explain($("trouble"), now.error && new Refusal(now.error));
  return now;
}

const load = async () => loaded(await api("GET", `/v1/jobs/${job}`));

/** Send a request about the order when `button` is pressed. */
function act(button, path, json) {
  $(button).onclick = async () => {
    $(button).disabled = true;
    try {
      loaded(await api("POST", `/v1/jobs/${job}/${path}`, { json }));
      explain($("problem"));
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

load()
  .then((now) => ENDED.has(now.state) || follow(`/v1/jobs/${job}`, changed).then(load))
  .catch((error) => explain($("problem"), error));
