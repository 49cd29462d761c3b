// Mixes: the pictures between two pictures that were kept, made by their addresses.

import { $, describe, element, t } from "./studio.js";
import { zoom } from "./zoom.js";

const SHARES = [0.25, 0.5, 0.75];
const STEPS = 12;

/** The address of a picture; of a morph from it to the picture that is mixed in, if there are `steps`. */
export function address(model, side, { seed, draw, attempt, attributes, mix }, format, steps) {
  const query = new URLSearchParams({ size: side });
  for (const [name, value] of Object.entries(attributes)) query.set(`attribute.${name}`, value);
  if (attempt) query.set("attempt", attempt);
  if (mix) {
    query.set("mix", [mix.seed, mix.draw, mix.attempt].join("/"));
    for (const [name, value] of Object.entries(mix.attributes)) query.set(`mix.${name}`, value);
    query.set(...(steps ? ["steps", steps] : ["share", mix.share]));
  }
  return `/v1/render/${model}/${seed}/${draw}.${format}?${query}`;
}

/** Mixes of the pictures of a `shelf`, which has the methods `list`, `has`, `toggle` and `actions`. */
export class Mixing {
  #pair = [];
  #mixes = [];

  constructor(model, side, shelf) {
    Object.assign(this, { model, side, shelf });
    $("mix").onclick = () => this.#open();
    $("mix-close").onclick = () => $("mixing").close();
  }

  /** The pictures that can be mixed. Those that were kept before mixes existed lack their numbers. */
  #offered = () => this.shelf.list().filter((image) => image.draw !== undefined && !image.mix);

  /** Offer mixes if there are two pictures to mix, and show which mixes are kept. */
  update() {
    $("mix").hidden = this.#offered().length < 2;
    for (const { image, keep } of this.#mixes) keep.ariaPressed = String(this.shelf.has(image));
  }

  #open() {
    const offered = this.#offered();
    this.#pair = offered.slice(-2);
    $("mix-from").replaceChildren(
      ...offered.map((image) => {
        const choose = element("button", { type: "button", className: "open" }, element("img", { src: image.url, alt: describe(image) }));
        choose.onclick = () => {
          if (!this.#pair.includes(image)) this.#pair = [this.#pair[1], image];
          this.#draw();
        };
        return element("li", {}, Object.assign(choose, { image }));
      }),
    );
    this.#draw();
    $("mixing").showModal();
  }

  #draw() {
    for (const choose of $("mix-from").querySelectorAll("button")) choose.ariaPressed = String(this.#pair.includes(choose.image));
    const [first, second] = this.#pair;
    const images = this.#between(first, second);
    this.#mixes = images.map((image, place) => {
      const open = element("button", { type: "button", className: "open" }, element("img", { src: image.url, alt: describe(image) }));
      const keep = element("button", { type: "button", className: "keep", ariaLabel: t("Keep {picture}", { picture: describe(image) }) });
      open.onclick = () => zoom(images, place, this.shelf.actions);
      keep.onclick = () => this.shelf.toggle(image);
      return { image, open, keep };
    });
    const morph = { ...first, mix: second };
    const file = (format, name) =>
      element("a", { href: address(this.model, this.side, morph, format, STEPS), download: `morph.${format}`, className: "quiet" }, name);
    const loop = element("img", { src: address(this.model, this.side, morph, "webp", STEPS), alt: t("From the first to the second") });
    $("mixes").replaceChildren(
      ...this.#mixes.map(({ image, open, keep }) => figure(image.caption, open, keep)),
      figure(t("From the first to the second"), element("div", { className: "open" }, loop)),
    );
    $("mix-files").replaceChildren(file("webp", "WebP"), file("gif", "GIF"), file("png", t("Strip")));
    this.update();
  }

  /** The mixes of two pictures: the look of one with the attributes of the other, and those half way. */
  #between(first, second) {
    const mixes = SHARES.map((share) => {
      const { seed, draw, attempt, attributes } = second;
      return this.#mix(first, second, `${share * 100}`, t("{share} % of the second", { share: share * 100 }), { mix: { seed, draw, attempt, attributes, share } });
    });
    if (JSON.stringify(first.attributes) === JSON.stringify(second.attributes)) return mixes;
    return [
      this.#mix(first, second, "first", t("Shape of the first, the rest of the second"), { attributes: second.attributes }),
      ...mixes,
      this.#mix(second, first, "second", t("Shape of the second, the rest of the first"), { attributes: first.attributes }),
    ];
  }

  #mix(own, other, tag, caption, changes) {
    const { seed, draw, attempt, attributes } = own;
    const latent = { seed, draw, attempt };
    const image = { sku: `${own.sku}-${other.sku}-${tag}`, ...latent, latent, attributes, caption, ...changes };
    return { ...image, url: address(this.model, this.side, image, "webp") };
  }
}

const figure = (caption, ...inside) => element("figure", {}, element("div", { className: "tile" }, ...inside), element("figcaption", {}, caption));
