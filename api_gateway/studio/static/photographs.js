// Photographs: upload pictures of products, try colours and scenes on one of them, and order all.

import { chosenPairs, chosenValues, combinationsOf, describeControls, watchControls } from "./controls.js";
import { $, api, describe, dropZone, element, explain, listenToTabs, number, picture, shelf, t } from "./studio.js";
import { Tries, randomKey } from "./tries.js";
import { downloads, zoom } from "./zoom.js";
import { correct } from "./matte.js";

const SHELF = shelf("photographs");
const MOST_PICTURES = 8; // of one's own, for an attribute
const DIGEST = /^[0-9a-f]{64}$/;
const THUMB = 160; // pixels
const PREVIEW = { most: 24, side: 512 };
const PAUSE = 60; // milliseconds that a control must rest

const form = $("controls");
if (form) start();

function start() {
  const { model } = form.dataset;
  const asked = new URLSearchParams(location.search).get("model");
  const tries = new Tries($("status"), $("problem"), $("gallery"));
  let photographs = JSON.parse(localStorage.getItem(SHELF) ?? "[]");
  let chosen = photographs[0];
  const cut = new Set(); // photographs of which the model has a matte
  let orderKey = randomKey();
  let resting;
  let stale = false; // the controls have changed since the pictures were drawn, while nobody saw the page

  // The photographs

  async function add(files) {
    explain($("upload-problem"));
    $("drop").ariaBusy = "true";
    for (const file of files) {
      try {
        const thumb = await shrink(file);
        const { id } = await api("POST", "/v1/uploads", { body: file, type: file.type || "image/jpeg" });
        if (photographs.some((one) => one.photo === id)) continue;
        photographs.push({ photo: id, name: file.name.replace(/\.[^.]*$/, "").slice(0, 200) || "photograph", thumb });
        save();
        if (photographs.length === 1) choose(photographs[0]);
      } catch (error) {
        explain($("upload-problem"), error);
      }
    }
    $("drop").ariaBusy = "false";
    $("file").value = "";
  }

  function save() {
    try {
      localStorage.setItem(SHELF, JSON.stringify(photographs));
    } catch {
      // The browser keeps only some megabytes; what does not fit is forgotten when the page is left.
    }
    showStrip();
    changed();
  }

  listenToTabs(SHELF, (list) => {
    photographs = list;
    choose(list.find((one) => one.photo === chosen?.photo) ?? list[0]);
  });

  function showStrip() {
    $("photographs").replaceChildren(
      ...photographs.map((one) => {
        const open = element("button", { type: "button", className: "open", ariaPressed: String(one === chosen) });
        open.append(one.thumb ? element("img", { src: one.thumb, alt: one.name }) : one.name);
        open.onclick = () => choose(one);
        const label = t("Remove {name}", { name: one.name });
        const remove = element("button", { type: "button", className: "remove", ariaLabel: label }, "×");
        remove.onclick = () => {
          photographs = photographs.filter((other) => other !== one);
          if (one === chosen) chosen = photographs[0];
          save();
        };
        return element("li", { title: one.name }, open, remove);
      }),
    );
  }

  function choose(one) {
    chosen = one;
    showStrip();
    changed();
  }

  /** Let people correct the cut-out of the chosen photograph; the matte that they save is an upload. */
  $("correct").onclick = async () => {
    const one = chosen;
    explain($("problem"));
    $("correct").disabled = true;
    try {
      const matte = await correct(one, model, Number(form.dataset.side));
      const now = photographs.find(({ photo }) => photo === one.photo); // the list may have changed meanwhile
      if (matte !== undefined && now) {
        now.matte = matte ?? undefined;
        save();
      }
    } catch (error) {
      explain($("problem"), error);
    }
    $("correct").disabled = false;
  };

  $("file").onchange = () => add([...$("file").files]);
  dropZone($("drop"), add);

  // Pictures of one's own, which are values of an attribute: backgrounds of the scene, swatches of the material

  /** Let people add pictures to an attribute; the browser remembers the last ones under `place`. */
  function ownPictures(attribute, chip, place) {
    const controls = form.querySelector(`[data-attribute=${attribute}]`);
    if (!controls) return chip.remove();
    const asked = new URLSearchParams(location.search).getAll(attribute);
    const field = controls.querySelector("input[type=text]");
    let pictures = JSON.parse(localStorage.getItem(place) ?? "[]");

    function show({ photo, name }, checked) {
      const box = element("input", { type: "checkbox", name: attribute, value: photo, checked });
      chip.before(element("label", { className: "chip" }, box, element("span", {}, name)));
    }

    controls.querySelector(".chips").append(chip);
    for (const one of pictures) show(one, asked.includes(one.photo));
    if (field) field.value = field.value.split("|").filter((value) => !DIGEST.test(value.trim())).join("|").trim();

    chip.querySelector("input").onchange = async ({ target }) => {
      const [file] = target.files;
      explain($("problem"));
      try {
        const { id } = await api("POST", "/v1/uploads", { body: file, type: file.type || "image/jpeg" });
        const known = controls.querySelector(`input[value="${id}"]`);
        if (known) known.checked = true;
        else {
          const added = { photo: id, name: file.name.replace(/\.[^.]*$/, "") };
          pictures = [...pictures, added].slice(-MOST_PICTURES);
          localStorage.setItem(place, JSON.stringify(pictures));
          show(added, true);
        }
        changed();
      } catch (error) {
        explain($("problem"), error);
      }
      target.value = "";
    };
  }

  // The controls and the pictures of the chosen photograph

  /** Return the chosen attributes; a preset with a ground of its own allows no scene. */
  function attributes() {
    const { scene, ...others } = chosenValues(form);
    return scene && !preset().ground ? { ...others, scene } : others;
  }

  const item = ({ photo, matte, name }, attributes) => ({ sku: name, photo, matte, attributes });

  const preset = () => form.preset.selectedOptions[0].dataset;

  function request(items, side) {
    const shape = { size: side, aspect: form.aspect.value, copy_space: form.copy_space.value || null };
    const frame = form.preset.value ? { preset: form.preset.value } : shape;
    const shadow = ["light_from", "pose"].filter((name) => form[name].value).map((name) => [name, form[name].value]);
    const finish = { ...frame, ...Object.fromEntries(shadow) };
    return { model, items, finish, output: { format: preset().format ?? "jpeg" } };
  }

  function changed() {
    describeControls(form);
    for (const field of form.querySelectorAll("[data-frame]")) field.hidden = Boolean(form.preset.value);
    form.querySelector("[data-attribute=scene]").disabled = Boolean(preset().ground);
    history.replaceState(null, "", `?${new URLSearchParams([...(asked ? [["model", asked]] : []), ...chosenPairs(form)])}`);
    const combinations = combinationsOf(attributes());
    const total = photographs.length * combinations.length;
    $("tray").hidden = !photographs.length;
    document.body.classList.toggle("has-tray", photographs.length > 0);
    $("count").textContent = t("{photographs} photographs × {looks} looks", {
      photographs: number(photographs.length),
      looks: number(combinations.length),
    });
    $("order").textContent = t("Order {total} pictures", { total: number(total) });
    clearTimeout(resting);
    stale = document.hidden;
    $("correct").hidden = !cut.has(chosen?.photo);
    if (!chosen) return $("gallery").replaceChildren();
    if (stale) return; // a try of this page would cancel that of the tab in front
    const items = combinations.slice(0, PREVIEW.most).map((one) => item(chosen, one));
    resting = setTimeout(() => tries.draw(request(items, PREVIEW.side), show, otherModel), PAUSE);
  }

  document.addEventListener("visibilitychange", () => stale && !document.hidden && changed());

  async function show(images, signal) {
    const pictures = await Promise.all(images.map(picture));
    signal.throwIfAborted();
    cut.add(chosen.photo);
    $("correct").hidden = false;
    $("gallery").replaceChildren(
      ...images.map((image, place) => {
        const open = element("button", { type: "button", className: "open" }, pictures[place]);
        open.onclick = () => zoom(images, place, downloads);
        const caption = element("p", {}, describe(image));
        for (const problem of [image.review, ...(image.findings ?? [])])
          if (problem) caption.append(element("span", { className: "problem" }, t(problem)));
        return element("div", { className: "captioned" }, element("div", { className: "tile" }, open), caption);
      }),
    );
  }

  /** Use the next model if the workers lack what the first one needs, unless the address names a model. */
  function otherModel() {
    const other = form.model.options[form.model.selectedIndex + 1];
    if (other && !asked) location.replace(`?${new URLSearchParams([["model", other.value], ...chosenPairs(form)])}`);
  }

  watchControls(form, changed);
  form.onsubmit = (event) => event.preventDefault();
  for (const field of [form.preset, form.size, form.aspect, form.copy_space, form.light_from, form.pose]) field.onchange = changed;
  form.model.onchange = () =>
    (location.search = new URLSearchParams([["model", form.model.value], ...chosenPairs(form)]));

  // The order

  $("empty").onclick = () => {
    photographs = [];
    chosen = undefined;
    save();
  };
  $("order").onclick = async () => {
    explain($("order-problem"));
    $("order").disabled = true;
    const items = photographs.map((one) => item(one, attributes()));
    const order = request(items, Number(form.size.value));
    order.title = $("title").value.trim() || t("{count} photographs", { count: photographs.length });
    if ($("finish-by").value) order.finish_by = new Date($("finish-by").value).toISOString();
    try {
      const job = await api("POST", "/v1/jobs", { json: order, key: `studio photographs ${orderKey}` });
      location.href = `/orders/${job.id}`;
    } catch (error) {
      explain($("order-problem"), error);
      $("order").disabled = false;
      if (error.status) orderKey = randomKey();
    }
  };

  ownPictures("scene", $("background"), shelf("backgrounds"));
  ownPictures("material", $("swatch"), shelf("swatches"));
  showStrip();
  changed();
  if ($("file").files.length) add([...$("file").files]); // chosen before this script was here
}

/** Return a small picture of a file as a data URL, or null if the browser cannot read the file. */
async function shrink(file) {
  const bitmap = await createImageBitmap(file).catch(() => null);
  if (!bitmap) return null;
  const scale = THUMB / Math.max(bitmap.width, bitmap.height);
  const canvas = element("canvas", { width: bitmap.width * scale, height: bitmap.height * scale });
  canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL("image/jpeg", 0.8);
}
