"""Order from the command line: the images in the folder are those of the order."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.servers.up import Up, wait_for_progress


def order(up: Up, *arguments: object) -> dict[str, Any]:
    """Order, wait, and return the succeeded job."""
    done = up.cli("submit", *arguments, "--wait", "--json")
    assert done.returncode == 0, done.stderr
    job: dict[str, Any] = json.loads(done.stdout)
    assert job["state"] == "succeeded"
    assert job["done"] == job["total"]
    return job


def manifest(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]


def pixels(path: Path) -> "np.ndarray[Any, np.dtype[np.int16]]":
    return np.asarray(Image.open(path), dtype=np.int16)


def same(a: Path, b: Path) -> bool:
    """Return whether the images are the same under the contract: within one level of 255."""
    return pixels(a).shape == pixels(b).shape and int(np.abs(pixels(a) - pixels(b)).max()) <= 1


def write_csv(path: Path, *rows: tuple[object, ...]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def test_each_combination_is_made_as_often_as_ordered(up: Up, tmp_path: Path) -> None:
    out = tmp_path / "out"
    order(up, "--count", 3, "--attr", "category=sneaker|bag", "--seed", 5, "--out", out)

    lines = manifest(out)
    assert [line["attributes"]["category"] for line in lines] == 3 * ["sneaker"] + 3 * ["bag"]
    assert [line["file"] for line in lines] == [f"{index:09d}.png" for index in range(6)]
    assert {pixels(out / line["file"]).shape for line in lines} == {(28, 28)}


def test_a_sku_keeps_its_look_in_another_order_and_another_row(up: Up, tmp_path: Path) -> None:
    first = write_csv(
        tmp_path / "first.csv", ("sku", "count", "category"), ("A-1", "", "sneaker"), ("B-2", 2, "bag")
    )
    second = write_csv(
        tmp_path / "second.csv",
        ("sku", "category", "count"),
        ("C-3", "coat", 5),
        ("B-2", "bag", 1),
        ("A-1", "sneaker", 1),
    )
    for path in (first, second):
        order(up, path, "--seed-from", "sku", "--out", tmp_path / path.stem)

    files = {
        (path.stem, line["sku"], line["draw"]): tmp_path / path.stem / line["file"]
        for path in (first, second)
        for line in manifest(tmp_path / path.stem)
    }
    assert len(files) == 3 + 7
    for sku in ("A-1", "B-2"):
        assert same(files["first", sku, 0], files["second", sku, 0])
        assert files["first", sku, 0].name.endswith(f"-{sku}-0.png")
    assert not same(files["first", "B-2", 0], files["first", "B-2", 1])
    assert not same(files["first", "A-1", 0], files["second", "C-3", 0])


def test_jsonl_orders_as_csv_does(up: Up, tmp_path: Path) -> None:
    path = tmp_path / "order.jsonl"
    path.write_text('{"sku": "J-1", "count": 2, "category": "dress"}\n{"sku": "J-2", "attributes": {}}\n')
    order(up, path, "--out", tmp_path / "out")

    lines = manifest(tmp_path / "out")
    assert [line["sku"] for line in lines] == ["J-1", "J-1", "J-2"]
    assert lines[0]["attributes"]["category"] == "dress"


def test_a_large_order_downloads_whole_and_verifies(up: Up, tmp_path: Path) -> None:
    job = order(up, "--count", 600, "--out", tmp_path / "out")
    assert job["packaging"] == "tar"

    checked = up.cli("verify", tmp_path / "out" / "manifest.jsonl", "--json")

    assert checked.returncode == 0, checked.stdout
    assert json.loads(checked.stdout)["images"] == 600
    assert len([*(tmp_path / "out").glob("*.png")]) == 600


def test_the_queue_makes_what_generate_makes(up: Up, tmp_path: Path) -> None:
    wanted = ("--count", 5, "--seed", 3, "--size", 96, "--background", "white")
    order(up, *wanted, "--out", tmp_path / "queue")
    made = up.cli("generate", "fashion-mnist", *wanted, "--out", tmp_path / "here", "--json")
    assert made.returncode == 0, made.stderr

    lines = manifest(tmp_path / "queue")
    assert [line["attributes"] for line in lines] == [
        line["attributes"] for line in manifest(tmp_path / "here")
    ]
    for line in lines:
        assert same(tmp_path / "queue" / line["file"], tmp_path / "here" / line["file"])
    assert pixels(tmp_path / "queue" / lines[0]["file"])[0, 0].min() == 255


def test_two_requests_do_not_share_a_folder(up: Up, tmp_path: Path) -> None:
    out, another = tmp_path / "out", "already holds the images of another "
    generate = ("generate", "fashion-mnist", "--count", 3, "--out", out)
    assert up.cli(*generate).returncode == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}

    for words in (
        (*generate, "--seed", 1),
        ("submit", "--count", 3, "--out", out),
        ("jobs", "download", order(up, "--count", 4, "--seed", 1)["id"], "--out", out),
    ):
        done = up.cli(*words)
        assert done.returncode == 2, done.stderr
        assert another in done.stderr.splitlines()[-1]
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before

    assert up.cli(*generate).returncode == 0
    (out / "000000001.png").unlink()
    job = order(up, "--count", 3, "--key", "three", "--out", tmp_path / "queue")
    assert order(up, "--count", 3, "--key", "three", "--out", tmp_path / "queue")["id"] == job["id"]
    assert up.cli("jobs", "download", job["id"], "--out", out).returncode == 0
    assert {path.name for path in out.iterdir()} == {*before, "manifest.csv"}


def test_an_interactive_order_is_served_before_a_big_job(up: Up) -> None:
    with up.client() as client:
        big = client.submit({"model": "fashion-mnist", "count": 100_000})["id"]
        wait_for_progress(client, big, 1)

        order(up, "--count", 8, "--priority", "interactive")

        still = client.cancel(big)
    assert still["state"] == "cancelled"
    assert still["done"] < still["total"]


def test_one_key_orders_once(up: Up) -> None:
    first = order(up, "--count", 2, "--key", "monday")
    again = order(up, "--count", 2, "--key", "monday")

    assert again["id"] == first["id"]
    other = up.cli("submit", "--count", 3, "--key", "monday")
    assert other.returncode == 2
    assert "different order" in other.stderr


def test_an_address_gives_the_image_of_an_order(up: Up, tmp_path: Path) -> None:
    out = tmp_path / "out"
    order(up, "--count", 3, "--attr", "category=coat", "--seed", 11, "--out", out)
    with up.client() as client:
        data = client.render("fashion-mnist", 11, 2, category="coat")
        (tmp_path / "coat.png").write_bytes(data)
        assert client.render("fashion-mnist", 11, 2, category="coat") == data
    assert same(tmp_path / "coat.png", out / "000000002.png")
    assert up.cli("provenance", tmp_path / "coat.png").returncode == 0
