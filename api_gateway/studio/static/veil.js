// A veil over a photograph: what it hides is not product. Strokes of a brush add to the product or take away.

import { Refusal, t } from "./studio.js";

const COLOUR = [212, 20, 122];
const PRODUCT = 128; // the least level of a matte that marks a product

export class Veil {
  #first; // as it was when it was laid
  #strokes = [];
  #drawn = null; // the stroke that is being drawn

  constructor(canvas) {
    this.canvas = canvas;
    this.pen = canvas.getContext("2d", { willReadFrequently: true });
  }

  /** Lay the veil over all that is neither white nor opaque in a matte: over everything without a matte. The strokes are
   * those that the browser tab remembers under `place`, so that a reload loses none. */
  lay(matte, { width, height }, place) {
    this.place = place;
    Object.assign(this.canvas, { width, height });
    if (matte) this.pen.drawImage(matte, 0, 0);
    this.#first = this.pen.getImageData(0, 0, width, height);
    const { data } = this.#first;
    for (let i = 0; i < data.length; i += 4) {
      const product = (data[i] * data[i + 3]) / 255;
      [data[i], data[i + 1], data[i + 2]] = COLOUR;
      data[i + 3] = 255 - product;
    }
    this.#strokes = JSON.parse(sessionStorage.getItem(place) ?? "[]");
    this.#draw();
  }

  get isChanged() {
    return this.#strokes.length > 0;
  }

  /** Begin a stroke at a point, both in pixels of the veil. */
  begin(adds, width, point) {
    this.#drawn = { adds, width, points: [point] };
    this.#strokes.push(this.#drawn);
    this.#line(this.#drawn, [point]);
  }

  /** Lead the stroke that is being drawn, if there is one, on to a point. */
  lead(point) {
    if (!this.#drawn) return;
    const { points } = this.#drawn;
    points.push(point);
    this.#line(this.#drawn, points.slice(-2));
  }

  /** End the stroke that is being drawn; return whether there was one. */
  lift() {
    const was = this.#drawn !== null;
    this.#drawn = null;
    if (was) this.#remember();
    return was;
  }

  #remember() {
    try {
      sessionStorage.setItem(this.place, JSON.stringify(this.#strokes));
    } catch {
      // The browser keeps only some megabytes; what does not fit is lost when the page is left.
    }
  }

  /** Forget the strokes, because they are saved or not wanted. */
  forget() {
    sessionStorage.removeItem(this.place);
  }

  undo() {
    this.lift();
    this.#strokes.pop();
    this.#remember();
    this.#draw();
  }

  /** Return the file of the matte: white, as opaque as the product. Throws Refusal if it marks nothing, or all. */
  async file() {
    const { width, height } = this.canvas;
    const canvas = new OffscreenCanvas(width, height);
    const pen = canvas.getContext("2d");
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, width, height);
    pen.globalCompositeOperation = "destination-out";
    pen.drawImage(this.canvas, 0, 0);
    const { data } = pen.getImageData(0, 0, width, height);
    let marked = 0;
    for (let i = 3; i < data.length; i += 4) marked += data[i] >= PRODUCT;
    if (!marked) throw new Refusal(t("Brush over the product first."));
    if (marked === width * height) throw new Refusal(t("Take something away first: all of it is the product."));
    return canvas.convertToBlob({ type: "image/png" });
  }

  #draw() {
    this.pen.putImageData(this.#first, 0, 0);
    for (const stroke of this.#strokes) this.#line(stroke, stroke.points);
  }

  #line({ adds, width }, points) {
    const { pen } = this;
    Object.assign(pen, { lineCap: "round", lineJoin: "round", lineWidth: width, strokeStyle: `rgb(${COLOUR})` });
    pen.globalCompositeOperation = adds ? "destination-out" : "source-over";
    pen.beginPath();
    pen.moveTo(...points[0]);
    pen.lineTo(points[0][0] + 0.1, points[0][1]); // a line of no length draws nothing
    for (const point of points) pen.lineTo(...point);
    pen.stroke();
  }
}
