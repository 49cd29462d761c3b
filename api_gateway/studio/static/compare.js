// Compare: two versions draw the same looks. The right one gets the attributes that the left one's pictures have.

import { describeControls, looksOf, watchControls } from "./controls.js";
import { $, describe, element, picture, t } from "./studio.js";
import { Tries, randomName } from "./tries.js";
import { zoom } from "./zoom.js";

const PAIRS = 12;
const PREVIEW_SIDE = 256;
const PAUSE = 60; // milliseconds that a control must rest

$("versions").onchange = ({ target }) => {
  const other = $(target.id === "left" ? "right" : "left");
  const before = document.querySelector(`[data-version]:has(#${target.id})`).dataset.version;
  if (other.value === target.value) other.value = before; // the two change places
  $("versions").submit();
};

if ($("gallery")) start();

function start() {
  const form = $("controls");
  const [left, right] = [...document.querySelectorAll("#versions [data-ref]")].map((one) => one.dataset.ref);
  const tries = [left, right].map(() => new Tries($("status"), $("problem"), $("gallery")));
  const finish = Number($("gallery").dataset.size) < PREVIEW_SIDE ? { size: PREVIEW_SIDE } : {};
  let looks = randomName();
  let resting;

  function draw() {
    const order = { ...looksOf(form, looks, PAIRS), finish, output: { format: "webp" } };
    return tries[0].draw({ ...order, model: left }, (ours, signal) => {
      const names = [...form.querySelectorAll("[data-attribute]")].map((one) => one.dataset.attribute);
      const shared = ({ attributes }) => Object.fromEntries(names.map((name) => [name, attributes[name]]));
      const items = ours.map((image) => ({ sku: image.sku, attributes: shared(image) }));
      const same = { ...order, attributes: {}, items, model: right };
      return tries[1].draw(same, (theirs) => signal.aborted || show(ours, theirs));
    });
  }

  async function show(ours, theirs) {
    const images = ours.flatMap((image, place) => (theirs[place] ? [image, theirs[place]] : [image]));
    const pictures = await Promise.all(images.map(picture));
    const tiles = images.map((image, place) => {
      const open = element("button", { type: "button", className: "open" }, pictures[place]);
      open.onclick = () => zoom(images, place, (one) => [element("p", { className: "hint" }, one.model)]);
      return element("div", { className: "tile" }, open);
    });
    const pairs = ours.map((image, place) => {
      const both = element("div", { className: "both" }, ...tiles.slice(2 * place, 2 * place + 2));
      return element("figure", {}, both, element("figcaption", { className: "hint" }, describe(image)));
    });
    $("gallery").replaceChildren(...pairs);
  }

  function changed() {
    describeControls(form);
    clearTimeout(resting);
    resting = setTimeout(draw, PAUSE);
  }

  form.onsubmit = (event) => event.preventDefault();
  watchControls(form, changed);
  $("more").onclick = () => {
    looks = randomName();
    draw();
  };
  changed();
}
