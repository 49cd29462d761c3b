// What changes: the pictures of an order beside those by another version, the most changed first, and a choice for each.

import { $, ENDED, api, ask, describe, element, explain, follow, number, picture, showState, t } from "./studio.js";
import { downloads, zoom } from "./zoom.js";

const PAGE = 24;
const MOST_CHOSEN = 1000; // the most pictures of one request
const { old, new: newer, state } = $("diff").dataset;
const path = `/v1/jobs/${old}/diff/${newer}`;
const filter = $("picture-filter");
const figures = new Map(); // by the index of the pair
let pairs = [];
let loaded = false;
let wanted = PAGE;

/** Compare all pictures that both orders have made. The order of the pairs is final when all are compared. */
async function load() {
  const found = [];
  $("gallery").ariaBusy = "true";
  for (let after = "-1"; after !== null; ) {
    const page = await api("GET", `${path}?limit=${found.length ? 100 : PAGE}&after=${after}`);
    found.push(...page.data);
    after = page.next;
    pairs = found.toSorted((one, other) => other.change - one.change || one.index - other.index);
    show();
  }
  loaded = true;
  $("gallery").ariaBusy = "false";
  show();
}

function show() {
  const undecided = pairs.filter((pair) => !pair.choice);
  const listed = filter.undecided.checked ? undecided : pairs;
  const shown = listed.slice(0, wanted);
  for (const pair of shown) if (!figures.has(pair.index)) figures.set(pair.index, figureOf(pair));
  for (const pair of shown) mark(pair);
  const wish = shown.map((pair) => figures.get(pair.index));
  const there = [...$("gallery").children];
  if (wish.length !== there.length || wish.some((one, place) => one !== there[place])) $("gallery").replaceChildren(...wish);
  $("more").hidden = listed.length <= wanted;
  $("table").hidden = !pairs.length;
  $("rest").hidden = !loaded || !undecided.length;
  const counts = { all: number(pairs.length), undecided: number(undecided.length) };
  $("status").textContent = loaded ? t("{all} compared, {undecided} undecided", counts) : t("{all} compared …", counts);
}

function figureOf(pair) {
  const images = [pair.old, pair.new];
  const tiles = images.map((image, place) => {
    const open = element("button", { type: "button", className: "open", ariaLabel: t("Picture") });
    open.onclick = () => zoom(images, place, (one) => [element("p", { className: "hint" }, one.model), ...downloads(one)]);
    picture(image).then((made) => {
      open.replaceChildren(made);
      open.ariaLabel = null;
    });
    return element("div", { className: "tile" }, open);
  });
  const buttons = [["old", t("Keep the old")], ["new", t("Take the new")]].map(([choice, text]) => {
    const button = element("button", { type: "button", className: "quiet", value: choice }, text);
    button.onclick = () => choose([pair], pair.choice === choice ? null : choice);
    return button;
  });
  const measured = t("change {change}, colour {colour}", { change: pair.change.toFixed(1), colour: pair.colour.toFixed(1) });
  const name = element("b", {}, pair.sku ?? describe(pair.new));
  const caption = element("figcaption", {}, name, element("span", { className: "hint" }, measured));
  const both = element("div", { className: "both" }, ...tiles);
  return element("figure", {}, both, caption, element("div", { className: "either" }, ...buttons));
}

/** Show the choice of a pair on its buttons and pictures. */
function mark(pair) {
  const figure = figures.get(pair.index);
  figure.dataset.choice = pair.choice ?? "";
  for (const button of figure.querySelectorAll(".either button")) button.ariaPressed = String(button.value === pair.choice);
}

/** Send a choice for some pairs, and show it. */
async function choose(some, choice) {
  try {
    for (let at = 0; at < some.length; at += MOST_CHOSEN) {
      const part = some.slice(at, at + MOST_CHOSEN);
      await api("POST", `${path}/choices`, { json: { images: part.map((pair) => pair.index), choice } });
      for (const pair of part) pair.choice = choice;
    }
    explain($("problem"));
  } catch (error) {
    explain($("problem"), error);
  }
  show();
}

$("rest").onclick = async () => {
  const rest = pairs.filter((pair) => !pair.choice);
  const about = t("{count} pictures are undecided.", { count: number(rest.length) });
  if (await ask(t("Take the new for the rest?"), about)) choose(rest, "new");
};
filter.onchange = () => {
  wanted = PAGE;
  show();
};
filter.onsubmit = (event) => event.preventDefault();
$("more").onclick = () => {
  wanted += PAGE;
  show();
};

async function start() {
  const changed = (now) => showState(document.querySelector(".state"), now);
  if (!ENDED.has(state)) changed(await follow(`/v1/jobs/${newer}`, changed));
  await load();
}

start().catch((error) => {
  $("gallery").ariaBusy = "false";
  explain($("problem"), error);
});
