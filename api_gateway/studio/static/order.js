// One order: its state as it changes, its gallery as the images arrive, its download and its end.

import { $, ENDED, Refusal, api, element, explain, follow, picture, showState, t } from "./studio.js";
import { downloads, zoom } from "./zoom.js";

const PAGE = 60;
const PAUSE = 700; // milliseconds between two looks for new images
const order = $("order");
const { job } = order.dataset;
const total = Number(order.dataset.total);
const tiles = new Map(); // by the index of the image
let images = [];
let whole = false; // whether `images` were listed after the end, so that none can appear between them
let wanted = Math.min(PAGE, total);
let filling = null;

/** List the images up to `wanted`. While an order runs, images appear between those that are listed. */
async function fill() {
  const ended = ENDED.has(order.dataset.state);
  const found = whole ? [...images] : [];
  let next = String(found.at(-1)?.index ?? -1);
  while (next !== null && found.length < wanted) {
    const limit = Math.min(1000, wanted - found.length);
    const page = await api("GET", `/v1/jobs/${job}/images?limit=${limit}&after=${next}`);
    found.push(...page.data);
    next = page.next;
  }
  images = found;
  whole = ended;
  await show();
  $("more").hidden = images.length >= total || (ended ? next === null : wanted >= total);
}

async function show() {
  const fresh = images.filter((image) => !tiles.has(image.index));
  for (const image of fresh) {
    const open = element("button", { type: "button", className: "open" });
    open.onclick = () => zoom(images, images.findIndex((one) => one.index === image.index), downloads);
    tiles.set(image.index, element("div", { className: "tile" }, open));
    picture(image).then((made) => open.replaceChildren(made));
  }
  const empty = ENDED.has(order.dataset.state) ? 0 : Math.max(0, wanted - images.length);
  const places = Array.from({ length: empty }, () => element("div", { className: "tile waiting" }));
  $("gallery").replaceChildren(...images.map((image) => tiles.get(image.index)), ...places);
}

/** Fill the gallery; a call while another fills is carried out once after it. */
function refresh() {
  if (filling) {
    filling.again = true;
    return;
  }
  const turn = (filling = { again: false });
  fill()
    .then(() => explain($("problem")), (error) => explain($("problem"), error))
    .finally(() =>
      setTimeout(() => {
        filling = null;
        if (turn.again) refresh();
      }, PAUSE),
    );
}

/** Show how long the order still takes, or why that is not known. Events of the past do not say. */
function showTimeLeft({ state, seconds_left: seconds, reason }) {
  if (seconds === undefined && !ENDED.has(state)) return;
  const [unit, length] = seconds >= 7200 ? ["hours", 3600] : seconds >= 120 ? ["minutes", 60] : ["seconds", 1];
  const known = seconds ? t(`about {count} ${unit} left`, { count: number(Math.ceil(seconds / length)) }) : "";
  $("left").textContent = reason ? t("The time left is not known: {reason}.", { reason: t(reason) }) : known;
}

function changed(now) {
  order.dataset.state = now.state;
  showState(order.querySelector(".state"), now);
  showTimeLeft(now);
  $("cancel").hidden = ENDED.has(now.state);
  $("delete").hidden = !ENDED.has(now.state);
  $("archive").hidden = !ENDED.has(now.state) || !now.done;
  refresh();
}

async function load() {
  const now = await api("GET", `/v1/jobs/${job}`);
  changed(now);
  explain($("trouble"), now.error && new Refusal(now.error));
  return now;
}

$("more").onclick = () => {
  wanted += PAGE;
  refresh();
};
/** Open `dialog` by `button`; `act` once the person has agreed. */
function confirm(button, dialog, act) {
  $(button).onclick = () => {
    $(dialog).returnValue = ""; // Escape keeps the answer of the last time
    $(dialog).showModal();
  };
  $(dialog).onclose = () => $(dialog).returnValue && act().catch((error) => explain($("problem"), error));
}

confirm("cancel", "cancelling", async () => {
  await api("POST", `/v1/jobs/${job}/cancel`);
  await load();
});
confirm("delete", "deleting", async () => {
  await api("DELETE", `/v1/jobs/${job}`);
  location.href = "/orders";
});

load()
  .then((now) => ENDED.has(now.state) || follow(job, changed).then(load))
  .catch((error) => explain($("problem"), error));
