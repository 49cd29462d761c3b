// What the scripts of all pages share: translations, requests to the API, and the following of a job.

export const $ = (id) => document.getElementById(id);
export const ENDED = new Set(["succeeded", "partial", "failed", "cancelled"]);

const catalogue = JSON.parse($("catalogue").textContent);
const token = document.querySelector("meta[name=csrf-token]").content;
const WAIT = 2000;

/** Return a text whose {names} are replaced by `values`. */
const fill = (text, values) => text.replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all);

/** The patterns of the API's sentences, in which each {name} stands for any text, and their translations. */
const sentences = JSON.parse($("sentences").textContent).map(([english, local]) => {
  const escaped = english.replace(/[.*+?^$()|[\]\\]/g, "\\$&");
  return [new RegExp(`^${escaped.replace(/\{(\w+)\}/g, "(?<$1>.+?)")}$`, "s"), local];
});

/** Return `text` in the language of the page, its {names} replaced by `values`. `text` may also be a sentence of the
 * API, or a list of words. `translate` of language.py does the same. */
export function t(text, values = {}) {
  if (Object.hasOwn(catalogue, text)) return fill(catalogue[text], values);
  for (const [pattern, local] of sentences) {
    const fit = pattern.exec(text);
    if (!fit) continue;
    const parts = Object.entries(fit.groups ?? {}).map(([name, part]) => [name, t(part)]);
    return fill(local, Object.fromEntries(parts));
  }
  const words = text.split(", ");
  return fill(words.length > 1 ? words.map((word) => t(word)).join(", ") : text, values);
}

/** Return a number as people of the page's language write it. */
export const number = (value) => value.toLocaleString(document.documentElement.lang);

/** Return a new element. `properties` are set on it; `children` are elements or texts. */
export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/** A request that the gateway has refused, or has not answered. `message` is a sentence for people. */
export class Refusal extends Error {
  constructor(message, { status = 0, details = [], more = 0 } = {}) {
    super(message);
    Object.assign(this, { status, details, more });
  }
}

/** Send a request to the API and return the JSON of its answer, or with `whole` the answer itself. Throws Refusal, or the
 * reason of `signal`. */
export async function api(method, path, { json, body, key, signal, type, whole } = {}) {
  const headers = { "X-CSRF-Token": token };
  if (key) headers["Idempotency-Key"] = key;
  if (json !== undefined) body = JSON.stringify(json);
  if (body !== undefined) headers["Content-Type"] = type ?? "application/json";
  let response;
  try {
    response = await fetch(path, { method, headers, body, signal });
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    throw new Refusal(t("prodgen does not answer. Look whether you are online, and try again."));
  }
  const answer = whole && response.ok ? response : await response.json().catch(() => ({}));
  signal?.throwIfAborted(); // an answer that was cut off is no empty answer
  if (response.ok) return answer;
  const { message = t("prodgen failed to answer."), ...rest } = answer.error ?? {};
  throw new Refusal(message, { ...rest, status: response.status });
}

/** Call `changed` with each change of a job or run at `path`; resolve with the last one when it has ended. */
export function follow(path, changed, signal) {
  return new Promise((resolve, reject) => {
    let source;
    const end = (settle, value) => {
      source.close();
      signal?.removeEventListener("abort", stop);
      settle(value);
    };
    const stop = () => end(reject, signal.reason);
    const hear = (now, id) => {
      changed(now, id);
      if (ENDED.has(now.state)) end(resolve, now);
    };
    const open = () => {
      if (signal?.aborted) return;
      source = new EventSource(`${path}/events`);
      for (const type of ["state", "progress"])
        source.addEventListener(type, (event) => hear(JSON.parse(event.data), event.lastEventId));
      source.onerror = () => {
        // A browser connects again by itself, unless the answer was a refusal.
        if (source.readyState !== EventSource.CLOSED) return;
        api("GET", path, { signal }).then(
          (now) => {
            hear(now);
            if (!ENDED.has(now.state)) setTimeout(open, WAIT);
          },
          (error) => (error.status === 0 || error.status >= 500 ? setTimeout(open, WAIT) : end(reject, error)),
        );
      };
    };
    signal?.addEventListener("abort", stop);
    open();
  });
}

