// A deleted order: it can be restored.

import { $, api, explain } from "./studio.js";

$("restore").onclick = async () => {
  $("restore").disabled = true;
  try {
    await api("POST", `/v1/jobs/${$("restore").dataset.job}/restore`);
    location.reload(); // to the page of the order
  } catch (error) {
    explain($("problem"), error);
    $("restore").disabled = false;
  }
};
