"""People make pictures and order them in a real browser, without a mouse or on a phone, in their language."""

import json
import re
import signal
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from shutil import which
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, FilePayload, Page, expect, sync_playwright

import prodgen
from api_gateway.studio.language import translate
from prodgen.access import KeyRing
from prodgen.cli.gateway import push_folder
from prodgen.registry.publish import publish
from prodgen.runs.files import METRICS, Checkpoint
from prodgen.storage import keys
from prodgen.storage.local import LocalStore
from tests.datasets.folders import pictures
from tests.servers.up import Up
from tests.toys import write_catalogue

CHROMIUM = which("chromium")
QUIET = (
    "disable-gpu",
    "no-sandbox",
    "disable-background-networking",
    "disable-component-update",
    "disable-sync",
)
PICTURES = 24
TOY = {"name": "toy", "family": "resnet", "widths": [16, 8], "latent_dim": 16, "batch": 16, "steps": 100}
BUNDLED = Path(prodgen.__file__).parent / "bundled"
PHOTOGRAPHS = BUNDLED / "photographs"
expect.set_options(timeout=60_000)

TRANSLATE = "async (sentence) => (await import('/studio/studio.js')).t(sentence)"
MOST_BYTES = 300_000
"""The most bytes of pages between two checks, without their pictures."""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium; `apt-get install chromium` brings it")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[f"--{name}" for name in QUIET])
        yield browser
        browser.close()


class Visit:
    """A person with a browser window: where they are, and what goes wrong on the way."""

    def __init__(self, browser: Browser, up: Up, **window: Any) -> None:
        self.up, self.troubles, self.bytes = up, list[str](), 0
        # Without transitions: a check while a gallery fades in would find text that is too pale.
        context = browser.new_context(base_url=up.url, reduced_motion="reduce", **window)
        self.page: Page = context.new_page()
        self.page.set_default_timeout(60_000)
        self.page.on(
            "console", lambda message: message.type in ("error", "warning") and self._note(message.text)
        )
        self.page.on("pageerror", lambda error: self._note(str(error)))
        self.page.on("response", lambda response: self._weigh(response.headers))

    def sign_in(self, following: str) -> Page:
        """Sign in with the keyboard alone, and return the page that follows."""
        self.page.goto(f"/sign-in?next={following}")
        self.check()
        self.page.keyboard.type(self.up.ready["api_key"])
        self.page.keyboard.press("Enter")
        self.page.wait_for_url(lambda url: "/sign-in" not in url)  # and until its scripts have run
        return self.page

    def check(self) -> None:
        """Check that the page fits its window, can be read with a screen reader, and has no trouble."""
        assert self.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        found = Axe().run(self.page).response["violations"]
        serious = [one for one in found if one["impact"] in ("serious", "critical")]
        assert not serious, [(one["id"], [node["html"] for node in one["nodes"]]) for one in serious]
        assert not self.troubles
        assert self.bytes < MOST_BYTES
        self.bytes = 0

    def _note(self, trouble: str) -> None:
        self.troubles.append(trouble)

    def _weigh(self, headers: dict[str, str]) -> None:
        if not headers.get("content-type", "").startswith(("image/", "application/x-tar")):
            self.bytes += int(headers.get("content-length", 0))


