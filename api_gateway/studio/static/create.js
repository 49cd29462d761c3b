// Create: every change of a control orders 24 pictures. The newest request wins; older ones are cancelled.

import { $, ENDED, Refusal, api, describe, element, explain, follow, number, picture, t } from "./studio.js";
import { zoom } from "./zoom.js";

const PICTURES = 24;
const PREVIEW_SIDE = 256;
const PAUSE = 60; // milliseconds that a control must rest
const PATIENCE = 4000;

const form = $("controls");
if (form) start();

function start() {
  const { model, size } = form.dataset;
  const shelf = `kept ${model}`;
  let looks = new URLSearchParams(location.search).get("looks") ?? newLooks();
  let images = [];
  let newest = null;
  let resting;
  let kept = JSON.parse(localStorage.getItem(shelf) ?? "[]");
  let orderKey;

  const tiles = Array.from({ length: PICTURES }, (_, place) => {
    const open = element("button", { type: "button", className: "open", disabled: true });
    const keep = element("button", { type: "button", className: "keep", hidden: true });
    open.onclick = () => zoom(images, place, zoomActions);
    keep.onclick = () => toggle(images[place]);
    const tile = element("div", { className: "tile" }, open, keep);
    $("gallery").append(tile);
    return { tile, open, keep };
  });

  // The controls

  function wanted(root = form) {
    const found = {};
    for (const [name, value] of new FormData(root))
      if (value.trim() && name !== "model") (found[name] ??= []).push(value.trim());
    return found;
  }

  function describeControls(root) {
    const values = wanted(root);
    for (const hint of root.querySelectorAll("[data-chosen]")) {
      const chosen = values[hint.dataset.chosen]?.length ?? 0;
      hint.textContent = chosen ? t("{count} chosen", { count: chosen }) : hint.dataset.none;
    }
    return values;
  }

  function remember(push) {
    const query = new URLSearchParams([["model", form.model.value], ["looks", looks]]);
    for (const [name, values] of Object.entries(wanted())) values.forEach((value) => query.append(name, value));
    history[push ? "pushState" : "replaceState"](null, "", `?${query}`);
  }

  function changed(push = false) {
    $("clear").hidden = !Object.keys(describeControls(form)).length;
    remember(push);
    clearTimeout(resting);
    resting = setTimeout(draw, PAUSE);
  }

  form.onsubmit = (event) => event.preventDefault();
  form.onchange = (event) => {
    if (event.target.name === "model") location.search = new URLSearchParams({ model: event.target.value });
    else if (event.target.type !== "color") changed();
  };
  for (const picker of form.querySelectorAll("input[type=color]"))
    picker.oninput = () => {
      picker.nextElementSibling.value = picker.value;
      changed();
    };
  $("more").onclick = () => {
    looks = newLooks();
    changed(true);
  };
  $("clear").onclick = () => {
    form.querySelectorAll("input:checked").forEach((box) => (box.checked = false));
    form.querySelectorAll("input[type=text]").forEach((field) => (field.value = ""));
    changed();
  };
  onpopstate = () => location.reload();

  // The pictures

  /** Return the order of 24 looks; where an attribute has several values, the pictures take turns. */
  function request() {
    const shared = {};
    let combinations = [{}];
    for (const [name, values] of Object.entries(wanted()))
      if (values.length === 1) shared[name] = values[0];
      else combinations = combinations.flatMap((one) => values.map((value) => ({ ...one, [name]: value })));
    return {
      model,
      attributes: shared,
      seed_from: "sku",
      items: Array.from({ length: PICTURES }, (_, place) => ({
        sku: `${looks}-${String(place + 1).padStart(2, "0")}`,
        attributes: combinations[place % combinations.length],
      })),
      finish: size < PREVIEW_SIDE ? { size: PREVIEW_SIDE } : {},
      output: { format: "webp" },
      priority: "interactive",
      keep: "7d",
    };
  }

  async function draw() {
    newest?.abort();
    const turn = (newest = new AbortController());
    const { signal } = turn;
    const began = performance.now();
    explain($("problem"));
    $("gallery").ariaBusy = "true";
    $("status").textContent = t("Drawing …");
    const waiting = setTimeout(() => ($("status").textContent = t("Waiting for a free worker …")), PATIENCE);
    let job;
    try {
      const order = request();
      const key = `studio ${hash(JSON.stringify(order))}`;
      job = await api("POST", "/v1/jobs", { json: order, key, signal }).catch((error) => {
        if (error.status !== 409) throw error; // the order with this key was deleted
      });
      if (!job || job.state === "cancelled" || job.state === "failed")
        job = await api("POST", "/v1/jobs", { json: order, key: `${key} ${newLooks()}`, signal });
      if (!ENDED.has(job.state)) await follow(job.id, (now) => (job.state = now.state), signal);
      const page = await api("GET", `/v1/jobs/${job.id}/images?limit=${PICTURES}`, { signal });
      if (!page.data.length) throw new Refusal(job.error ?? t("No picture could be made."));
      await show(page.data.map((image) => ({ ...image, job: job.id })), signal);
      const seconds = ((performance.now() - began) / 1000).toFixed(1);
      $("status").textContent = t("{count} pictures in {seconds} s", { count: images.length, seconds });
    } catch (error) {
      if (signal.aborted) {
        if (job && !ENDED.has(job.state)) api("POST", `/v1/jobs/${job.id}/cancel`).catch(() => {});
        return;
      }
      $("status").textContent = "";
      explain($("problem"), error);
    } finally {
      clearTimeout(waiting);
      if (newest === turn) $("gallery").ariaBusy = "false";
    }
  }

  async function show(found, signal) {
    const pictures = await Promise.all(found.map(picture));
    signal.throwIfAborted();
    images = found;
    tiles.forEach(({ tile, open, keep }, place) => {
      tile.hidden = place >= images.length;
      if (tile.hidden) return;
      open.disabled = keep.hidden = false;
      open.replaceChildren(pictures[place]);
    });
    markKept();
  }

  // The pictures that are kept

  const sameLook = (image) => (other) =>
    other.sku === image.sku && JSON.stringify(other.attributes) === JSON.stringify(image.attributes);

  function toggle(image) {
    const others = kept.filter((other) => !sameLook(image)(other));
    const { job, index, sku, attributes, url } = image;
    kept = others.length < kept.length ? others : [...kept, { job, index, sku, attributes, url }];
    save();
  }

  function save() {
    localStorage.setItem(shelf, JSON.stringify(kept));
    markKept();
    showTray();
  }

  function markKept() {
    images.forEach((image, place) => {
      const { keep } = tiles[place];
      const is = kept.some(sameLook(image));
      keep.ariaPressed = String(is);
      keep.ariaLabel = t("Keep {picture}", { picture: describe(image) });
    });
  }

  function showTray() {
    $("tray").hidden = !kept.length;
    document.body.classList.toggle("has-tray", kept.length > 0);
    $("count").textContent = t("{count} kept", { count: kept.length });
    $("kept").replaceChildren(
      ...kept.map((image, place) => {
        const shown = element("img", { src: image.url, alt: describe(image) });
        shown.onerror = () => renew(image, shown);
        const open = element("button", { type: "button", className: "open" }, shown);
        open.onclick = () => zoom(kept, place, zoomActions);
        return element("li", {}, open);
      }),
    );
  }

  /** Give a kept picture a new link, because links expire. */
  async function renew(image, shown) {
    shown.onerror = null;
    const page = await api("GET", `/v1/jobs/${image.job}/images?limit=1&after=${image.index - 1}`).catch(() => null);
    if (!page?.data.length) return;
    image.url = shown.src = page.data[0].url;
    localStorage.setItem(shelf, JSON.stringify(kept));
  }

  function zoomActions(image, again) {
    const is = kept.some(sameLook(image));
    const button = element("button", { type: "button", className: is ? "button plain" : "button" }, is ? t("Do not keep") : t("Keep"));
    button.onclick = () => {
      toggle(image);
      again();
    };
    return [button];
  }

  $("empty").onclick = () => {
    kept = [];
    save();
  };

  // The order of the kept pictures

  const ordering = $("order-form");

  function describeOrder() {
    const colours = Object.values(describeControls(ordering)).length ? colourChoice() : {};
    const each = Object.values(colours)[0]?.length || 1;
    const total = kept.length * each * (Number(ordering.count.value) || 1);
    $("ordering-about").textContent = t("{looks} looks, {total} pictures", { looks: number(kept.length), total: number(total) });
  }

  function colourChoice() {
    const values = wanted(ordering);
    const names = [...ordering.querySelectorAll("[data-colours] [data-chosen]")].map((hint) => hint.dataset.chosen);
    return Object.fromEntries(names.filter((name) => values[name]).map((name) => [name, values[name]]));
  }

  $("order").onclick = () => {
    orderKey = `studio order ${crypto.getRandomValues(new Uint32Array(3)).join("-")}`;
    explain($("order-problem"));
    describeOrder();
    $("ordering").showModal();
  };
  ordering.oninput = describeOrder;
  ordering.onsubmit = async (event) => {
    if (event.submitter?.value === "cancel") return;
    event.preventDefault();
    explain($("order-problem"));
    $("place").disabled = true;
    const order = {
      model,
      seed_from: "sku",
      items: kept.map(({ sku, attributes }) => ({ sku, attributes: { ...attributes, ...colourChoice() } })),
      count: Number(ordering.count.value),
      finish: ordering.size.value ? { size: Number(ordering.size.value) } : {},
      output: { format: ordering.format.value },
    };
    if (ordering.title.value.trim()) order.title = ordering.title.value.trim();
    try {
      const job = await api("POST", "/v1/jobs", { json: order, key: orderKey });
      localStorage.removeItem(shelf);
      location.href = `/orders/${job.id}`;
    } catch (error) {
      explain($("order-problem"), error);
      $("place").disabled = false;
    }
  };

  showTray();
  changed();
}

/** Return a short name that no earlier pictures have. A picture depends on this name and its place. */
function newLooks() {
  const letters = "23456789abcdefghjkmnpqrstuvwxyz";
  return [...crypto.getRandomValues(new Uint8Array(6))].map((byte) => letters[byte % letters.length]).join("");
}

/** Return a number of 53 bits for a text (cyrb53, public domain). Works without a secure context. */
function hash(text) {
  let [high, low] = [0xdeadbeef, 0x41c6ce57];
  for (let place = 0; place < text.length; place++) {
    const code = text.charCodeAt(place);
    high = Math.imul(high ^ code, 2654435761);
    low = Math.imul(low ^ code, 1597334677);
  }
  high = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909);
  low = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(high ^ (high >>> 13), 3266489909);
  return 4294967296 * (2097151 & low) + (high >>> 0);
}
