"""Two versions of an order are compared picture by picture, and a shop gets the chosen pictures."""

import csv
import io
from pathlib import Path

import httpx
import pytest
from PIL import Image

from prodgen.jobs import delivery
from prodgen.jobs.diff import orders_again
from prodgen.jobs.items import read_items
from prodgen.jobs.record import load_record
from prodgen.registry.publish import publish
from prodgen.spec.change import measure_change
from tests.gateway.running import Client, Gateway
from tests.sample_models import write_model

ITEMS = [{"sku": "A-1", "attributes": {"category": "bag"}}, {"sku": "B-2", "count": 2}]


def flat(colour: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (32, 32), colour).save(buffer, "png")
    return buffer.getvalue()


def make(gateway: Gateway, tenant: str, job: str, colours: list[str]) -> None:
    """Make the images of a job, of one colour each."""
    gateway.work(tenant, job)
    lines, _ = delivery.page(gateway.store, load_record(gateway.store, tenant, job))
    for line, colour in zip(lines, colours, strict=True):
        gateway.store.put(line.object or "", flat(colour))


@pytest.fixture
def jobs(gateway: Gateway, client: Client, tmp_path: Path) -> tuple[str, str]:
    """Return an order, and the same order by another version."""
    for weights, alias in ((b"one", "production"), (b"two", "staging")):
        publish(gateway.store, write_model(tmp_path / alias, weights), "boots", client.tenant, [alias])
    old = client.order(model="boots", items=ITEMS, seed=7)["id"]
    make(gateway, client.tenant, old, ["#ff0000", "#00ff00", "#0000ff"])
    answer = client.post(f"/v1/jobs/{old}/again", json={"model": "boots@staging"})
    assert answer.status_code == 202, answer.text
    assert (answer.json()["again_of"], answer.json()["total"]) == (old, 3)
    new = answer.json()["id"]
    make(gateway, client.tenant, new, ["#ff0000", "#00ee00", "#ffffff"])
    return old, new


def test_the_change_of_each_picture_is_measured_and_the_shop_gets_the_chosen_ones(
    client: Client, stranger: Client, anyone: httpx.Client, jobs: tuple[str, str]
) -> None:
    old, new = jobs
    path = f"/v1/jobs/{old}/diff/{new}"
    first = client.get(path, params={"limit": 2}).json()
    rest = client.get(path, params={"limit": 2, "after": first["next"]}).json()
    found = [*first["data"], *rest["data"]]
    assert rest["next"] is None
    assert [(one["sku"], one["choice"]) for one in found] == [("A-1", None), ("B-2", None), ("B-2", None)]
    changes = [one["change"] for one in found]
    assert changes[0] == 0 < changes[1] < 10 < 50 < changes[2]
    assert anyone.get(found[2]["new"]["url"]).content == flat("#ffffff")

    decided = client.post(f"{path}/choices", json={"images": [1, 2], "choice": "new"}).json()
    assert (decided["new"], decided["old"], decided["undecided"]) == (2, 0, 1)
    client.post(f"{path}/choices", json={"images": [2], "choice": "old"})
    table = [*csv.DictReader(io.StringIO(client.get(f"{path}/choices").text))]
    assert [(row["sku"], row["choice"], row["job"]) for row in table] == [
        ("A-1", "undecided", old),
        ("B-2", "new", new),
        ("B-2", "old", old),
    ]
    assert anyone.get(table[1]["url"]).content == flat("#00ee00")
    assert stranger.error("GET", path)[0] == 404
    assert client.error("POST", f"{path}/choices", json={"images": [3], "choice": "new"})[0] == 404


def test_a_page_of_pairs_is_measured_once(
    client: Client, gateway: Gateway, jobs: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = "/v1/jobs/{}/diff/{}".format(*jobs)
    first = client.get(path).json()["data"]
    monkeypatch.setattr(delivery, "read_image", lambda *_: pytest.fail("the pictures were read again"))
    assert [one["change"] for one in client.get(path).json()["data"]] == [one["change"] for one in first]


def test_an_order_from_a_file_is_made_again_when_the_file_is_gone(
    client: Client, gateway: Gateway, jobs: tuple[str, str]
) -> None:
    rows = b"sku,category,count\nA-1,bag,1\nB-2,sneaker|bag,2\n"
    file = client.post("/v1/uploads", content=rows).json()["id"]
    old = client.order(model="boots", upload=file, seed=7)
    assert client.delete(f"/v1/uploads/{file}").status_code == 200
    new = client.post(f"/v1/jobs/{old['id']}/again", json={"model": "boots@staging"}).json()
    assert (new["total"], new["request"]["upload"]) == (old["total"], file)
    made = load_record(gateway.store, client.tenant, new["id"])
    first = load_record(gateway.store, client.tenant, old["id"])
    assert read_items(gateway.store, made) == read_items(gateway.store, first)
    assert list(orders_again(gateway.store, first)) == [made]


def test_what_cannot_be_compared_is_refused_with_a_reason(client: Client, jobs: tuple[str, str]) -> None:
    old, new = jobs
    other = client.order(model="boots", items=[{"sku": "C-3", "count": 3}])["id"]
    for second in (old, client.order()["id"]):
        assert "by another version" in client.error("GET", f"/v1/jobs/{old}/diff/{second}")[1]["message"]
    assert client.get(f"/v1/jobs/{new}/diff/{other}").json()["data"] == []  # nothing is made yet
    status, error = client.error("POST", f"/v1/jobs/{old}/again", json={"model": "boots"})
    assert (status, error["param"]) == (400, "model")
    assert "already" in error["message"]


def test_a_change_of_shape_is_told_from_a_change_of_colour() -> None:
    halves = Image.new("RGBA", (128, 128), (0, 0, 0, 0))
    halves.paste((0, 0, 200, 255), (0, 0, 64, 128))
    files = []
    for image in (halves, halves.transpose(Image.Transpose.ROTATE_90), halves.resize((300, 300))):
        buffer = io.BytesIO()
        image.save(buffer, "png")
        files.append(buffer.getvalue())
    change, colour = measure_change(files[0], files[1])
    assert change > 20
    assert colour < 1
    assert measure_change(files[0], files[2])[0] < 1