def test_pictures_are_made_kept_and_ordered_and_the_order_is_found_again(browser: Browser, up: Up) -> None:
    visit = Visit(browser, up, viewport={"width": 1440, "height": 900}, locale="en-GB")
    page = visit.sign_in("/create?model=clothing")
    pictures = page.locator("#gallery img")
    expect(pictures).to_have_count(PICTURES)
    page.get_by_label("In words").fill("silk dress")
    page.keyboard.press("Enter")
    expect(page.locator("#reading")).to_contain_text("silk")
    page.locator("#controls").get_by_label("navy").check()
    expect(
        page.get_by_alt_text("dress, plain, navy").or_(page.get_by_alt_text("dress, patterned, navy"))
    ).to_have_count(PICTURES)
    page.get_by_role("slider", name="flare").fill("1.5")
    expect(page.get_by_alt_text("flare 1.5")).to_have_count(PICTURES)
    visit.check()

    page.locator(".keep").nth(1).click()
    page.locator(".tile .open").nth(2).click()
    page.locator("#zoom-actions").get_by_role("button", name="Keep", exact=True).click()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Another 24").click()
    page.reload()
    expect(pictures).to_have_count(PICTURES)
    expect(page.locator("#count")).to_have_text("2 kept")
    page.get_by_role("button", name="Mix two").click()
    half, loop = (page.locator("figure", has_text=text) for text in ("50 % of the", "From the first"))
    for shown in (half, loop):
        expect(shown.locator("img")).to_have_js_property("naturalWidth", 256)
    half.locator(".keep").click()
    visit.check()
    page.locator("#mix-close").click()
    expect(page.locator("#count")).to_have_text("3 kept")
    page.get_by_role("button", name="Order these").click()
    page.get_by_label("Name of the order").fill("Spring dresses")
    page.locator("#order-form").get_by_label("teal").check()
    page.locator("#order-form").get_by_label("gold").check()
    expect(page.locator("#ordering-about")).to_have_text("3 looks, 6 pictures")
    visit.check()
    page.locator("#place").click()

    expect(page.locator(".state .word")).to_have_text("done")
    expect(pictures).to_have_count(6)
    visit.check()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download all").click()
    assert re.fullmatch(r"[0-9a-f]{24}\.tar", download.value.suggested_filename)

    page.goto("/orders")
    expect(page.locator("#orders img")).not_to_have_count(0)
    visit.check()
    page.get_by_role("link", name="Spring dresses").click()
    expect(pictures).to_have_count(6)


def test_pictures_are_compared_rejected_filtered_deleted_and_restored(browser: Browser, up: Up) -> None:
    visit = Visit(browser, up, viewport={"width": 1440, "height": 900}, locale="en-GB")
    with up.client() as client:
        attributes = {"category": "dress", "colour": ["gold", "teal"]}
        job = client.submit({"model": "clothing", "attributes": attributes, "count": 2})["id"]
    page = visit.sign_in(f"/orders/{job}")
    expect(page.locator(".state .word")).to_have_text("done")
    pictures = page.locator("#gallery img")
    expect(pictures).to_have_count(4)
    page.locator(".tile .open").nth(1).click()
    expect(page.locator("#zoom-facts")).to_contain_text("gold")
    page.get_by_role("button", name="Compare").click()
    expect(page.locator("#zoom-facts dd").filter(has_text="gold")).to_be_visible()
    expect(page.locator("#zoom-facts dd").filter(has_text="teal")).to_be_visible()
    expect(page.locator("#zoom .stage img:visible")).to_have_count(2)
    visit.check()
    page.keyboard.press("Escape")
    page.locator(".tile .open").first.click()
    page.get_by_role("button", name="Reject").click()
    expect(page.get_by_role("button", name="Is made again …")).to_be_disabled()
    page.keyboard.press("Escape")
    expect(page.locator(".tile.waiting")).to_have_count(0)
    page.locator(".tile .open").first.click()
    expect(page.locator("#zoom-facts")).to_contain_text("Attempt2")
    visit.check()
    page.keyboard.press("Escape")
    page.locator(".tile .open").first.click()
    page.get_by_role("button", name="Delete the picture").click()
    visit.check()
    page.locator("#asking").get_by_role("button", name="Not now").click()
    page.get_by_role("button", name="Delete the picture").click()
    page.locator("#asking").get_by_role("button", name="Do it").click()
    expect(page.locator("#zoom")).to_be_hidden()
    expect(pictures).to_have_count(3)
    with up.client() as client:
        assert [one["index"] for one in client.images(job)] == [1, 2, 3]
    page.get_by_label("colour").select_option(label="teal")
    expect(pictures).to_have_count(2)
    page.get_by_role("button", name="Delete").click()
    page.locator("#deleting .button").click()
    expect(page.get_by_text("The order is deleted.")).to_be_visible()
    visit.check()
    page.get_by_role("link", name="Orders", exact=True).first.click()
    page.get_by_role("link", name="Deleted").click()
    with page.expect_navigation():  # and until its scripts have run
        page.get_by_role("link", name="dress, gold, teal").click()
    page.get_by_role("button", name="Restore").click()
    expect(pictures).to_have_count(3)


