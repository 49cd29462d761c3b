// Controls of attributes: chips, swatches, and colours of one's own.

import { signed, t } from "./studio.js";

/** Return the chosen values of each attribute of a form. A field may hold several, as `navy | white`. */
export function chosenValues(form) {
  const found = {};
  for (const box of form.querySelectorAll("[data-attribute] input[name]"))
    if (box.type === "range" ? Number(box.value) : box.type !== "checkbox" || box.checked)
      for (const value of box.value.split("|"))
        if (value.trim()) (found[box.name] ??= []).push(value.trim());
  return found;
}

/** Return what a form of an order says besides its pictures: the name, the deadline and the quality gate. */
export function optionsOf({ title, finish_by: deadline, quality_gate: gate }) {
  const options = {};
  if (title.value.trim()) options.title = title.value.trim();
  if (deadline.value) options.finish_by = new Date(deadline.value).toISOString();
  if (gate?.checked) options.quality_gate = true;
  return options;
}

/** Return the chosen values as pairs of a name and a value, for the address of the page. */
export const chosenPairs = (form) =>
  Object.entries(chosenValues(form)).flatMap(([name, values]) => values.map((value) => [name, value]));

/** Return every combination of the values of several attributes. */
export function combinationsOf(values) {
  let combinations = [{}];
  for (const [name, several] of Object.entries(values))
    combinations = combinations.flatMap((one) => several.map((value) => ({ ...one, [name]: value })));
  return combinations;
}

/** Return the part of an order that asks for `count` looks with the chosen values. Where an attribute has several
 * values, the pictures take turns. */
export function looksOf(form, looks, count) {
  const values = Object.entries(chosenValues(form));
  const combinations = combinationsOf(Object.fromEntries(values.filter(([, several]) => several.length > 1)));
  return {
    attributes: Object.fromEntries(values.filter(([, several]) => several.length === 1)),
    seed_from: "sku",
    items: Array.from({ length: count }, (_, place) => ({
      sku: `${looks}-${String(place + 1).padStart(2, "0")}`,
      attributes: combinations[place % combinations.length],
    })),
  };
}

/** Say beside each control how many of its values are chosen. */
export function describeControls(form) {
  const values = chosenValues(form);
  for (const field of form.querySelectorAll("[data-attribute]")) {
    const hint = field.querySelector(".hint");
    const count = values[field.dataset.attribute]?.length ?? 0;
    const slider = field.querySelector("[type=range]");
    const chosen = slider ? signed(slider.value) : t("{count} chosen", { count });
    hint.textContent = count ? chosen : hint.dataset.none;
  }
}

/** Call `changed` after each change of a control of attributes, and live while a colour is picked or a slider moves. */
export function watchControls(form, changed) {
  form.addEventListener("change", (event) => {
    if (!["color", "range"].includes(event.target.type) && event.target.closest("[data-attribute]")) changed();
  });
  form.addEventListener("input", (event) => event.target.type === "range" && changed());
  for (const picker of form.querySelectorAll("input[type=color]"))
    picker.oninput = () => {
      picker.nextElementSibling.value = picker.value;
      changed();
    };
}

/** Choose these values of each attribute, and nothing else. */
export function fillControls(form, values) {
  clearControls(form);
  for (const [name, several] of Object.entries(values))
    for (const value of several) {
      const boxes = [...form.querySelectorAll(`[data-attribute="${CSS.escape(name)}"] input[name]`)];
      const box = boxes.find((one) => one.type === "checkbox" && (one.value === value || one.value === t(value)));
      const field = boxes.find((one) => one.type === "text");
      if (box) box.checked = true;
      else if (field) field.value += field.value ? ` | ${value}` : value;
    }
}

/** Choose nothing. */
export function clearControls(form) {
  for (const box of form.querySelectorAll("[data-attribute] input[name]"))
    if (box.type === "checkbox") box.checked = false;
    else box.value = box.type === "range" ? "0" : "";
}
