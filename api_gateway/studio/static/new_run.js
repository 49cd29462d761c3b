// Start a run: the upload of a folder of photographs, and the forms of a preparation and of a training.

import { $, Refusal, api, element, explain, number, t } from "./studio.js";
import { randomKey } from "./tries.js";

const SPLITS = { train: "train", training: "train", validation: "validation", val: "validation", test: "test", testing: "test" };
const UPLOADS = 3; // files at a time
const ASKED = 1000; // files of which the service is asked at a time whether it has them
const TRIES = 5;
const PAUSE = 2000;

// The forms

$("choice")?.addEventListener("change", () => $("choice").submit());
if ($("train"))
  $("train").recipe.onchange = () => {
    const query = new URLSearchParams({ data: $("train").dataset.set, recipe: $("train").recipe.value });
    location.search = query;
  };

for (const form of [$("prepare"), $("train")].filter(Boolean)) {
  const key = `studio run ${randomKey()}`;
  form.onsubmit = async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    try {
      const run = await api("POST", form.dataset.path, { json: requestOf(form), key });
      location.href = `/train/${run.id}`;
    } catch (error) {
      button.disabled = false;
      explain($("problem"), error);
      $("problem").scrollIntoView({ block: "center" });
    }
  };
}

function requestOf({ id, dataset, elements }) {
  const request = { data: dataset.set };
  if (elements.name.value.trim()) request.name = elements.name.value.trim();
  if (id === "prepare") return { ...request, size: Number(elements.size.value) };
  const settings = { steps: Number(elements.steps.value), batch: Number(elements.batch.value) };
  if (elements.from.value) request.from = elements.from.value;
  return { ...request, recipe: elements.recipe.value, settings };
}

// The upload

const rules = JSON.parse($("folder").dataset.files);
let files = [];

$("folder").onchange = () => {
  explain($("problem"));
  try {
    files = readable([...$("folder").files]);
    describe();
  } catch (error) {
    explain($("problem"), error);
  }
};

/** Return the pictures and the table of attributes of a folder, each with its path within the folder. */
function readable(all) {
  const inside = all.map((file) => ({ file, path: file.webkitRelativePath.split("/").slice(1).join("/").normalize("NFC") }));
  const found = inside.filter(({ path }) => {
    const name = path.toLowerCase();
    const seen = path && !path.split("/").some((part) => part.startsWith("."));
    return seen && (rules.tables.includes(name) || rules.pictures.some((ending) => name.endsWith(ending)));
  });
  if (all.length && !all[0].webkitRelativePath)
    throw new Refusal(t("This browser cannot choose folders. Use a browser on a computer."));
  if (!found.some(({ path }) => !rules.tables.includes(path.toLowerCase())))
    throw new Refusal(t("There is no picture in this folder."));
  return found;
}

/** Return what the data set holds, by the names of its folders: it is not trained on before it is prepared. */
function summary() {
  const images = {};
  const values = {};
  const table = files.some(({ path }) => rules.tables.includes(path.toLowerCase()));
  for (const { path } of files) {
    if (rules.tables.includes(path.toLowerCase())) continue;
    const parts = path.split("/");
    const split = SPLITS[parts[0].toLowerCase()];
    const category = parts.length > (split ? 2 : 1) ? parts.at(-2) : null;
    images[split ?? "train"] = (images[split ?? "train"] ?? 0) + 1;
    if (category) values[category] = (values[category] ?? 0) + (split === undefined || split === "train" ? 1 : 0);
  }
  const known = !table && Object.keys(values).length > 0;
  return {
    kind: "folder",
    images,
    size: [64, 64],
    channels: 3,
    attributes: known ? { category: { values, unknown: 0 } } : {},
    flaw: "its photographs came from a browser, which does not look for faults",
  };
}

function describe() {
  const { images, attributes } = summary();
  const line = (name, text) => element("li", {}, element("b", {}, name), element("span", {}, text));
  const counts = Object.entries(attributes.category?.values ?? {}).sort();
  $("found").replaceChildren(
    ...Object.entries(images).map(([split, count]) => line(t(split), t("{count} photographs", { count: number(count) }))),
    ...counts.map(([category, count]) => line(t(category), number(count))),
  );
  const folder = files[0].file.webkitRelativePath.split("/")[0];
  $("upload").elements.name.value ||= folder.replace(/[^A-Za-z0-9._-]+/g, "-").replace(/^[^A-Za-z0-9]+/, "");
  $("upload").hidden = false;
}

/** Call `work` for each item, a few at a time. */
async function each(items, work) {
  const rest = [...items];
  const worker = async () => {
    for (let item = rest.shift(); item !== undefined; item = rest.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: UPLOADS }, worker));
}

/** Upload the content of a file, and return its sha256. Tries again while the service or the network is away. */
async function send(body) {
  for (let tries = 1; ; tries += 1) {
    try {
      return (await api("POST", "/v1/uploads", { body, type: "application/octet-stream" })).id;
    } catch (error) {
      if (tries === TRIES || !(error.status === 0 || error.status === 429 || error.status >= 500)) throw error;
      await new Promise((resolve) => setTimeout(resolve, PAUSE * tries));
    }
  }
}

/** Return the sha256 of a file in hex digits, or undefined: browsers compute it on pages from https alone. */
async function digestOf(part) {
  if (!crypto.subtle) return undefined;
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", await part.arrayBuffer()));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

$("upload").onsubmit = async (event) => {
  event.preventDefault();
  const button = $("upload").querySelector("button");
  button.disabled = true;
  explain($("problem"));
  $("sent").hidden = false;
  $("sent").max = files.reduce((sum, { file }) => sum + file.size, 0);
  $("sent").value = 0;
  try {
    const listing = await sendAll(files);
    const lines = listing.map((line) => `${JSON.stringify(line)}\n`).join("");
    const made = await api("POST", `/v1/datasets/${encodeURIComponent($("upload").elements.name.value)}`, {
      json: { listing: await send(lines), summary: summary() },
    });
    location.href = `/train/new?${new URLSearchParams({ data: made.name })}`;
  } catch (error) {
    explain($("problem"), error);
    $("sending").textContent = t("Upload again to continue: what has arrived is not sent again.");
    button.disabled = false;
  }
};

/** Upload the files that the service does not have, and return the list of all files. */
async function sendAll(all) {
  const listing = [];
  for (let first = 0; first < all.length; first += ASKED) {
    const parts = all.slice(first, first + ASKED).flatMap(({ file, path }) => chunksOf(file, path));
    await each(parts, async (part) => (part.digest = await digestOf(part.data)));
    const ids = [...new Set(parts.map((part) => part.digest).filter(Boolean))];
    const missing = ids.length ? new Set((await api("POST", "/v1/uploads/missing", { json: { ids } })).missing) : null;
    await each(parts, async (part) => {
      if (!missing || missing.delete(part.digest)) part.digest = await send(part.data);
      $("sent").value += part.data.size;
      $("sending").textContent = part.path;
    });
    for (const { file, path } of all.slice(first, first + ASKED)) {
      const chunks = parts.filter((part) => part.path === path).map((part) => part.digest);
      listing.push({ path, bytes: file.size, chunks });
    }
  }
  return listing;
}

function chunksOf(file, path) {
  const count = Math.ceil(file.size / rules.chunk);
  return Array.from({ length: count }, (_, place) => ({
    path,
    data: file.slice(place * rules.chunk, (place + 1) * rules.chunk),
    digest: undefined,
  }));
}