def test_an_order_is_put_first_paused_continued_and_cancelled(browser: Browser, up: Up) -> None:
    visit = Visit(browser, up, viewport={"width": 1440, "height": 900})
    with up.client() as client:
        up.kill("worker-1", signal.SIGSTOP)  # so that the small order is not made before it is paused
        large = client.submit({"model": "fashion-mnist", "count": 200_000})["id"]
        small = client.submit({"model": "fashion-mnist", "count": 64})["id"]
        client.pause(small)
        up.kill("worker-1", signal.SIGCONT)
    page = visit.sign_in(f"/orders/{large}")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator(".state .word")).to_have_text("paused")
    visit.check()
    page.get_by_role("button", name="Resume").click()
    page.goto(f"/orders/{small}")
    page.get_by_role("button", name="Make it first").click()
    expect(page.get_by_role("button", name="Make it in its turn")).to_be_visible()
    page.get_by_role("button", name="Resume").click()
    expect(page.locator(".state .word")).to_have_text("done")
    page.goto(f"/orders/{large}")
    page.get_by_role("button", name="Cancel the order").click()
    page.locator("#cancelling .button").click()
    expect(page.locator(".state .word")).to_have_text("cancelled")
    visit.check()


def test_a_file_is_mapped_checked_mended_and_ordered(browser: Browser, up: Up) -> None:
    visit = Visit(browser, up, viewport={"width": 1440, "height": 900})
    page = visit.sign_in("/orders/new")

    def choose(text: str) -> None:
        file: FilePayload = {"name": "spring.csv", "mimeType": "text/csv", "buffer": text.encode()}
        page.locator("#file").set_input_files(file)

    choose("Handle,Type,Color,Qty,Vendor\nA-1,hat,navy,2,North\nA-2,hut,,1,South\nA-3,dress,gree,1,South\n")
    expect(page.locator("#faults li")).to_have_count(2)
    expect(page.locator("#faults")).to_contain_text("did you mean green?")
    visit.troubles.clear()  # Chromium notes each refused request
    visit.check()
    page.get_by_role("link", name="Another file").click()
    choose("Handle,Type,Color,Qty,Vendor\nA-1,hat,navy,2,North\nA-2,hat,,1,South\n")
    page.get_by_role("button", name="Order 3 pictures").click()
    expect(page.get_by_role("heading", name="spring")).to_be_visible()
    expect(page.locator("#gallery img")).to_have_count(3)
    visit.check()


