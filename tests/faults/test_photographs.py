"""An order of photographs through the whole stack, while a worker is killed."""

import json
from pathlib import Path

from PIL import Image

from prodgen.bundled import bundled_photographs
from prodgen.files import sha256
from tests.servers.process import wait_until
from tests.servers.up import Up

COLOURS = ("original", "crimson", "navy", "gold", "black", "white", "teal", "#8a2be2")
SCENES = ("white", "studio", "wall.png")
TOTAL = 3 * len(COLOURS) * len(SCENES)


def test_a_killed_worker_costs_no_picture_and_every_picture_can_be_made_again(up: Up, tmp_path: Path) -> None:
    photos, out, order = tmp_path / "photos", tmp_path / "out", tmp_path / "order.csv"
    photos.mkdir()
    Image.linear_gradient("L").save(photos / "wall.png")
    rows = ["SKU,Photo,colour,scene"]
    for path in bundled_photographs():
        (photos / path.name).write_bytes(path.read_bytes())
        rows.append(f"{path.stem},{path.name},{'|'.join(COLOURS)},{'|'.join(SCENES)}")
    order.write_text("\n".join(rows))
    asked = ("submit", order, "--model", "studio-grabcut", "--photos", photos, "--size", "96", "--key", "k")
    job = up.json(*asked)
    assert job["total"] == TOTAL

    pid = up.pids["worker-1"]
    wait_until(
        lambda: bool(up.leases(pid)) or up.json("jobs", "show", job["id"])["done"], "no lease is taken"
    )
    up.kill("worker-1")

    done = up.cli(*asked, "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
    assert [line["index"] for line in lines] == list(range(TOTAL))
    made = {(line["sku"], line["attributes"]["colour"], line["attributes"]["scene"]) for line in lines}
    assert len(made) == TOTAL
    assert all((out / line["file"]).is_file() for line in lines)
    up.wait_replaced("worker-1", pid)

    again = up.json("verify", out, "--photos", photos)
    assert again == {"images": TOTAL, "differing": 0, "faults": []}
    # The photographs are there already, and are not sent again.
    digests = {line["photo"] for line in lines} | {sha256(photos / "wall.png")}
    assert digests >= {line["attributes"]["scene"] for line in lines} - {*SCENES}
    uploads = [path for path in (up.data_dir / "store").rglob("uploads/*") if path.name in digests]
    sent = [path.stat().st_mtime_ns for path in uploads]
    up.json(*asked)
    assert len(uploads) == 4
    assert [path.stat().st_mtime_ns for path in uploads] == sent
