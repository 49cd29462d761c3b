"""Shards for webdataset and Parquet files are read by their libraries, and lose no image on the way."""

import hashlib
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import webdataset
from PIL import Image
from pyarrow import parquet

from prodgen.client import Client as Service
from prodgen.client import parquet as writing
from prodgen.client.shards import read_shard
from prodgen.errors import Conflict, ProdgenError
from prodgen.jobs.archive import Archive
from prodgen.jobs.record import load_record
from tests.cli.conftest import Run
from tests.gateway.running import Client, Gateway

ITEMS = [{"sku": "A.1", "count": 70}, {"sku": "B", "count": 30, "attributes": {"category": "bag"}}]


@pytest.fixture(scope="module")
def made(make_job: Callable[..., tuple[Client, str]]) -> tuple[Client, str]:
    """A client, and its ended job of 100 images in two shards."""
    return make_job("trainer", items=ITEMS, output={"packaging": "webdataset"})


@pytest.fixture
def client(made: tuple[Client, str]) -> Client:
    return made[0]


@pytest.fixture
def job(made: tuple[Client, str]) -> str:
    return made[1]


def test_shards_are_read_by_webdataset_downloaded_verified_and_archived(
    client: Client, gateway: Gateway, job: str, toy: Path, tmp_path: Path, run: Run
) -> None:
    listed = client.get(f"/v1/jobs/{job}/shards?limit=1").json()
    listed = listed["data"] + client.get(f"/v1/jobs/{job}/shards?after={listed['next']}").json()["data"]
    assert [(s["name"], s["images"]) for s in listed] == [
        (f"{job}-000000.tar", 64),
        (f"{job}-000001.tar", 36),
    ]
    rows = client.get(f"/v1/jobs/{job}/images?limit=1000").json()["data"]

    folder = tmp_path / "shards"
    with Service(str(client.base_url), client.key) as service:
        first = client.get(listed[0]["url"]).content
        folder.mkdir()
        (folder / f"{job}-000000.tar.part").write_bytes(first[:1000])  # a download that broke off
        assert [*service.download_shards(job, folder)] == [64, 100]
    paths = sorted(folder.iterdir())
    assert [path.name for path in paths] == [s["name"] for s in listed]
    assert paths[0].read_bytes() == first

    other = tmp_path / "other"
    other.mkdir()
    (other / paths[0].name).write_bytes(
        paths[1].read_bytes()
    )  # as if a retry had made the first images since
    with (
        Service(str(client.base_url), client.key) as service,
        pytest.raises(Conflict, match="another folder"),
    ):
        [*service.download_shards(job, other)]

    samples = [*webdataset.WebDataset([s["url"] for s in listed], shardshuffle=False).decode("pil")]
    assert [sample["__key__"] for sample in samples] == [f"{index:09d}" for index in range(100)]
    for sample, row in zip(samples, rows, strict=True):
        assert sample["json"] == {name: row[name] for name in sample["json"]}
        assert sample["json"].keys() >= {"sku", "seed", "attributes", "sha256"}
        image = Image.open(io.BytesIO(client.get(row["url"]).content))  # a range of the tar
        assert image.convert("RGB").tobytes() == sample["png"].tobytes()

    assert run("verify", folder, "--model", toy).out.startswith("100 of 100 images verified")
    archive = Archive(gateway.store, load_record(gateway.store, client.tenant, job))
    with tarfile.open(fileobj=io.BytesIO(b"".join(archive.read(0, archive.size)))) as opened:
        assert opened.getnames() == [*(row["file"] for row in rows), "manifest.jsonl"]


def test_a_damaged_shard_is_found(job: str, client: Client, toy: Path, tmp_path: Path, run: Run) -> None:
    with Service(str(client.base_url), client.key) as service:
        assert max(service.download_shards(job, tmp_path)) == 100
    path = tmp_path / f"{job}-000001.tar"
    with tarfile.open(path) as shard:
        place = shard.getmember("000000067.png").offset_data
    with path.open("r+b") as file:
        file.seek(place + 200)
        file.write(b"XXXX")
    done = run("verify", path, "--model", toy)
    assert (done.code, done.out.splitlines()[-1]) == (1, "35 of 36 images verified")
    assert done.out.startswith(f"{path.name}/000000067-A.1-67.png: the file's bytes do not match")
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(ProdgenError, match="is no shard"):
        [*read_shard(path)]
    ordinary = client.order(count=1)["id"]
    assert client.error("GET", f"/v1/jobs/{ordinary}/shards")[0] == 409


def test_parquet_files_have_each_image_once_after_a_download_that_broke_off(
    client: Client, job: str, toy: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "GROUP", 32)
    monkeypatch.setattr(writing, "FILE_BYTES", 1)  # a group a file
    folder = tmp_path / "parquet"
    with Service(str(client.base_url), client.key) as service:
        for done in service.download_parquet(job, folder):
            if done == 64:  # in the second file
                break
        first = folder / f"{job}-000000.parquet"
        before = first.stat().st_mtime_ns
        assert [path.suffix for path in sorted(folder.iterdir())] == [".parquet", ".part"]
        assert max(service.download_parquet(job, folder)) == 100
        assert first.stat().st_mtime_ns == before
    table = parquet.read_table(folder)
    rows = client.get(f"/v1/jobs/{job}/images?limit=1000").json()["data"]
    for name in ("index", "sku", "seed", "sha256", "attributes"):
        assert table[name].to_pylist() == [row[name] for row in rows]
    images = table["image"].to_pylist()
    assert [hashlib.sha256(image["bytes"]).hexdigest() for image in images] == [row["sha256"] for row in rows]
    assert run("verify", folder, "--model", toy).out.startswith("100 of 100 images verified")

    (folder / f"{job}-000001.parquet").replace(first)  # as if a retry had made the first images since
    with (
        Service(str(client.base_url), client.key) as service,
        pytest.raises(Conflict, match="another folder"),
    ):
        [*service.download_parquet(job, folder)]