def test_photographs_are_tried_in_colours_and_ordered(browser: Browser, up: Up) -> None:
    visit = Visit(browser, up, viewport={"width": 1440, "height": 900})
    page = visit.sign_in("/photographs?model=studio-grabcut")
    page.locator("#file").set_input_files([PHOTOGRAPHS / "cap.jpg", PHOTOGRAPHS / "shorts.jpg"])
    expect(page.locator("#photographs img")).to_have_count(2)
    page.locator("[data-attribute=colour]").get_by_label("teal").check()
    page.locator("[data-attribute=colour]").get_by_label("gold").check()
    wall = FilePayload(
        name="wall.ppm", mimeType="image/x-portable-pixmap", buffer=b"P6 600 600 255\n" + bytes(3 * 600**2)
    )
    page.get_by_label("a background of yours").set_input_files(wall)
    expect(page.get_by_alt_text("teal, a picture of yours", exact=True)).to_be_visible()
    page.get_by_label("a swatch of yours").set_input_files({**wall, "name": "felt.ppm"})
    dressed = page.get_by_alt_text("teal, a picture of yours, a picture of yours")
    expect(dressed).to_be_visible()
    before = str(dressed.get_attribute("src"))
    brush_the_lower_half_away(visit)
    expect(dressed).not_to_have_attribute("src", before)
    expect(page.locator("[aria-busy=true]")).to_have_count(0)
    visit.check()
    page.reload()
    expect(page.get_by_label("wall", exact=True)).to_be_checked()
    expect(page.get_by_label("felt", exact=True)).to_be_checked()
    page.get_by_label("felt", exact=True).uncheck()
    page.get_by_label("Light from").select_option("left")
    page.get_by_role("button", name="shorts", exact=True).click()
    page.get_by_label("Shape").select_option("16:9")
    expect(page.locator("#gallery img").first).to_have_js_property("naturalHeight", 288)
    page.locator("[data-attribute=colour]").get_by_label("teal").uncheck()
    page.get_by_label("For", exact=True).select_option("amazon")
    expect(page.get_by_alt_text("gold, white")).to_be_visible()
    page.get_by_role("button", name="Order 2 pictures").click()
    expect(page.get_by_role("heading", name="2 photographs")).to_be_visible()
    expect(page.locator("#gallery img")).to_have_count(2)
    visit.check()
    with up.client() as client:
        cap, shorts = client.images(page.url.rpartition("/")[2])
    assert ("matte" in cap, "matte" in shorts) == (True, False)
    matte = Image.open(BytesIO(page.request.get(f"/v1/uploads/{cap['matte']}").body()))
    width, height = matte.size
    assert matte.size == Image.open(PHOTOGRAPHS / "cap.jpg").size
    halves = [(0, 0, width, height // 2), (0, height * 3 // 4, width, height)]
    assert [matte.getchannel("A").crop(half).getextrema()[1] for half in halves] == [255, 0]


def brush_the_lower_half_away(visit: Visit) -> None:
    """Correct the cut-out of the photograph that the page shows: with the mouse, and by keys undo a dab."""
    page = visit.page
    page.get_by_role("button", name="Correct the cut-out").click()
    page.locator("#matte").get_by_label("Take away").check()
    page.get_by_label("Brush size").fill("120")
    veil = page.locator("#matte-veil")
    box = veil.bounding_box()
    assert box
    for share in (0.7, 0.8, 0.9, 1):
        page.mouse.move(box["x"] + 2, box["y"] + share * box["height"] - 2)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] - 2, box["y"] + share * box["height"] - 2)
        page.mouse.up()
    page.reload()
    page.get_by_role("button", name="Correct the cut-out").click()
    expect(page.locator("#matte-undo")).to_be_enabled()
    veil.focus()
    for key in ("ArrowUp", "[", "Space", "Control+Z"):
        page.keyboard.press(key)
    visit.check()
    page.get_by_role("button", name="Save the cut-out").click()
    expect(page.locator("#matte")).to_be_hidden()


