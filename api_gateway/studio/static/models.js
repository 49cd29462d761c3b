// Models, and two versions of one: the promotion of a version, and the way back; the evaluation of a version.

import { $, api, ask, element, explain, t } from "./studio.js";

async function change(card, act) {
  const { name, version, ref } = card.dataset;
  const path = `/v1/models/${encodeURIComponent(name)}/aliases/production`;
  const promotes = act === "promote";
  const title = promotes ? t("Make {version} the version of new orders?", { version: ref }) : t("Roll {name} back?", { name });
  const about = promotes
    ? t("New orders that name {name} use it. Orders that run keep theirs.", { name })
    : t("New orders use the version before. Orders that run keep theirs.");
  if (!(await ask(title, about))) return;
  try {
    await api("POST", promotes ? path : `${path}/rollback`, { json: { version } });
    location.reload();
  } catch (error) {
    explain($("problem"), error);
    $("problem").scrollIntoView({ block: "center" });
  }
}

/** Ask for one of the data sets that fit a version, and queue the evaluation of the version on it. */
function measure(ref, fits) {
  const dialog = $("measuring");
  $("measure-data").replaceChildren(...fits.map((data) => element("option", {}, data)));
  dialog.returnValue = ""; // Escape keeps the answer of the last time
  dialog.onclose = async () => {
    if (!dialog.returnValue) return;
    try {
      const json = { model: ref, data: $("measure-data").value, resize: true };
      const run = await api("POST", "/v1/evaluation-jobs", { json });
      location.assign(`/train/${run.id}`);
    } catch (error) {
      explain($("problem"), error);
      $("problem").scrollIntoView({ block: "center" });
    }
  };
  dialog.showModal();
}

for (const button of document.querySelectorAll("[data-act]"))
  button.onclick = () => {
    const card = button.closest("[data-ref]");
    if (button.dataset.act === "measure") measure(card.dataset.ref, button.dataset.fits.split(" "));
    else change(card, button.dataset.act);
  };
