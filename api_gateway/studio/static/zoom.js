// The enlarged picture, its neighbours by the arrow keys, and two pictures beside each other.

import { $, describe, element, t } from "./studio.js";

const dialog = $("zoom");
let images = [];
let place = 0;
let pinned = null; // the picture that the others are compared with
let actions;

/** Show `list[at]` large. `makeActions` returns the buttons and links for an image. */
export function zoom(list, at, makeActions) {
  images = list;
  actions = makeActions;
  pinned = null;
  show(at);
  if (!dialog.open) dialog.showModal();
}

/** The only action of a picture that belongs to an order: its download. */
export const downloads = (image) => [element("a", { className: "button", href: image.url, download: image.file }, t("Download"))];

function show(at) {
  place = (at + images.length) % images.length;
  const image = images[place];
  Object.assign($("zoom-picture"), { src: image.url, alt: describe(image) });
  if (pinned) Object.assign($("zoom-pinned"), { src: pinned.url, alt: describe(pinned) });
  $("zoom-pinned").hidden = !pinned;
  $("zoom-compare").ariaPressed = String(pinned !== null);
  $("zoom-compare").hidden = images.length < 2;
  dialog.classList.toggle("two", pinned !== null);
  const [facts, others] = [factsOf(image), factsOf(pinned ?? image)];
  const names = new Set([...others.keys(), ...facts.keys()]);
  $("zoom-facts").replaceChildren(
    ...[...names].map((name) => {
      const values = [others.get(name) ?? "–", facts.get(name) ?? "–"];
      const shown = values[0] === values[1] ? values.slice(1) : values;
      return element("div", {}, element("dt", {}, name), ...shown.map(written));
    }),
  );
  $("zoom-actions").replaceChildren(...actions(image, () => show(place)));
}

function factsOf(image) {
  const facts = Object.entries(image.attributes).map(([name, value]) => [t(name), value]);
  if (image.sku) facts.unshift([t("SKU"), image.sku]);
  if (image.mix) facts.push([t("Mixed with"), `${Math.round(image.mix.share * 100)} % ${describe(image.mix)}`]);
  if (image.attempt) facts.push([t("Attempt"), String(image.attempt + 1)]);
  const distances = image.quality?.colour_distances ?? [];
  if (distances.length > 1) facts.push([t("Colour distance of each attempt"), distances.join(", ")]);
  if (image.review) facts.push([t("Not trusted"), image.review]);
  if (image.findings?.length) facts.push([t("Breaks a rule"), image.findings.map((one) => t(one)).join("; ")]);
  return new Map(facts);
}

/** Return a value as people read it: a colour with a patch of it. */
function written(value) {
  const shown = element("dd", {}, t(value));
  if (/^#[0-9a-f]{6}$/.test(value)) {
    const patch = element("span", { className: "patch" });
    patch.style.backgroundColor = value;
    shown.prepend(patch);
  }
  return shown;
}

/** Keep the picture beside those that follow, or no longer. */
$("zoom-compare").onclick = () => {
  pinned = pinned ? null : images[place];
  show(pinned ? place + 1 : place);
};
$("zoom-before").onclick = () => show(place - 1);
$("zoom-after").onclick = () => show(place + 1);
$("zoom-close").onclick = () => dialog.close();
dialog.onclick = (event) => event.target === dialog && dialog.close();
dialog.onkeydown = (event) => {
  if (event.key === "ArrowLeft") show(place - 1);
  if (event.key === "ArrowRight") show(place + 1);
};