def test_a_training_is_looked_at_over_time_paused_and_cancelled(
    browser: Browser, up: Up, tmp_path: Path
) -> None:
    with up.client() as client:
        push_folder(client, write_catalogue(tmp_path / "rings", count=200, size=16), quiet=True)
        run = client.train({"recipe": TOY, "data": "rings", "name": "hoops", "nodes": 2})["id"]
    publish_progress(up.store, run)
    visit = Visit(browser, up, viewport={"width": 1440, "height": 900}, locale="en-GB")
    page = visit.sign_in("/train")
    expect(page.locator("#runs li", has_text="hoops").locator(".thumb img")).to_have_count(1)
    visit.check()
    page.get_by_role("link", name="hoops").click()
    expect(page.locator("#left")).to_contain_text("waits for 2 nodes")
    expect(page.locator("#at")).to_have_text("40")
    loss, score = page.get_by_role("img", name="generator"), page.get_by_role("img", name="Fréchet")
    expect(loss).to_have_accessible_name("generator: 0.4 at step 40")
    page.get_by_role("slider").focus()
    page.keyboard.press("Home")
    expect(page.get_by_alt_text("Generated images at step 20")).to_be_visible()
    expect(loss).to_have_accessible_name("generator: 0.2 at step 20")
    expect(score).to_have_accessible_name(re.compile("80.5 at step 20"))
    expect(page.locator("#happened")).to_contain_text("Step 20: a Fréchet distance of 80.5", ignore_case=True)
    visit.check()

    page.get_by_role("button", name="Pause").click()
    expect(page.locator(".state .word")).to_have_text("paused")
    page.get_by_role("button", name="Resume").click()
    expect(page.locator(".state .word")).to_have_text("queued")
    page.get_by_role("button", name="Cancel the run").click()
    page.get_by_role("button", name="Do it").click()
    expect(page.locator(".state .word")).to_have_text("cancelled")
    expect(page.get_by_role("button", name="Pause")).to_be_hidden()

    with up.client() as client:
        push_folder(client, write_catalogue(tmp_path / "my-fashion", count=200, size=16), quiet=True)
    page.goto("/models")
    page.locator("[data-ref^='fashion-mnist@']").get_by_role("button", name="Measure").click()
    expect(page.locator("#measure-data")).to_contain_text("my-fashion@")
    visit.check()
    page.locator("#measuring .button").click()
    page.wait_for_url(re.compile("/train/[0-9a-f]{24}"))
    with up.client() as client:
        evaluated = client.run(page.url.rpartition("/")[2])
        client.command(evaluated["id"], "cancel")
    assert evaluated["title"].startswith("evaluate fashion-mnist")
    assert not visit.troubles


def test_photographs_are_uploaded_and_cut_out_and_a_training_begins(
    browser: Browser, up: Up, tmp_path: Path
) -> None:
    with up.client() as client:
        push_folder(client, write_catalogue(tmp_path / "squares", count=200, size=16), quiet=True)
    visit = Visit(browser, up, viewport={"width": 1440, "height": 900})
    page = visit.sign_in("/train/new?data=squares")
    expect(page.get_by_label("Recipe")).to_have_value("fashion-mnist")
    page.get_by_label("Steps").fill("5")
    page.get_by_label("Images a step").fill("300")
    page.get_by_role("button", name="Start the training").click()
    expect(page.locator("#problem")).to_contain_text("holds 200 images, fewer than a batch of 300")
    visit.troubles.clear()  # Chromium notes each refused request
    page.get_by_label("Images a step").fill("16")
    visit.check()
    page.get_by_role("button", name="Start the training").click()
    expect(page.get_by_role("heading", name="squares")).to_be_visible()

    page.goto("/train/new")
    folder = pictures(tmp_path / "my shop", count=4)
    page.locator("#folder").set_input_files(folder)
    expect(page.locator("#found li").first).to_contain_text("8 photographs")
    expect(page.get_by_label("Name of the data set", exact=True)).to_have_value("my-shop")
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(page.locator("#choice select")).to_have_value("my-shop")
    visit.check()
    page.get_by_role("button", name="Cut out", exact=True).click()
    expect(page.get_by_role("heading", name="my-shop-64")).to_be_visible()
    with up.client() as client:
        sent = client.dataset("my-shop")
        assert (sent["files"], sent["summary"]["images"]) == (16, {"train": 8, "test": 8})
        for run in list(client.runs())[:2]:
            client.command(run["id"], "cancel")
    assert not visit.troubles


