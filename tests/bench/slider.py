"""Create, in a real browser: how long its first picture and all its pictures take, and their requests.

``python -m tests.bench.slider [CHANGES] [MODEL]…`` starts a stack of its own with one worker, and Debian's
chromium. Without models, it measures the bundled ones. Each model is measured from the opening of the page,
and then from changes of a control, each after the pictures of the one before.
"""

import json
import os
import sys
import tempfile
from pathlib import Path
from shutil import which
from typing import Any

import numpy as np
from playwright.sync_api import Page, sync_playwright

from tests.servers.up import Up

MODELS = ("clothing", "fashion-mnist", "fashion-mnist-vaegan")
OPENINGS = 8

WATCH = """() => {
  const tiles = () => [...document.querySelectorAll("#gallery .open")];
  window.change = (place) => new Promise((resolve) => {
    performance.clearResourceTimings();
    const began = performance.now();
    const old = new Map(tiles().map((tile) => [tile, tile.firstChild]));
    let first;
    const watcher = new MutationObserver(() => requestAnimationFrame(() => {
      const now = performance.now() - began;
      first ??= now;
      if (tiles().some((tile) => tile.firstChild === old.get(tile))) return;
      watcher.disconnect();
      const made = performance.getEntriesByType("resource").filter((one) => one.name.includes("/v1/render/"));
      const own = made.filter((one) => one.transferSize).sort((a, b) => a.responseEnd - b.responseEnd)[0];
      const [asked, answered] = own ? [own.startTime - began, own.responseEnd - began] : [0, 0];
      resolve({ first, all: now, asked, answered });
    }));
    watcher.observe(document.getElementById("gallery"), { childList: true, subtree: true });
    const colour = document.querySelector("input[type=color]");
    if (!colour) return document.getElementById("more").click();
    colour.value = "#" + (0x100000 + place * 0x030507).toString(16);
    colour.dispatchEvent(new Event("input", { bubbles: true }));
  });
}"""
"""Defines ``change``, which returns the milliseconds until pictures are shown.

It changes the colour or, if the model has none, asks for other looks, so that no picture is known.
"""
OPENED = """() => {
  let first;
  window.opened = new Promise((resolve) => {
    new MutationObserver(() => requestAnimationFrame(() => {
      const count = document.querySelectorAll("#gallery img").length;
      if (count) first ??= performance.now();
      if (count === 24) resolve({ first, all: performance.now() });
    })).observe(document, { childList: true, subtree: true });
  });
}"""
"""Notes when a page that opens shows its first picture and all of its pictures."""


def main(changes: int, models: list[str]) -> None:
    """Print the percentiles of the times to the pictures of each model, in milliseconds."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Up(Path(folder) / "data", workers=1) as up,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=which("chromium"), args=["--no-sandbox"])
        page = browser.new_context(base_url=up.url).new_page()
        page.goto("/sign-in?next=/create")
        page.get_by_label("API key").fill(json.loads((up.data_dir / "ready.json").read_text())["api_key"])
        page.keyboard.press("Enter")
        page.locator("#gallery img").nth(23).wait_for()
        page.add_init_script(f"({OPENED})()")
        for model in models:
            opened = [open_page(page, model) for _ in range(OPENINGS)]
            page.evaluate(WATCH)
            changed = list[dict[str, float]]()
            for place in range(changes + 3):
                changed.append(page.evaluate("(place) => window.change(place)", place))
                page.wait_for_timeout(200)
            print(f"{model}, load {os.getloadavg()[0]:.1f}")
            show(f"  {OPENINGS} openings of the page", opened, ("first", "all"))
            show(f"  {changes} changes", changed[3:], ("first", "all", "asked", "answered"))
        browser.close()


def open_page(page: Page, model: str) -> dict[str, float]:
    """Open the page with looks of its own, and return when it shows a picture and all pictures."""
    page.goto(f"/create?model={model}")
    found: dict[str, float] = page.evaluate("() => window.opened")
    return found


def show(what: str, found: list[dict[str, Any]], names: tuple[str, ...]) -> None:
    """Print the median and the 95th percentile of each time."""
    times = {name: np.percentile([one[name] for one in found], [50, 95]) for name in names}
    print(
        f"{what}: " + ", ".join(f"{name} p50 {p50:.0f} p95 {p95:.0f}" for name, (p50, p95) in times.items())
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 30, sys.argv[2:] or [*MODELS])
