// The gallery of an order: its pictures as they arrive, and the filter that chooses among them.

import { $, ENDED, Refusal, api, ask, element, explain, follow, picture, t } from "./studio.js";
import { downloads, zoom } from "./zoom.js";

const PAGE = 60;
const REQUESTS = 10; // the most requests of one look: a page of a filtered list may be short
const PAUSE = 700; // milliseconds between two looks for new pictures
const order = $("order");
const { job } = order.dataset;
const total = Number(order.dataset.total);
const filter = $("picture-filter");
const tiles = new Map(); // by the index and the attempt of the picture
const rejected = new Set(); // the indices of pictures that are made again now
const choices = new Map(); // by the name of an attribute: the values of all pictures seen so far
let images = [];
let after = "-1"; // where the next page begins; null: `images` has all that fit
let whole = false; // whether `images` were listed after the end, so that none can appear between them
let wanted = Math.min(PAGE, total);
let filling = null;

/** List the pictures up to `wanted`. While an order runs, pictures appear between those that are listed. */
async function fill() {
  const ended = ENDED.has(order.dataset.state);
  const query = new URLSearchParams([...chosen(), ["newest", "true"]]);
  const found = whole ? [...images] : [];
  let next = whole ? after : "-1";
  for (let request = 0; request < REQUESTS && next !== null && found.length < wanted; request += 1) {
    query.set("limit", Math.min(1000, wanted - found.length));
    query.set("after", next);
    const page = await api("GET", `/v1/jobs/${job}/images?${query}`);
    found.push(...page.data);
    next = page.next;
  }
  [images, after, whole] = [found, next, ended && !filling.again]; // a new filter or a rejection may wait
  show(ended);
}

/** Return the chosen filters as parameters of the list of images. */
function chosen() {
  const selects = [...filter.querySelectorAll("select")].filter((select) => select.value);
  const values = selects.map((select) => ["attribute", `${select.name}=${select.value}`]);
  return filter.untrusted.checked ? [...values, ["untrusted", "true"]] : values;
}

function show(ended) {
  for (const image of images) if (!tiles.has(nameOf(image))) tiles.set(nameOf(image), tileOf(image));
  const filtered = chosen().length > 0;
  const empty = ended || filtered ? 0 : Math.max(0, wanted - images.length);
  const places = Array.from({ length: empty }, () => element("div", { className: "tile waiting" }));
  $("gallery").replaceChildren(...images.map((image) => tiles.get(nameOf(image))), ...places);
  $("none-fits").hidden = !(filtered && !images.length && after === null);
  $("more").hidden = ended || filtered ? after === null : wanted >= total;
}

const nameOf = (image) => `${image.index} ${image.attempt}`;

function tileOf(image) {
  const open = element("button", { type: "button", className: "open", ariaLabel: t("Picture") });
  open.onclick = () => zoom(images, images.findIndex((one) => one.index === image.index), actions);
  picture(image).then((made) => {
    open.replaceChildren(made);
    open.ariaLabel = null; // the picture's own text is better
  });
  for (const [name, value] of Object.entries(image.attributes)) offer(name, value);
  if (image.review || image.findings?.length) filter.untrusted.parentElement.hidden = filter.hidden = false;
  return element("div", { className: "tile" }, open);
}

/** Return what people may do with a picture: download it, have it made again unless it is of a photograph, and delete
 * it once the order has ended, if it is a file of its own. */
function actions(image, showAgain) {
  const deletable = ENDED.has(order.dataset.state) && order.dataset.packaging === "files" && !rejected.has(image.index);
  const possible = [...downloads(image), ...(image.photo ? [] : [rejection(image, showAgain)])];
  return deletable ? [...possible, deletion(image)] : possible;
}

function deletion(image) {
  const button = element("button", { type: "button", className: "quiet" }, t("Delete the picture"));
  button.onclick = () => remove(image).catch((error) => explain($("problem"), error));
  return button;
}

/** Delete a picture once the person has agreed, and close it. */
async function remove(image) {
  if (!(await ask(t("Delete the picture?"), t("It is gone at once, and cannot be restored.")))) return;
  $("zoom").close(); // which would cover what went wrong
  await api("DELETE", `/v1/jobs/${job}/images/${image.index}?newest=true`);
  whole = false;
  refresh();
}

function rejection(image, showAgain) {
  const waits = rejected.has(image.index);
  const text = waits ? t("Is made again …") : t("Reject");
  const button = element("button", { type: "button", className: "button plain", disabled: waits }, text);
  button.onclick = () => {
    reject(image).catch((error) => explain($("problem"), error));
    showAgain();
  };
  return button;
}

/** Have a picture made again with the next attempt, and show the new picture in its place. */
async function reject(image) {
  const tile = tiles.get(nameOf(image));
  rejected.add(image.index);
  tile.classList.add("waiting");
  try {
    const again = await api("POST", `/v1/jobs/${job}/reject`, { json: { images: [image.index] } });
    const { state } = ENDED.has(again.state) ? again : await follow(`/v1/jobs/${again.id}`, () => {});
    if (state !== "succeeded") throw new Refusal(t("The picture could not be made again."));
    whole = false;
    refresh(); // the tile waits until the new picture is listed
  } catch (error) {
    tile.classList.remove("waiting");
    throw error;
  } finally {
    rejected.delete(image.index);
  }
}

/** Let people choose a value of an attribute, once pictures differ in the attribute. */
function offer(name, value) {
  if (!choices.has(name)) {
    const select = element("select", { name }, element("option", { value: "" }, t("any")));
    const label = element("label", { hidden: true }, element("span", {}, t(name)), select);
    filter.untrusted.parentElement.before(label);
    choices.set(name, { label, select, values: new Set() });
  }
  const { label, select, values } = choices.get(name);
  if (values.has(value)) return;
  values.add(value);
  select.append(element("option", { value }, t(value)));
  if (values.size > 1) label.hidden = filter.hidden = false;
}

/** Fill the gallery; a call while another fills is carried out once after it. */
export function refresh() {
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

filter.onchange = () => {
  whole = false;
  wanted = Math.min(PAGE, total);
  refresh();
};
$("more").onclick = () => {
  wanted = images.length + PAGE;
  refresh();
};