def test_two_versions_draw_the_same_looks_and_the_better_one_is_promoted(browser: Browser, up: Up) -> None:
    better, worse = (
        publish(up.store, BUNDLED / name, "duel", "default", [alias]).version
        for name, alias in (("fashion-mnist", "latest"), ("fashion-mnist-vaegan", "production"))
    )
    visit = Visit(browser, up, viewport={"width": 390, "height": 844})
    page = visit.sign_in("/models")
    page.locator(f"[data-ref='duel@{better}']").get_by_role("link", name="Compare versions").click()
    pictures = page.locator(".both img")
    expect(pictures).to_have_count(24)
    page.get_by_label("sneaker").check()
    page.get_by_label("bag").check()
    expect(page.get_by_alt_text("bag", exact=True)).to_have_count(12)
    shown = pictures.evaluate_all("all => all.map(one => one.alt)")
    assert shown[::2] == shown[1::2] == ["sneaker", "bag"] * 6
    expect(page.locator(".better").first).to_contain_text("5.954")
    visit.check()

    def change(name: str) -> None:
        page.get_by_role("button", name=name).click()
        page.get_by_role("button", name="Do it").click()

    change("Make it the version of new orders")
    expect(page.get_by_label("Left")).to_have_value(better)
    change("Make it the version of new orders")
    expect(page.locator("#problem")).to_contain_text(f"duel@{worse} scores worse than duel@{better}")
    visit.troubles.clear()  # Chromium notes each refused request
    change("Roll back")
    expect(page.get_by_label("Left")).to_have_value(worse)
    expect(page.get_by_text("rolled back")).to_be_visible()
    visit.check()


def test_an_order_is_made_again_by_another_version_and_the_shop_gets_the_chosen_pictures(
    browser: Browser, up: Up
) -> None:
    for name, alias in (("fashion-mnist", "production"), ("fashion-mnist-vaegan", "latest")):
        publish(up.store, BUNDLED / name, "boutique", "default", [alias])
    items = [{"sku": sku, "attributes": {"category": "dress"}} for sku in ("A-1", "A-2", "A-3")]
    with up.client() as client:
        first = client.submit({"model": "boutique", "items": items, "title": "Spring"})["id"]
        list(client.watch(first))
    visit = Visit(browser, up, viewport={"width": 390, "height": 844})
    page = visit.sign_in(f"/orders/{first}")
    page.get_by_role("button", name="Order again").click()
    page.locator("#ordering-again .button").click()
    expect(page.locator(".both img")).to_have_count(6)
    expect(page.locator("#status")).to_have_text("3 compared, 3 undecided")
    page.get_by_role("button", name="Keep the old").first.press("Enter")
    expect(page.locator("figure[data-choice=old]")).to_have_count(1)
    kept = page.locator("figure[data-choice=old] b").inner_text()
    visit.check()
    page.get_by_label("Undecided only").check()
    expect(page.locator("figure")).to_have_count(2)
    page.get_by_role("button", name="Take the new for the rest").click()
    page.get_by_role("button", name="Do it").click()
    expect(page.locator("figure")).to_have_count(0)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the choices").click()
    rows = Path(download.value.path()).read_text().splitlines()
    chosen = {sku: choice for sku, _, choice, *_ in (row.split(",") for row in rows[1:])}
    assert chosen == {sku: "old" if sku == kept else "new" for sku in ("A-1", "A-2", "A-3")}
    page.get_by_role("link", name="Spring").click()
    page.get_by_role("link", name="What changes").click()
    expect(page.locator("#status")).to_have_text("3 compared, 0 undecided")
    visit.check()


def publish_progress(store: LocalStore, run: str) -> None:
    """Write what an attempt at a run writes: samples, and a checkpoint with losses and scores."""
    numbers = [(20, {"generator": 0.2}), (20, {"domain_fid": 80.5}), (40, {"generator": 0.4})]
    lines = [json.dumps({"step": step, "images": step * 16, "time": step, **more}) for step, more in numbers]
    for step in (20, 40):
        picture = BytesIO()
        Image.new("RGB", (180, 180), (step, 90, 90)).save(picture, "PNG")
        store.put(keys.run("default", run, "samples", f"{step:07d}.png"), picture.getvalue(), "image/png")
    store.put(keys.run("default", run, "files", "d"), "\n".join(lines).encode())
    pointer = Checkpoint(token="01", step=40, files={METRICS: "d"}).model_dump_json()
    store.put(keys.run("default", run, "checkpoints", "01.json"), pointer.encode())


