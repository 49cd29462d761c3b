"""Create, in a real browser: how long a change of a control takes until it shows, and its parts.

``python -m tests.bench.slider [MODEL] [CHANGES]`` starts a stack of its own with one worker, and Debian's
chromium.
"""

import json
import sys
import tempfile
from pathlib import Path
from shutil import which
from typing import Any

import numpy as np
from playwright.sync_api import sync_playwright

from tests.servers.up import Up

CHANGE = """async (place) => {
  performance.clearResourceTimings();
  const began = performance.now();
  const gallery = document.getElementById("gallery");
  const shown = new Promise((resolve) => {
    const watcher = new MutationObserver(() => { watcher.disconnect(); resolve(performance.now()); });
    watcher.observe(gallery, { childList: true, subtree: true });
  });
  const colour = document.querySelector("input[type=color]");
  const control = colour ?? document.querySelectorAll("[data-attribute] input")[place % 10];
  if (colour) control.value = "#" + (0x100000 + place * 0x030507).toString(16);
  else control.checked = !control.checked;
  control.dispatchEvent(new Event(colour ? "input" : "change", { bubbles: true }));
  const ended = (await shown) - began;
  const kinds = [
    ["/events", "events"], ["/images?", "list"], ["/v1/objects", "picture"], ["/v1/jobs", "order"],
  ];
  const kind = (name) => kinds.find(([part]) => name.includes(part))?.[1];
  const steps = performance.getEntriesByType("resource").map((one) => [
    kind(one.name),
    one.startTime - began,
    one.responseEnd - began,
  ]);
  return { ended, steps };
}"""
"""Changes a control, and returns when the first picture is shown, and when each request began and ended."""


def main(model: str, changes: int) -> None:
    """Print the percentiles of the time to the pictures, and the medians of its parts, in milliseconds."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Up(Path(folder) / "data", workers=1) as up,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=which("chromium"), args=["--no-sandbox"])
        page = browser.new_context(base_url=up.url).new_page()
        page.goto(f"/sign-in?next=/create%3Fmodel%3D{model}")
        page.keyboard.type(json.loads((up.data_dir / "ready.json").read_text())["api_key"])
        page.keyboard.press("Enter")
        page.locator("#gallery img").nth(23).wait_for()
        found: list[dict[str, Any]] = []
        for place in range(changes + 3):
            found.append(page.evaluate(CHANGE, place))
            page.wait_for_timeout(200)
        browser.close()
    times = np.array([one["ended"] for one in found[3:]])
    print(f"{model}: {changes} changes, p50 {np.median(times):.0f} ms, p95 {np.percentile(times, 95):.0f} ms")
    for what in ("order", "events", "list", "picture"):
        spans = [
            (min(s for _, s, _ in own), max(e for _, _, e in own))
            for one in found[3:]
            if (own := [step for step in one["steps"] if step[0] == what])
        ]
        if spans:
            began, ended = np.median(spans, axis=0)
            print(f"  {what}: {len(spans)} times, from {began:.0f} to {ended:.0f} ms")


if __name__ == "__main__":
    main(*([*sys.argv[1:2], "clothing"][:1]), int([*sys.argv[2:3], 30][0]))
