// The enlarged picture, and its neighbours by the arrow keys.

import { $, describe, element, t } from "./studio.js";

const dialog = $("zoom");
let images = [];
let place = 0;
let actions;

/** Show `list[at]` large. `makeActions` returns the buttons and links for an image. */
export function zoom(list, at, makeActions) {
  images = list;
  actions = makeActions;
  show(at);
  if (!dialog.open) dialog.showModal();
}

/** The only action of a picture that belongs to an order: its download. */
export const downloads = (image) => [element("a", { className: "button", href: image.url, download: image.file }, t("Download"))];

function show(at) {
  place = (at + images.length) % images.length;
  const image = images[place];
  Object.assign($("zoom-picture"), { src: image.url, alt: describe(image) });
  const facts = Object.entries(image.attributes).map(([name, value]) => [t(name), value]);
  if (image.sku) facts.unshift([t("SKU"), image.sku]);
  if (image.review) facts.push([t("Not trusted"), image.review]);
  for (const finding of image.findings ?? []) facts.push([t("Breaks a rule"), finding]);
  $("zoom-facts").replaceChildren(
    ...facts.map(([name, value]) => {
      const shown = element("dd", {}, t(value));
      if (/^#[0-9a-f]{6}$/.test(value)) {
        const patch = element("span", { className: "patch" });
        patch.style.backgroundColor = value;
        shown.prepend(patch);
      }
      return element("div", {}, element("dt", {}, name), shown);
    }),
  );
  $("zoom-actions").replaceChildren(...actions(image, () => show(place)));
}

$("zoom-before").onclick = () => show(place - 1);
$("zoom-after").onclick = () => show(place + 1);
$("zoom-close").onclick = () => dialog.close();
dialog.onclick = (event) => event.target === dialog && dialog.close();
dialog.onkeydown = (event) => {
  if (event.key === "ArrowLeft") show(place - 1);
  if (event.key === "ArrowRight") show(place + 1);
};