def test_a_phone_in_chinese_and_in_the_dark_shows_the_same(browser: Browser, up: Up) -> None:
    window: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
    visit = Visit(browser, up, **window, locale="zh-CN", color_scheme="dark")
    page = visit.sign_in("/create?model=fashion-mnist")
    expect(page.locator("#gallery img")).to_have_count(PICTURES)
    page.get_by_label("短靴", exact=True).tap()
    expect(page.get_by_alt_text("短靴", exact=True)).to_have_count(PICTURES)
    visit.check()

    fault = "row 3 (A-2): category cannot be 'hut'; this model makes hat, dress; did you mean hat?"
    assert page.evaluate(TRANSLATE, fault) == translate("zh", fault)

    page.locator(".tile .open").nth(1).tap()
    page.get_by_role("button", name="修改这张").tap()
    expect(page.locator("#redraw-about")).to_contain_text("识别为 品类 短靴")
    page.get_by_label("新的品类").select_option("bag")
    expect(page.locator("#redraw-to").get_by_alt_text("包")).to_be_visible()
    visit.check()
    page.locator("#redraw-keep").tap()
    page.locator("#redraw-close").tap()
    page.get_by_role("button", name="订购这些图片").tap()
    page.locator("#place").tap()
    expect(page.locator(".state .word")).to_have_text("已完成")
    expect(page.locator("#gallery").get_by_alt_text("包")).to_have_count(1)
    visit.check()
    page.get_by_role("link", name="模型").tap()
    expect(page.locator("#models img").first).to_be_visible()
    visit.check()
    page.get_by_role("link", name="监控").tap()
    expect(page.locator(".big").nth(2)).to_have_text("1")
    visit.check()
    page.get_by_role("link", name="订单", exact=True).tap()
    expect(page.locator("#orders img")).not_to_have_count(0)
    visit.check()


def test_a_faulty_colour_and_a_revoked_key_are_explained_where_people_look(browser: Browser, up: Up) -> None:
    secret, key = KeyRing(up.store).create("guests", ["generate"])
    visit = Visit(browser, up, viewport={"width": 1440, "height": 900})
    page = visit.page
    page.goto("/sign-in?next=/create?model=clothing")
    page.get_by_label("API key").fill(secret)
    page.keyboard.press("Enter")
    expect(page.locator("#gallery img")).to_have_count(PICTURES)
    page.locator("#controls").get_by_label("Another colour, by name or number").fill("crimsn")
    page.keyboard.press("Enter")
    expect(page.locator("#problem")).to_contain_text("did you mean crimson?")

    KeyRing(up.store).revoke(key.id)
    up.wait_refused(secret)
    page.get_by_role("button", name="Another 24").click()
    page.get_by_role("link", name="Sign in again").click()
    assert "looks" in page.url
    expect(page.get_by_label("API key")).to_be_focused()


def test_two_tabs_share_what_is_kept_and_lose_nothing_while_the_store_is_away(
    browser: Browser, up: Up
) -> None:
    page = Visit(browser, up, viewport={"width": 1440, "height": 900}).sign_in("/create?model=fashion-mnist")
    other = page.context.new_page()
    other.goto("/create?model=fashion-mnist")
    for tab in (page, other):
        expect(tab.locator("#gallery img")).to_have_count(PICTURES)
    page.locator(".keep").first.click()
    expect(other.locator("#count")).to_have_text("1 kept")
    other.locator(".keep").nth(1).click()
    expect(page.locator("#count")).to_have_text("2 kept")

    store = up.data_dir / "store"
    away = store.rename(store.with_name("away"))
    page.get_by_role("button", name="Another 24").click()
    expect(page.locator("#problem")).to_contain_text("store")
    away.rename(store)
    page.get_by_role("button", name="Another 24").click()
    expect(page.locator("#problem")).to_be_hidden()
    expect(page.locator("[aria-busy=true]")).to_have_count(0)
    page.reload()
    expect(page.locator("#kept img")).to_have_count(2)
