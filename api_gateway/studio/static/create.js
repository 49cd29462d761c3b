// Create: every change of a control draws 24 pictures. The newest wish wins; what is left of older ones is not made.

import { chosenPairs, chosenValues, clearControls, combinationsOf, describeControls, fillControls, optionsOf, watchControls } from "./controls.js";
import { Live } from "./live.js";
import { Mixing, address } from "./mixing.js";
import { Redrawing } from "./redrawing.js";
import { $, api, describe, element, explain, listenToTabs, number, shelf, t } from "./studio.js";
import { randomKey, randomName } from "./tries.js";
import { zoom } from "./zoom.js";

const MIX_SIDE = 256;
const ZOOM_SIDE = 512;

const form = $("controls");
if (form) start();

function start() {
  const { model, size } = form.dataset;
  const tray = shelf(`kept ${model}`);
  let looks = JSON.parse(form.dataset.looks); // the SKU and the seed of each picture
  let images = []; // those that are shown
  const live = new Live($("status"), $("problem"), $("gallery"), show);
  let kept = JSON.parse(localStorage.getItem(tray) ?? "[]").map(lasting);
  let orderKey;
  let redrawing;

  const tiles = looks.map((_, place) => {
    const open = element("button", { type: "button", className: "open", disabled: true, ariaLabel: t("Picture") });
    const keep = element("button", { type: "button", className: "keep", hidden: true });
    open.onclick = () => zoom(images.flat().map(enlarged), images.slice(0, place).flat().length, zoomActions);
    keep.onclick = () => toggle(images[place]);
    const tile = element("div", { className: "tile" }, open, keep);
    $("gallery").append(tile);
    return { tile, open, keep };
  });

  // The controls

  /** Write all choices into the address of the page. */
  function remember(push = false) {
    const chosen = chosenPairs(form);
    $("clear").hidden = !chosen.length;
    const query = new URLSearchParams([["model", form.model.value], ["looks", looks[0][0].slice(0, -3)], ...chosen]);
    if (redrawing?.picture) query.set("picture", redrawing.picture);
    history[push ? "pushState" : "replaceState"](null, "", `?${query}`);
  }

  function changed(push = false) {
    live.draw(wish()); // first: to change the address of the page takes a browser milliseconds
    describeControls(form);
    remember(push);
  }

  form.onsubmit = (event) => event.preventDefault();
  form.model.onchange = () => (location.search = new URLSearchParams({ model: form.model.value }));
  watchControls(form, changed);
  $("more").onclick = async () => {
    try {
      looks = await api("GET", `/create/looks/${randomName()}`);
      changed(true);
    } catch (error) {
      explain($("problem"), error);
    }
  };
  $("prompt").onchange = async () => {
    const prompt = $("prompt").value.trim();
    $("reading").textContent = "";
    if (!prompt) return;
    try {
      const reading = await api("POST", "/v1/prompts", { json: { model, prompt } });
      fillControls(form, reading.attributes);
      if (reading.unread.length)
        $("reading").textContent = t("This model cannot follow: {words}", { words: reading.unread.join(", ") });
      changed();
    } catch (error) {
      explain($("problem"), error);
    }
  };
  $("clear").onclick = () => {
    clearControls(form);
    $("prompt").value = $("reading").textContent = "";
    changed();
  };
  onpopstate = () => location.reload();

  // The pictures

  /** Return the images that the controls ask for. The browser enlarges them: to make them larger would take longer. */
  function wish() {
    const combinations = combinationsOf(chosenValues(form));
    return looks.map(([sku, seed], place) => {
      const image = { sku, seed, draw: 0, attempt: 0, attributes: combinations[place % combinations.length] };
      return { ...image, url: address(model, size, image, "webp") };
    });
  }

  /** Return a kept image with its address. Earlier versions kept a link, which expires. */
  function lasting({ job, index, ...image }) {
    return job && image.draw !== undefined ? { ...image, url: address(model, size, image, "webp") } : image;
  }

  /** Return an image with the address of a larger picture. One that was kept long ago lacks its numbers. */
  const enlarged = (image) =>
    image.draw === undefined ? image : { ...image, url: address(model, Math.max(size, ZOOM_SIDE), image, "webp") };

  function show(place, image, shown) {
    const { open, keep } = tiles[place];
    images[place] = image;
    open.disabled = keep.hidden = false;
    open.replaceChildren(shown);
    open.ariaLabel = null; // the picture's own text is better
    markKept(image, place);
  }

  // The pictures that are kept

  const sameLook = (image) => (other) =>
    other.sku === image.sku && JSON.stringify(other.attributes) === JSON.stringify(image.attributes);

  function toggle(image) {
    const others = kept.filter((other) => !sameLook(image)(other));
    const { sku, seed, draw, attempt, attributes, latent, mix, picture, url } = image;
    const item = { sku, seed, draw, attempt, attributes, latent, mix, picture, url };
    kept = others.length < kept.length ? others : [...kept, item];
    save();
  }

  function save() {
    localStorage.setItem(tray, JSON.stringify(kept));
    showKept();
  }

  listenToTabs(tray, (list) => {
    kept = list.map(lasting);
    showKept();
  });

  function markKept(image, place) {
    const { keep } = tiles[place];
    keep.ariaPressed = String(isKept(image));
    keep.ariaLabel = t("Keep {picture}", { picture: describe(image) });
  }

  function showKept() {
    images.forEach(markKept);
    showTray();
  }

  const isKept = (image) => kept.some(sameLook(image));
  const shelfOfKept = { list: () => kept, has: isKept, toggle, actions: zoomActions };
  const mixing = new Mixing(model, Math.max(size, MIX_SIDE), shelfOfKept);

  function showTray() {
    mixing.update();
    $("tray").hidden = !kept.length;
    document.body.classList.toggle("has-tray", kept.length > 0);
    $("count").textContent = t("{count} kept", { count: kept.length });
    $("kept").replaceChildren(
      ...kept.map((image, place) => {
        const shown = element("img", { src: image.url, alt: describe(image) });
        const open = element("button", { type: "button", className: "open" }, shown);
        open.onclick = () => zoom(kept.map(enlarged), place, zoomActions);
        return element("li", {}, open);
      }),
    );
  }

  function zoomActions(image, again) {
    const is = isKept(image);
    const button = element("button", { type: "button", className: is ? "button plain" : "button" }, is ? t("Do not keep") : t("Keep"));
    button.onclick = () => {
      toggle(image);
      again();
    };
    const file = image.picture ? image.url : address(model, size, image, "png");
    const change = element("button", { type: "button", className: "button plain" }, t("Change it"));
    change.onclick = () => {
      $("zoom-close").click();
      redrawing.start(file, image.attributes).catch((error) => explain($("problem"), error));
    };
    return image.picture || image.draw !== undefined ? [button, change] : [button];
  }

  $("empty").onclick = () => {
    kept = [];
    save();
  };

  // The order of the kept pictures

  /** The item of a kept picture with other values. A mix or a picture of yours is made once: its look is given, and
   * cannot vary. */
  function itemOf({ sku, attributes, latent, mix, picture }, values) {
    const item = { sku, attributes: { ...attributes, ...values } };
    if (latent) Object.assign(item, { latent, count: 1 });
    if (picture) Object.assign(item, { picture, count: 1 });
    if (!mix) return item;
    const others = Object.entries(mix.attributes).filter(([name]) => !(name in values));
    return { ...item, mix: { ...mix, attributes: Object.fromEntries(others) } };
  }

  const ordering = $("order-form");

  function describeOrder() {
    describeControls(ordering);
    const once = kept.filter((image) => image.latent || image.picture).length;
    const several = (kept.length - once) * (Number(ordering.count.value) || 1);
    const total = combinationsOf(chosenValues(ordering)).length * (several + once);
    const counts = { looks: number(kept.length), total: number(total) };
    $("ordering-about").textContent = t("{looks} looks, {total} pictures", counts);
  }

  $("order").onclick = () => {
    orderKey = `studio order ${randomKey()}`;
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
      items: kept.map((image) => itemOf(image, chosenValues(ordering))),
      count: Number(ordering.count.value),
      finish: ordering.size.value ? { size: Number(ordering.size.value) } : {},
      output: { format: ordering.format.value },
      ...optionsOf(ordering),
    };
    try {
      const job = await api("POST", "/v1/jobs", { json: order, key: orderKey });
      localStorage.removeItem(tray);
      location.href = `/orders/${job.id}`;
    } catch (error) {
      explain($("order-problem"), error);
      $("place").disabled = false;
    }
  };

  showTray();
  redrawing = new Redrawing(model, Math.max(size, MIX_SIDE), shelfOfKept, remember);
  changed();
}
