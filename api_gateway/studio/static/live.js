// Live pictures: they follow the controls of a page, and each is made by its address.

import { Refusal, api, explain, picture, t } from "./studio.js";

const LANES = 4; // requests at a time; a browser sends six to a host, and the page needs some for all else
const PATIENCE = 4000; // milliseconds before the page says that it waits for a worker
const TURN = 150; // milliseconds after which a new wish no longer waits for the first picture of the one before

/** The pictures of a page. The newest wish wins: of an older one, only a first picture that is nearly made is still shown, so
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
    explain(this.problem);
    this.gallery.ariaBusy = "true";
    this.status.textContent = t("Drawing …");
    const waiting = setTimeout(() => (this.status.textContent = t("Waiting for a free worker …")), PATIENCE);
    let next = 0;
    const draw = async (place) => {
      const image = await made(images[place], turn.signal);
      const shown = await picture(image);
      turn.signal.throwIfAborted();
      clearTimeout(waiting);
      this.show(place, image, shown);
    };
    const lane = async () => {
      while (next < images.length) await draw(next++);
    };
    const first = draw(next++);
    this.#first = first.catch(() => {}).then(() => (this.#first = undefined));
    try {
      await Promise.all([first.then(lane), ...Array.from({ length: LANES - 1 }, lane)]);
      const seconds = ((performance.now() - began) / 1000).toFixed(1);
      this.status.textContent = t("{count} pictures in {seconds} s", { count: images.length, seconds });
    } catch (error) {
      if (turn.signal.aborted) return;
      turn.abort(); // the other lanes
      this.status.textContent = "";
      explain(this.problem, error);
    } finally {
      clearTimeout(waiting);
      if (this.#turn === turn) this.gallery.ariaBusy = "false";
    }
  }
}

/** Have an image made, and return it with all its attributes. */
async function made(image, signal) {
  const response = await api("GET", image.url, { signal, whole: true });
  await response.blob(); // the browser keeps it under its address
  return { ...image, attributes: Object.fromEntries(new URLSearchParams(response.headers.get("Prodgen-Attributes"))) };
}
