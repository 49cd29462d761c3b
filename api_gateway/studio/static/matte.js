// The dialog that corrects a cut-out: a brush on the photograph, by mouse, finger or keyboard.

import { $, Refusal, api, explain, t } from "./studio.js";
import { Veil } from "./veil.js";

const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const STEP = 0.6; // of the brush's size, by which an arrow key moves it
const GROW = { "[": -4, "]": 4 };

const [dialog, canvas, ring, form, size] = [$("matte"), $("matte-veil"), $("matte-brush"), $("matte-tools"), $("matte-size")];
const veil = new Veil(canvas);
let at; // where the brush is, in pixels of the veil
let settle;

/** Open the dialog for a photograph, and resolve with the digest of the saved matte: null for the model's own matte,
 * undefined if nothing is to change. `side` is the longer side, in pixels, at which the model reads photographs. */
export async function correct(one, model, side) {
  const own = `/v1/uploads/${one.photo}/matte?model=${encodeURIComponent(model)}`;
  const [picture, matte] = await Promise.all([
    bitmap(`/v1/uploads/${one.photo}`),
    bitmap(one.matte ? `/v1/uploads/${one.matte}` : own).catch((error) => {
      if (error.status !== 404) throw error; // no product was found: people draw it
    }),
  ]);
  const scale = Math.min(1, side / Math.max(picture.width, picture.height));
  const { width, height } = matte ?? { width: Math.round(picture.width * scale), height: Math.round(picture.height * scale) };
  Object.assign($("matte-photo"), { width, height }).getContext("2d").drawImage(picture, 0, 0, width, height);
  $("matte-stack").style.setProperty("--ratio", width / height);
  veil.lay(matte, { width, height }, `strokes ${one.photo} ${one.matte ?? model}`);
  at = [width / 2, height / 2];
  $("matte-reset").hidden = !one.matte;
  changed();
  dialog.showModal();
  return new Promise((resolve) => (settle = resolve));
}

async function bitmap(path) {
  const file = await (await api("GET", path, { whole: true })).blob();
  return createImageBitmap(file).catch(() => {
    throw new Refusal(t("This browser cannot show the photograph."));
  });
}

function changed() {
  explain($("matte-problem"));
  $("matte-undo").disabled = !veil.isChanged;
}

/** Return how many pixels of the veil are one of the screen. */
const scale = () => canvas.width / canvas.getBoundingClientRect().width;

function moveTo(x, y) {
  at = [Math.min(Math.max(x, 0), canvas.width), Math.min(Math.max(y, 0), canvas.height)];
  veil.lead(at);
  showBrush();
}

function showBrush() {
  ring.hidden = false;
  ring.style.width = ring.style.height = `${size.value}px`;
  ring.style.transform = `translate(${at.map((place) => `${place / scale() - size.value / 2}px`)})`;
}

function begin() {
  veil.begin(form.tool.value === "add", size.value * scale(), at);
  changed();
}

function undo() {
  veil.undo();
  changed();
}

function point(event) {
  const box = canvas.getBoundingClientRect();
  moveTo((event.clientX - box.left) * scale(), (event.clientY - box.top) * scale());
}

canvas.onpointerdown = (event) => {
  if (!event.isPrimary || event.button) return;
  point(event);
  begin();
  canvas.setPointerCapture(event.pointerId);
};
canvas.onpointermove = (event) => event.isPrimary && [...(event.getCoalescedEvents?.() ?? []), event].forEach(point);
canvas.onpointerup = () => veil.lift();
canvas.onpointercancel = () => veil.lift() && undo(); // two fingers enlarge the page, and draw nothing
canvas.onpointerleave = canvas.onblur = () => (ring.hidden = true);
canvas.onfocus = () => canvas.matches(":focus-visible") && showBrush();
canvas.onkeydown = (event) => {
  const [x, y] = MOVES[event.key] ?? [];
  const step = STEP * size.value * scale();
  if (x !== undefined) moveTo(at[0] + x * step, at[1] + y * step);
  else if (event.key !== " ") return;
  else if (!event.repeat) begin();
  event.preventDefault();
};
canvas.onkeyup = (event) => event.key === " " && veil.lift();
dialog.onkeydown = (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key === "z") veil.isChanged && undo();
  else if (event.key in GROW) size.value = Number(size.value) + GROW[event.key];
  else if (event.key === "x") form.tool.value = form.tool.value === "add" ? "take" : "add";
  else return;
  event.preventDefault();
  if (!ring.hidden) showBrush();
};

function end(matte) {
  veil.forget();
  dialog.close();
  settle(matte);
}

form.onsubmit = (event) => event.preventDefault();
dialog.oncancel = (event) => {
  event.preventDefault();
  if (veil.isChanged) explain($("matte-problem"), new Refusal(t("Save the cut-out, or close without it.")));
  else end();
};
$("matte-undo").onclick = undo;
$("matte-close").onclick = () => end();
$("matte-reset").onclick = () => end(null);
$("matte-save").onclick = async () => {
  explain($("matte-problem"));
  $("matte-save").disabled = true;
  try {
    end((await api("POST", "/v1/uploads", { body: await veil.file(), type: "image/png" })).id);
  } catch (error) {
    explain($("matte-problem"), error);
  }
  $("matte-save").disabled = false;
};
