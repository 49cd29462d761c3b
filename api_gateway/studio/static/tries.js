// Tries: small interactive orders that follow the controls of a page.

import { ENDED, Refusal, api, explain, follow, t } from "./studio.js";

const PATIENCE = 4000; // milliseconds before the page says that it waits for a worker

/** The tries of a page. The newest wins; older ones are cancelled, and their images are never shown. */
export class Tries {
  #newest = null;
  #drawing; // the order that is being drawn, as a text

  constructor(status, problem, gallery) {
    Object.assign(this, { status, problem, gallery });
  }

  /** Order images and pass them to `show`; then say how long it took. Failures are explained on the page.
   * `failed` is called if the workers cannot make the images. */
  async draw(order, show, failed = () => {}) {
    const text = JSON.stringify(order);
    if (text === this.#drawing) return; // it is the same job: to cancel one try would cancel the other
    this.#drawing = text;
    this.#newest?.abort();
    const turn = (this.#newest = new AbortController());
    const { signal } = turn;
    const began = performance.now();
    explain(this.problem);
    this.gallery.ariaBusy = "true";
    this.status.textContent = t("Drawing …");
    const waiting = setTimeout(() => (this.status.textContent = t("Waiting for a free worker …")), PATIENCE);
    let job;
    try {
      job = await place({ ...order, priority: "interactive", keep: "7d" }, signal);
      if (!ENDED.has(job.state)) job.state = (await follow(`/v1/jobs/${job.id}`, () => {}, signal)).state;
      const images = (await api("GET", `/v1/jobs/${job.id}/images?limit=64`, { signal })).data;
      if (job.state === "failed") failed();
      if (!images.length) throw new Refusal(await reason(job.id));
      await show(images.map((image) => ({ ...image, job: job.id })), signal);
      const seconds = ((performance.now() - began) / 1000).toFixed(1);
      const count = images.length;
      this.status.textContent =
        count === 1 ? t("1 picture in {seconds} s", { seconds }) : t("{count} pictures in {seconds} s", { count, seconds });
    } catch (error) {
      if (!signal.aborted) {
        this.status.textContent = "";
        explain(this.problem, error);
      } else if (job && !ENDED.has(job.state)) {
        api("POST", `/v1/jobs/${job.id}/cancel`).catch(() => {});
      }
    } finally {
      clearTimeout(waiting);
      if (this.#newest === turn) {
        this.gallery.ariaBusy = "false";
        this.#drawing = undefined;
      }
    }
  }
}

/** Place an order. The same order again gives the same job, so that a page that is loaded again costs nothing. */
async function place(order, signal) {
  const key = `studio ${hash(JSON.stringify(order))}`;
  const job = await api("POST", "/v1/jobs", { json: order, key, signal }).catch((error) => {
    if (error.status !== 409) throw error; // the job with this key was deleted
  });
  if (job && job.state !== "cancelled" && job.state !== "failed") return job;
  return api("POST", "/v1/jobs", { json: order, key: `${key} ${randomName()}`, signal });
}

/** Return why a job has made no images. */
async function reason(job) {
  return (await api("GET", `/v1/jobs/${job}`)).error ?? t("No picture could be made.");
}

/** Return six random letters and digits: a name that is new. */
export function randomName() {
  const letters = "23456789abcdefghjkmnpqrstuvwxyz";
  return [...crypto.getRandomValues(new Uint8Array(6))].map((byte) => letters[byte % letters.length]).join("");
}

/** Return a key that no other order has. */
export const randomKey = () => randomName() + randomName();

/** Return a name for a text, almost certainly its own: two hashes of 32 bits (FNV-1a). Needs no secure context. */
function hash(text) {
  const fold = (start) => [...text].reduce((h, letter) => Math.imul(h ^ letter.codePointAt(0), 16777619), start) >>> 0;
  return `${fold(2166136261)}-${fold(1)}`;
}
