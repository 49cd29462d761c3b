// Live pictures: they follow the controls of a page, and each is made by its address.

import { Refusal, api, explain, picture, t } from "./studio.js";

const LANES = 5; // requests at a time; a browser sends six to a host, and the page needs one for all else
const PATIENCE = 4000; // milliseconds before the page says that it waits for a worker
const TURN = 1000; // milliseconds after which a new wish no longer waits for the first picture of the one before

/** The pictures of a page. The newest wish wins: of an older one, the first picture is still shown if it is being made, so
 * that pictures follow a slider while it moves. */
export class Live {
  #wish; // the newest
  #waiting = false; // whether the newest wish waits for a first picture
  #first; // the first picture of the wish that is drawn, until it is shown
  #turn;

  /** `show(place, image, picture)` is called for each image when its picture can be shown. */
  constructor(status, problem, gallery, show) {
    Object.assign(this, { status, problem, gallery, show });
  }

  /** Draw `images`, which have an address as `url`. */
  async draw(images) {
    this.#wish = images;
    if (this.#waiting) return;
    this.#waiting = true;
    if (this.#first) await Promise.race([this.#first, new Promise((resolve) => setTimeout(resolve, TURN))]);
    this.#waiting = false;
    this.#turn?.abort();
    this.#drawAll(this.#wish);
  }

  async #drawAll(images) {
    const turn = (this.#turn = new AbortController());
    const began = performance.now();
    const waiting = setTimeout(() => (this.status.textContent = t("Waiting for a free worker …")), PATIENCE);
    let next = 0;
    const draw = async (place) => {
      const [image, file] = await made(images[place], turn.signal);
      const shown = await picture({ ...image, url: file });
      turn.signal.throwIfAborted();
      clearTimeout(waiting);
      this.gallery.children[place].ariaBusy = "false";
      this.show(place, image, shown);
    };
    const lane = async () => {
      while (next < images.length) await draw(next++);
    };
    const first = draw(next++); // alone and before all else: the others would delay it
    explain(this.problem);
    this.#setBusy(true);
    this.status.textContent = t("Drawing …");
    const settled = first.catch(() => {}).then(() => this.#first === settled && (this.#first = undefined));
    this.#first = settled;
    try {
      await first;
      if (this.#waiting) return; // for a newer wish
      const others = images.slice(next).map(({ url }) => url);
      await api("POST", "/v1/render", { json: { addresses: others, begin: true }, signal: turn.signal });
      await Promise.all(Array.from({ length: LANES }, lane));
      const seconds = ((performance.now() - began) / 1000).toFixed(1);
      this.status.textContent = t("{count} pictures in {seconds} s", { count: images.length, seconds });
    } catch (error) {
      if (turn.signal.aborted) return;
      turn.abort(); // the other lanes
      this.status.textContent = "";
      explain(this.problem, error);
    } finally {
      clearTimeout(waiting);
      if (this.#turn === turn) this.#setBusy(false);
    }
  }

  #setBusy(busy) {
    for (const tile of this.gallery.children) tile.ariaBusy = String(busy);
  }
}

/** Have an image made. Returns it with all its attributes, and its file as a URL: the file has come already, and a second
 * request for it, even from the browser's cache, would take longer. */
async function made(image, signal) {
  const response = await api("GET", image.url, { signal, whole: true });
  const attributes = Object.fromEntries(new URLSearchParams(response.headers.get("Prodgen-Attributes")));
  const bytes = new Uint8Array(await response.arrayBuffer());
  const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  return [{ ...image, attributes }, `data:${response.headers.get("Content-Type")};base64,${btoa(text)}`];
}
