"""An order for a game is downloaded as sprite sheets with atlases, a single image never lost or moved."""

import io
import json
from pathlib import Path

import pytest
from PIL import Image

from prodgen.bundled import bundled_folders
from prodgen.client import Client as Service
from prodgen.errors import Conflict
from prodgen.registry.publish import publish
from prodgen.spec.manifest import read_lines
from tests.gateway.running import Client, Gateway

SIZE = 700
"""So large that a sheet takes four images."""
ORDER = {"count": 6, "finish": {"size": SIZE}, "output": {"packaging": "sheet"}}


def picture(index: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (SIZE, SIZE), 10 + index).save(buffer, "png")
    return buffer.getvalue()


@pytest.fixture
def job(client: Client, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> str:
    """An ended job of six images."""
    monkeypatch.setattr("tests.gateway.running.content", picture)
    job: str = client.order(**ORDER)["id"]
    gateway.work(client.tenant, job)
    return job


def test_sheets_are_listed_and_sent_with_their_atlases(client: Client, job: str) -> None:
    listed = client.get(f"/v1/jobs/{job}/sheets?limit=1").json()
    assert listed["data"] == [{"name": "sprites-0", "width": 1402, "height": 1402}]
    listed = client.get(f"/v1/jobs/{job}/sheets?after={listed['next']}").json()
    assert (listed["data"], listed["next"]) == ([{"name": "sprites-1", "width": 1402, "height": 700}], None)

    atlas = client.get(f"/v1/jobs/{job}/sheets/sprites-1.json").json()
    assert atlas["frames"].keys() == {"000000004.png", "000000005.png"}
    frame = atlas["frames"]["000000005.png"]["frame"]
    sheet = Image.open(io.BytesIO(client.get(f"/v1/jobs/{job}/sheets/sprites-1.png").content))
    assert sheet.size == (atlas["meta"]["size"]["w"], atlas["meta"]["size"]["h"])
    assert sheet.getpixel((frame["x"], frame["y"])) == (15, 15, 15, 255)
    assert [row["file"] for row in client.get(f"/v1/jobs/{job}/images").json()["data"]][4] == "000000004.png"


def test_an_order_of_sheets_is_downloaded_as_sheets(client: Client, job: str, tmp_path: Path) -> None:
    key = client.key
    with Service(str(client.base_url), key) as service:
        assert len([*service.download_sheets(job, tmp_path)]) == 6
        assert len([*service.download_sheets(job, tmp_path)]) == 6, "a second download changes nothing"
        (tmp_path / "other").mkdir()
        (tmp_path / "other" / "manifest.jsonl").write_text('{"index": 0}\n')
        with pytest.raises(Conflict):
            [*service.download_sheets(job, tmp_path / "other")]
    files = {path.name for path in tmp_path.iterdir() if path.is_file()}
    assert files == {"manifest.jsonl", *(f"sprites-{k}.{kind}" for k in (0, 1) for kind in ("png", "json"))}
    lines = list(read_lines((tmp_path / "manifest.jsonl").read_bytes()))
    assert [(line.index, line.file) for line in lines][3:5] == [(3, "sprites-0.png"), (4, "sprites-1.png")]
    assert lines[3].frame == (702, 702, SIZE, SIZE)
    assert json.loads((tmp_path / "sprites-0.json").read_bytes())["frames"]["000000003.png"]


def test_sheets_that_are_not_there_are_refused(client: Client, gateway: Gateway, job: str) -> None:
    for name in ("sprites-2.png", "sprites-0.webp", "sprites--1.png", "sheet.png"):
        status, error = client.error("GET", f"/v1/jobs/{job}/sheets/{name}")
        assert (status, error["message"].split("; ")[1]) == (
            404,
            "it has sprites-N.png and sprites-N.json, N from 0 to 1",
        )
    assert gateway.client("stranger").error("GET", f"/v1/jobs/{job}/sheets")[0] == 404
    running = client.order(**ORDER)["id"]
    assert client.error("GET", f"/v1/jobs/{running}/sheets")[0] == 409
    single = client.order(count=1)["id"]
    gateway.work(client.tenant, single)
    assert client.error("GET", f"/v1/jobs/{single}/sheets/sprites-0.png")[0] == 400
    lossy = {"model": "shoes", "output": {"packaging": "sheet", "format": "jpeg"}}
    status, error = client.error("POST", "/v1/jobs", json=lossy)
    assert (status, error["message"]) == (400, "output: sprite sheets are PNG files; set format to png")
    (studio,) = (folder for folder in bundled_folders() if folder.name == "studio-grabcut")
    publish(gateway.store, studio, studio.name, client.tenant)
    photographs = {
        "model": studio.name,
        "output": {"packaging": "sheet"},
        "items": [{"sku": "a", "photo": "0" * 64}],
    }
    status, error = client.error("POST", "/v1/jobs", json=photographs)
    assert (status, error["message"].split(";")[0]) == (400, "sprite sheets hold generated images")
