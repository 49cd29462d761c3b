// Charts of the numbers of a training, drawn as SVG. Each series has a chart of its own, with its own scale.

import { element, t } from "./studio.js";

const HEIGHT = 112;
const TOP = 10;
const GUTTER = 52; // the width of the labels at the left
const MOST = 400; // points; more are averaged, because a loss changes much from step to step
const OUTLIERS = 0.02; // the share of values at each end that may lie outside the scale

function svg(name, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** Return a number with three or four significant digits. */
export const figure = (value) =>
  value.toLocaleString(document.documentElement.lang, { maximumSignificantDigits: Math.abs(value) >= 1000 ? 4 : 3 });

/** A chart of one series: points of `[step, value]`. A mark shows the value at a chosen step; `choose` is called with
 * the step where people click. With `best`, points are marked, and the lowest is circled. */
export class Chart {
  #points = [];
  #step = 0;
  #steps = 1;

  constructor(title, best, choose) {
    Object.assign(this, { title, best });
    this.now = element("output");
    this.svg = svg("svg", { role: "img", height: HEIGHT });
    this.svg.addEventListener("pointermove", (event) => event.buttons && choose(this.#stepAt(event)));
    this.svg.addEventListener("pointerdown", (event) => choose(this.#stepAt(event)));
    this.element = element("figure", { className: "chart" }, element("figcaption", {}, element("b", {}, title), this.now), this.svg);
    new ResizeObserver(() => this.#draw()).observe(this.element);
  }

  /** Show these points on an axis that ends at `steps`. */
  show(points, steps) {
    this.#steps = Math.max(1, steps);
    this.#points = points.filter(([, value]) => Number.isFinite(value));
    this.#draw();
  }

  /** Mark the last value at or before `step`. */
  mark(step) {
    this.#step = step;
    this.#draw();
  }

  #stepAt(event) {
    const { left, width } = this.svg.getBoundingClientRect();
    return ((event.clientX - left - GUTTER) / (width - GUTTER)) * this.#steps;
  }

  #draw() {
    const width = this.element.clientWidth;
    if (!width || !this.#points.length) return;
    const shown = averaged(this.#points);
    const values = shown.map(([, value]) => value).sort((a, b) => a - b);
    const low = values[Math.floor(OUTLIERS * values.length)];
    const high = values[Math.ceil((1 - OUTLIERS) * values.length) - 1];
    const margin = (high - low || Math.abs(high) || 1) * 0.08;
    const x = (step) => GUTTER + (Math.min(step / this.#steps, 1) * (width - GUTTER - 6));
    const y = (value) => TOP + (HEIGHT - TOP) * (1 - (value - low + margin) / (high - low + 2 * margin));
    const at = ([step, value]) => `${x(step).toFixed(1)},${y(value).toFixed(1)}`;
    const current = this.#points.filter(([step]) => step <= this.#step).at(-1) ?? this.#points[0];
    const lowest = this.#points.reduce((one, other) => (other[1] < one[1] ? other : one));
    this.now.textContent = figure(current[1]);
    this.svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    this.svg.setAttribute("aria-label", t("{title}: {value} at step {step}", { title: this.title, value: figure(current[1]), step: current[0] }));
    this.svg.replaceChildren(
      ...[low, high].map((value) => svg("line", { class: "rule", x1: GUTTER, x2: width, y1: y(value), y2: y(value) })),
      ...(high > low ? [low, high] : [low]).map((value) => svg("text", { x: GUTTER - 8, y: y(value) + 4 }, figure(value))),
      svg("polyline", { points: shown.map(at).join(" ") }),
      ...(this.best ? shown : []).map(([step, value]) => svg("circle", { cx: x(step), cy: y(value), r: 2.5 })),
      ...(this.best ? [svg("circle", { class: "best", cx: x(lowest[0]), cy: y(lowest[1]), r: 5 })] : []),
      svg("line", { class: "mark", x1: x(current[0]), x2: x(current[0]), y1: 0, y2: HEIGHT }),
      svg("circle", { class: "mark", cx: x(current[0]), cy: y(current[1]), r: 3.5 }),
    );
  }
}

/** Return at most `MOST` points, each the mean of its neighbours. */
function averaged(points) {
  const size = Math.ceil(points.length / MOST);
  const means = [];
  for (let first = 0; first < points.length; first += size) {
    const part = points.slice(first, first + size);
    means.push([part.at(-1)[0], part.reduce((sum, [, value]) => sum + value, 0) / part.length]);
  }
  return means;
}
