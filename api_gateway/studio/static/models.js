// Models, and two versions of one: the promotion of a version, and the way back.

import { $, api, ask, explain, t } from "./studio.js";

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

for (const button of document.querySelectorAll("[data-act]"))
  button.onclick = () => change(button.closest("[data-ref]"), button.dataset.act);
