// Redrawing: the model draws a picture of one's own again, with other attributes by the strength asked.

import { watchControls } from "./controls.js";
import { $, api, describe, element, explain, t } from "./studio.js";

const PAUSE = 150; // milliseconds that a control must rest, because the search for a picture takes seconds
const STYLE = 0.5; // the share of another look at full strength: beyond half, the picture is lost

/** The dialog that changes a picture. The `shelf` of kept pictures has the methods `list`, `has` and `toggle`. */
export class Redrawing {
  picture = new URLSearchParams(location.search).get("picture"); // its digest, while the dialog is open
  #form = $("redraw-form");
  #style = null;
  #newest = new AbortController();
  #resting;

  constructor(model, side, shelf, moved) {
    Object.assign(this, { model, side, shelf, moved });
    $("redraw-file").onchange = ({ target }) => this.#take(target.files[0]).then(() => (target.value = ""));
    $("redraw-close").onclick = () => $("redrawing").close();
    $("redrawing").onclose = () => {
      this.picture = null;
      this.#newest.abort();
      moved();
    };
    $("redraw-keep").onclick = () => {
      shelf.toggle(this.image);
      this.#mark();
    };
    this.#form.model.onchange = ({ target }) =>
      (location.search = new URLSearchParams({ model: target.value, picture: this.picture }));
    watchControls(this.#form, () => this.#changed());
    if (this.picture) this.#open();
  }

  /** Change the picture at an address, which shows these attributes. */
  async start(url, attributes) {
    await this.#take(await (await api("GET", url, { whole: true })).blob(), attributes);
  }

  async #take(file, attributes) {
    if (!file) return;
    explain($("problem"));
    try {
      this.picture = (await api("POST", "/v1/uploads", { body: file, type: file.type || "image/jpeg" })).id;
    } catch (error) {
      return explain($("problem"), error);
    }
    this.#form.reset();
    for (const [name, value] of Object.entries(attributes ?? {})) {
      const said = this.#form.elements[`picture.${name}`];
      if (said) said.value = value;
    }
    this.#open();
    this.moved();
  }

  #open() {
    $("redraw-from").src = `/v1/uploads/${this.picture}`;
    $("redraw-to").replaceChildren();
    this.#style = null;
    const offered = this.shelf.list().filter((image) => image.draw !== undefined && !image.mix);
    $("redraw-style").hidden = !offered.length;
    $("redraw-styles").replaceChildren(
      ...offered.map((image) => {
        const choose = element("button", { type: "button", className: "open", ariaPressed: "false" });
        choose.append(element("img", { src: image.url, alt: describe(image) }));
        choose.onclick = () => {
          this.#style = this.#style === image ? null : image;
          for (const other of $("redraw-styles").querySelectorAll("button"))
            other.ariaPressed = String(other === choose && this.#style !== null);
          this.#changed();
        };
        return element("li", {}, choose);
      }),
    );
    $("redrawing").showModal();
    this.#changed();
  }

  #changed() {
    this.#form.querySelector("output").textContent = `${this.#form.strength.value} %`;
    clearTimeout(this.#resting);
    this.#resting = setTimeout(() => this.#draw(), PAUSE);
  }

  /** What the form says: the attributes of the picture, and those to change. */
  #said() {
    const [known, changes] = [{}, {}];
    for (const [name, value] of new FormData(this.#form)) {
      if (["model", "strength"].includes(name) || !value.trim()) continue;
      if (value === "0" && this.#form.elements[name].type === "range") continue; // a slider at 0 asks for nothing
      if (name.startsWith("picture.")) known[name.slice("picture.".length)] = value;
      else changes[name] = value.trim();
    }
    return { known, changes };
  }

  async #draw() {
    this.#newest.abort();
    const { signal } = (this.#newest = new AbortController());
    explain($("redraw-problem"));
    $("redraw-keep").disabled = true;
    const missing = !this.#form.checkValidity();
    $("redraw-to").ariaBusy = String(!missing);
    $("redraw-about").textContent = missing ? t("Say below what the picture shows.") : t("The model looks for the picture …");
    if (missing) return;
    const { known, changes } = this.#said();
    const strength = this.#form.strength.value / 100;
    const query = new URLSearchParams({ size: this.side, picture: this.picture, strength });
    for (const [name, value] of Object.entries(known)) query.set(`picture.${name}`, value);
    for (const [name, value] of Object.entries(changes)) query.set(`attribute.${name}`, value);
    const style = this.#style && { seed: this.#style.seed, draw: this.#style.draw, attempt: this.#style.attempt, share: STYLE * strength };
    if (style) {
      query.set("mix", [style.seed, style.draw, style.attempt].join("/"));
      query.set("share", style.share);
    }
    const url = `/v1/render/${this.model}/0/0.webp?${query}`;
    try {
      const { headers } = await api("GET", url, { whole: true, signal });
      const found = Object.fromEntries(new URLSearchParams(headers.get("Prodgen-Attributes")));
      const sku = `picture-${this.picture.slice(0, 6)}-${Math.round(strength * 100)}${style ? `-${this.#style.sku}` : ""}`;
      const attributes = { ...found, ...changes };
      const picture = { sha256: this.picture, strength, attributes: known };
      this.image = { sku, attributes, picture, url, ...(style && { mix: { ...style, attributes } }) };
      $("redraw-to").replaceChildren(element("img", { src: url, alt: describe(this.image) }));
      const shown = Object.entries(found).map(([name, value]) => `${t(name)} ${t(value)}`).join(", ");
      const distance = headers.get("Prodgen-Distance");
      const likeness = t(headers.get("Prodgen-Likeness"));
      $("redraw-about").textContent = t("Taken for {attributes}; {likeness} (distance {distance}).", { attributes: shown, likeness, distance });
      $("redraw-keep").disabled = false;
      this.#mark();
    } catch (error) {
      if (signal.aborted) return;
      $("redraw-about").textContent = "";
      explain($("redraw-problem"), error);
    } finally {
      if (!signal.aborted) $("redraw-to").ariaBusy = "false";
    }
  }

  #mark() {
    $("redraw-keep").textContent = this.shelf.has(this.image) ? t("Do not keep") : t("Keep");
  }
}
