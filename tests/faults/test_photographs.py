"""An order of photographs through the whole stack, while a worker is killed."""

import json
from pathlib import Path

from PIL import Image

from prodgen.bundled import bundled_photographs
from prodgen.files import sha256
from tests.faults.whole import verified
from tests.servers.process import wait_until
from tests.servers.up import Up

COLOURS = ("original", "crimson", "navy", "gold", "white", "#8a2be2")
SCENES = ("white", "studio", "wall.png")
TOTAL = 4 * len(COLOURS) * len(SCENES)


def test_a_killed_worker_costs_no_picture_and_every_picture_can_be_made_again(up: Up, tmp_path: Path) -> None:
    photos, out, order = tmp_path / "photos", tmp_path / "out", tmp_path / "order.csv"
    photos.mkdir()
    Image.linear_gradient("L").save(photos / "wall.png")
    rows = ["SKU,Photo,colour,scene"]
    for path in bundled_photographs():
        (photos / path.name).write_bytes(path.read_bytes())
        rows.append(f"{path.stem},{path.name},{'|'.join(COLOURS)},{'|'.join(SCENES)}")
    rows.append(f"outfit,polo.jpg+shorts.jpg,{'|'.join(COLOURS)},{'|'.join(SCENES)}")
    digests = {sha256(path) for path in photos.iterdir()}
    order.write_text("\n".join(rows))
    asked = ("submit", order, "--model", "studio-grabcut", "--photos", photos, "--size", "96", "--key", "k")
    job = up.json(*asked)
    assert job["total"] == TOTAL

    pid = up.pids["worker-1"]
    with up.client() as client:
        wait_until(lambda: bool(up.leases(pid)) or client.job(job["id"])["done"], "no lease is taken")
    up.kill("worker-1")

    uploads = [path for path in (up.data_dir / "store").rglob("uploads/*") if sha256(path) in digests]
    sent = {path: path.stat().st_mtime_ns for path in uploads}
    done = up.cli(*asked, "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    assert len(sent) == len(digests) == 4
    assert {path: path.stat().st_mtime_ns for path in uploads} == sent, "what was there was sent again"

    lines = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
    assert [line["index"] for line in lines] == list(range(TOTAL))
    made = {(line["sku"], line["attributes"]["colour"], line["attributes"]["scene"]) for line in lines}
    assert len(made) == TOTAL
    assert all((out / line["file"]).is_file() for line in lines)
    named = {photo for line in lines for photo in line["photo"].split("+")}
    named |= {line["attributes"]["scene"] for line in lines} - {*SCENES}
    assert named == digests
    up.wait_replaced("worker-1", pid)
    sample = [json.dumps(line) for line in lines[::5]]
    (out / "manifest.jsonl").write_text("\n".join(sample))
    assert verified(out, "--photos", photos)