/** Ask in the dialog of the page, and resolve with whether the answer is yes. */
export function ask(title, about) {
  $("asking-title").textContent = title;
  $("asking-about").textContent = about;
  $("asking").returnValue = ""; // Escape keeps the answer of the last time
  $("asking").showModal();
  return new Promise((resolve) => ($("asking").onclose = () => resolve($("asking").returnValue === "yes")));
}

/** Show the sentence of an error in `place`; without an error, hide the place. */
export function explain(place, error) {
  place.hidden = !error;
  place.replaceChildren();
  if (!error) return;
  if (!(error instanceof Refusal)) console.error(error);
  if (error.status === 401) {
    const next = encodeURIComponent(location.pathname + location.search);
    const link = element("a", { href: `/sign-in?next=${next}` }, t("Sign in again"));
    place.append(t("Your session has ended, or your key was revoked."), " ", link);
  } else {
    place.append(t(error.message));
  }
}

/** Return a number with its sign. */
export const signed = (value) => (Number(value) > 0 ? `+${Number(value)}` : String(value).replace("-", "−"));

/** Describe an image by its attributes: by what was changed, of a photograph. A digest is an uploaded picture. */
export function describe(image) {
  const own = Object.entries(image.attributes)
    .filter(([, value]) => value !== "original")
    .map(([name, value]) => (/^-?[0-9.]+$/.test(value) ? `${t(name)} ${value}` : t(/^[0-9a-f]{64}$/.test(value) ? "a picture of yours" : value)))
    .join(", ");
  return image.mix ? `${own} + ${Math.round(image.mix.share * 100)} % ${describe(image.mix)}` : own;
}

/** Return a picture of an image once it can be shown. */
export async function picture(image) {
  const made = element("img", { src: image.url, alt: describe(image), decoding: "async" });
  await made.decode().catch(() => {});
  return made;
}

/** Return the name under which the browser keeps a list for the tenant of the page. Lists without a tenant, which
 * earlier versions kept, are removed: another tenant may have left them. */
export function shelf(name) {
  localStorage.removeItem(name);
  return `${name} of ${document.body.dataset.tenant}`;
}

/** Call `take` with the list that the browser remembers under `place`, when another tab has changed it. */
export function listenToTabs(place, take) {
  addEventListener("storage", ({ key, newValue }) => key === place && take(JSON.parse(newValue ?? "[]")));
}

/** Let people drop files on `place`; `take` gets the files. */
export function dropZone(place, take) {
  for (const type of ["dragover", "dragleave", "drop"])
    place.addEventListener(type, (event) => {
      event.preventDefault();
      place.classList.toggle("over", type === "dragover");
      if (type === "drop") take([...event.dataTransfer.files]);
    });
}

/** Paint each element with the colour that its `data-colour` names. */
for (const one of document.querySelectorAll("[data-colour]")) one.style.backgroundColor = one.dataset.colour;

/** Show the state and the counts of a job in the element that the page has for them. */
export function showState(place, { state, done }) {
  place.dataset.state = state;
  place.querySelector(".word").textContent = t(state);
  place.querySelector("progress").value = done;
  place.querySelector(".done").textContent = number(done);
}

/** Write each time as people of the page's language and time zone do. */
for (const time of document.querySelectorAll("time"))
  time.textContent = new Date(time.dateTime).toLocaleString(document.documentElement.lang, {
    dateStyle: "medium",
    timeStyle: "short",
  });

/** Return a duration in seconds in words, by its largest unit. */
export function duration(seconds) {
  const [unit, size] = seconds < 90 ? ["second", 1] : seconds < 5400 ? ["minute", 60] : seconds < 172800 ? ["hour", 3600] : ["day", 86400];
  const options = { style: "unit", unit, unitDisplay: "long", maximumFractionDigits: unit === "hour" ? 1 : 0 };
  return (seconds / size).toLocaleString(document.documentElement.lang, options);
}
