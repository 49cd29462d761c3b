// An order from a file: upload it, check its rows under the chosen columns, and order.

import { optionsOf } from "./controls.js";
import { $, Refusal, api, dropZone, element, explain, number, t } from "./studio.js";
import { randomKey } from "./tries.js";

const PAUSE = 100;
const SHOWN = 12;

if ($("file")) choose();
else map();

function choose() {
  async function send(file) {
    if (!file) return;
    explain($("problem"));
    $("drop").ariaBusy = "true";
    try {
      const { id } = await api("POST", "/v1/uploads", { body: file, type: "text/csv" });
      location.search = new URLSearchParams({ upload: id, name: file.name });
    } catch (error) {
      explain($("problem"), error);
      $("drop").ariaBusy = "false";
      $("file").value = "";
    }
  }
  $("file").onchange = () => send($("file").files[0]);
  send($("file").files[0]); // chosen before this script was here
  dropZone($("drop"), ([file]) => send(file));
}

function map() {
  const form = $("mapping");
  const key = `studio file ${randomKey()}`;
  let newest = null;
  let resting;

  function request() {
    const columns = [...form.querySelectorAll("[data-for]")].filter((one) => one.value);
    return {
      model: form.model.value,
      upload: form.dataset.upload,
      columns: Object.fromEntries(columns.map((one) => [one.dataset.for, one.value])),
      seed_from: "sku",
      finish: form.size.value ? { size: Number(form.size.value) } : {},
      output: { format: form.format.value },
      ...optionsOf(form),
    };
  }

  async function check() {
    newest?.abort();
    const { signal } = (newest = new AbortController());
    $("place").disabled = true;
    $("faults").replaceChildren();
    explain($("problem"));
    $("status").textContent = "";
    if (!form.querySelector("[data-for=sku]").value) {
      $("status").textContent = t("Choose the column that holds the SKU.");
      return;
    }
    $("status").textContent = t("Checking every row …");
    try {
      const { total } = await api("POST", "/v1/quotes", { json: request(), signal });
      $("status").textContent = t("Every row can be made.");
      $("place").textContent = t("Order {total} pictures", { total: number(total) });
      $("place").disabled = false;
    } catch (error) {
      if (signal.aborted) return;
      $("status").textContent = "";
      explainFaults(error);
    }
  }

  function explainFaults(error) {
    if (!error.details?.length) return explain($("problem"), error);
    const count = number(error.details.length + error.more);
    explain($("problem"), new Refusal(t("{count} rows cannot be made. Mend them in the file and choose it again, or read other columns.", { count })));
    const lines = error.details.map(({ message }) => {
      const [, row = "", problem] = message.match(/^(?:(row [^:]*): )?(.*)$/);
      return element("li", {}, element("b", {}, t(row)), element("span", {}, t(problem)));
    });
    const rest = error.details.length + error.more - SHOWN;
    if (rest > 0) lines.splice(SHOWN, Infinity, element("li", {}, t("and {count} more", { count: number(rest) })));
    $("faults").replaceChildren(...lines);
  }

  form.onsubmit = (event) => event.preventDefault();
  form.onchange = (event) => {
    if (event.target.name === "model") {
      const { upload, name } = form.dataset;
      location.search = new URLSearchParams({ upload, name, model: form.model.value });
    } else if (event.target.name !== "title") {
      clearTimeout(resting);
      resting = setTimeout(check, PAUSE);
    }
  };
  $("place").onclick = async () => {
    $("place").disabled = true;
    try {
      const job = await api("POST", "/v1/jobs", { json: request(), key });
      location.href = `/orders/${job.id}`;
    } catch (error) {
      $("place").disabled = false;
      explainFaults(error);
    }
  };
  check();
}
