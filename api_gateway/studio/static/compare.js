// Compare: two versions draw the same looks. The right one gets the attributes that the left one's pictures have.

import { describeControls, looksOf, watchControls } from "./controls.js";
import { $, Refusal, describe, element, picture, t } from "./studio.js";
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

/** Return whether both versions have the values of a picture. Chips are values of both; a text field takes any value. */
function fitsBoth(form, { attributes }) {
  return [...form.querySelectorAll("[data-attribute]")].every((field) => {
    const boxes = [...field.querySelectorAll("input[type=checkbox]")];
    return field.querySelector("input[type=text]") || boxes.some((box) => box.value === attributes[field.dataset.attribute]);
  });
}

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
      const both = ours.filter((image) => fitsBoth(form, image));
      if (!both.length) throw new Refusal(t("No picture has values that both versions know. Choose values above."));
      const shared = ({ attributes }) => Object.fromEntries(names.map((name) => [name, attributes[name]]));
      const items = both.map((image) => ({ sku: image.sku, attributes: shared(image) }));
      const same = { ...order, attributes: {}, items, model: right };
      return tries[1].draw(same, (theirs) => signal.aborted || show(both, theirs));
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
