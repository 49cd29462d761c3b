// A deleted order or run: it can be restored.

import { $, api, explain } from "./studio.js";

$("restore").onclick = async () => {
  $("restore").disabled = true;
  try {
    await api("POST", $("restore").dataset.path);
    location.reload(); // to the page of the order or run
  } catch (error) {
    explain($("problem"), error);
    $("restore").disabled = false;
  }
};
