// Observe: the page shows itself anew every few seconds.

import { $, Refusal, explain, t } from "./studio.js";

const PAUSE = 4000;

async function renew() {
  if (!document.hidden) {
    try {
      const response = await fetch(location.href);
      if (response.redirected) throw new Refusal("", { status: 401 });
      if (!response.ok) throw new Refusal(t("prodgen failed to answer."));
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      $("observed").replaceWith(page.getElementById("observed"));
      explain($("problem"));
    } catch (error) {
      const silent = t("prodgen does not answer. Look whether you are online, and try again.");
      explain($("problem"), error instanceof Refusal ? error : new Refusal(silent));
      if (error.status === 401) return;
    }
  }
  setTimeout(renew, PAUSE);
}

setTimeout(renew, PAUSE);
