"""A whole job is one tar, the same bytes each time, which an interrupted download continues."""

import hashlib
import io
import json
import tarfile
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import pytest

from prodgen.client import Client as Service
from prodgen.client.parquet import read_parquet
from prodgen.errors import ProdgenError, Unavailable
from prodgen.jobs.archive import Archive
from prodgen.jobs.record import load_record
from prodgen.spec.manifest import read_lines
from tests.gateway.running import Client, Gateway, content

LONG = "a-very-long-name-of-a-product-" * 6
ORDERS: dict[str, dict[str, Any]] = {
    "tar": {"count": 200, "output": {"packaging": "tar"}},
    "files": {"count": 130, "output": {"packaging": "files"}},
    "tar with SKUs": {
        "count": 70,
        "items": [{"sku": LONG}, {"sku": "Ü" * 180}],
        "output": {"packaging": "tar"},
    },
    "files with SKUs": {"count": 3, "items": [{"sku": LONG}, {"sku": "B"}], "output": {"packaging": "files"}},
}


def ordered(client: Client, gateway: Gateway, name: str) -> str:
    job: str = client.order(**ORDERS[name])["id"]
    gateway.work(client.tenant, job)
    return job


def service(client: Client) -> Service:
    return Service(str(client.base_url), client.key)


@pytest.mark.parametrize("name", ORDERS)
def test_an_archive_has_each_image_in_order_and_the_manifest(
    client: Client, gateway: Gateway, name: str, tmp_path: Path
) -> None:
    job = ordered(client, gateway, name)
    response = client.get(f"/v1/jobs/{job}/archive")
    assert (response.status_code, response.headers["content-type"]) == (200, "application/x-tar")
    assert response.headers["content-disposition"] == f'attachment; filename="{job}.tar"'
    assert int(response.headers["content-length"]) == len(response.content)
    rows = client.get(f"/v1/jobs/{job}/images?limit=1000").json()["data"]
    with tarfile.open(fileobj=io.BytesIO(response.content)) as archive:
        *members, manifest = archive.getmembers()
        assert [member.name for member in members] == [row["file"] for row in rows]
        for index, member in enumerate(members):
            file = archive.extractfile(member)
            assert file
            assert file.read() == content(index)
        assert manifest.name == "manifest.jsonl"
        lines = archive.extractfile(manifest)
        assert lines
        found = [json.loads(line) for line in lines]
    for row in rows:
        del row["url"]
    assert found == [{name: value for name, value in row.items() if value is not None} for row in rows]
    assert client.get(f"/v1/jobs/{job}/archive").content == response.content


@pytest.mark.parametrize("name", ORDERS)
def test_any_part_of_an_archive_is_that_part_of_the_whole(
    client: Client, gateway: Gateway, name: str
) -> None:
    record = load_record(gateway.store, client.tenant, ordered(client, gateway, name))
    archive, random = Archive(gateway.store, record), Random(name)
    whole = b"".join(archive.read(0, archive.size))
    assert len(whole) == archive.size
    cuts = [0, 1, 511, 512, 513, archive.size - 1025, archive.size - 1, archive.size]
    for _ in range(100):
        start, stop = sorted([*random.sample(cuts, 1), random.randrange(archive.size)])
        assert b"".join(archive.read(start, stop)) == whole[start:stop], (start, stop)


@pytest.mark.parametrize("name", ["tar with SKUs", "files"])
def test_the_newest_archive_has_each_replacement_in_its_place_and_no_rejected_image(
    client: Client, gateway: Gateway, name: str, tmp_path: Path
) -> None:
    job = ordered(client, gateway, name)
    first = client.get(f"/v1/jobs/{job}/archive?newest=true")
    again = client.post(f"/v1/jobs/{job}/reject", json={"images": [1, 66, 69]}).json()["id"]
    gateway.work(client.tenant, again)
    rows = client.get(f"/v1/jobs/{job}/images?limit=1000&newest=true").json()["data"]
    with service(client) as gateway_client:
        list(gateway_client.download_archive(job, tmp_path / "new.tar", newest=True))
        list(gateway_client.download_parquet(job, tmp_path, newest=True))
    whole = client.get(f"/v1/jobs/{job}/archive?newest=true")
    assert (tmp_path / "new.tar").read_bytes() == whole.content
    assert whole.headers["etag"] != first.headers["etag"]
    assert client.get(f"/v1/jobs/{job}/archive").content == first.content
    with tarfile.open(tmp_path / "new.tar") as archive:
        *members, manifest = archive.getmembers()
        assert [member.name for member in members] == [row["file"] for row in rows]
        digests = [hashlib.sha256(archive.extractfile(one).read()).hexdigest() for one in members]  # type: ignore[union-attr]
        lines = [*read_lines(archive.extractfile(manifest).read())]  # type: ignore[union-attr]
    assert digests == [row["sha256"] for row in rows] == [line.sha256 for line in lines]
    assert [line.index for line in lines if line.attempt] == [1, 66, 69]
    (parquet,) = tmp_path.glob("*.parquet")
    assert [line.sha256 for line, _ in read_parquet(parquet)] == digests
    archive_again = Archive(gateway.store, load_record(gateway.store, client.tenant, job), newest=True)
    step = archive_again.size // 40
    for start in range(0, archive_again.size, step):
        stop = min(start + step, archive_again.size)
        assert b"".join(archive_again.read(start, stop)) == whole.content[start:stop]


def test_a_range_of_an_archive_is_sent(client: Client, gateway: Gateway) -> None:
    job = ordered(client, gateway, "tar")
    whole = client.get(f"/v1/jobs/{job}/archive")
    size, tag = len(whole.content), whole.headers["etag"]
    part = client.get(f"/v1/jobs/{job}/archive", headers={"Range": "bytes=1000-", "If-Range": tag})
    assert (part.status_code, part.content) == (206, whole.content[1000:])
    assert part.headers["content-range"] == f"bytes 1000-{size - 1}/{size}"
    other = client.get(f"/v1/jobs/{job}/archive", headers={"Range": "bytes=1000-", "If-Range": '"another"'})
    assert (other.status_code, other.content) == (200, whole.content)
    beyond = client.get(f"/v1/jobs/{job}/archive", headers={"Range": f"bytes={size}-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{size}")


def test_a_job_that_has_not_ended_has_no_archive(client: Client, gateway: Gateway) -> None:
    job = client.order(count=200)["id"]
    gateway.work(client.tenant, job, cells=1)
    status, error = client.error("GET", f"/v1/jobs/{job}/archive")
    assert (status, error["code"]) == (409, "conflict")
    assert error["message"] == f"job {job} is running; its archive is there when the job has ended"


def test_the_archive_of_a_cancelled_job_has_what_was_made(client: Client, gateway: Gateway) -> None:
    job = client.order(count=200, output={"packaging": "tar"})["id"]
    gateway.work(client.tenant, job, cells=2)
    client.post(f"/v1/jobs/{job}/cancel")
    with tarfile.open(fileobj=io.BytesIO(client.get(f"/v1/jobs/{job}/archive").content)) as archive:
        assert len(archive.getnames()) == 129
    empty = client.order(count=200)["id"]
    client.post(f"/v1/jobs/{empty}/cancel")
    with tarfile.open(fileobj=io.BytesIO(client.get(f"/v1/jobs/{empty}/archive").content)) as archive:
        assert archive.getnames() == ["manifest.jsonl"]


def test_an_archive_belongs_to_its_tenant(client: Client, gateway: Gateway) -> None:
    job = ordered(client, gateway, "files")
    assert gateway.client("stranger").error("GET", f"/v1/jobs/{job}/archive")[0] == 404


def test_a_download_that_was_stopped_continues(client: Client, gateway: Gateway, tmp_path: Path) -> None:
    job, path = ordered(client, gateway, "tar"), tmp_path / "shoes.tar"
    whole = client.get(f"/v1/jobs/{job}/archive").content
    with service(client) as gateway_client:
        stopped = gateway_client.download_archive(job, path)
        done, size = next(iter(islice(stopped, 1)))
        stopped.close()  # type: ignore[attr-defined]
        (partial,) = tmp_path.iterdir()
        assert 0 < done <= size == len(whole)
        with partial.open("r+b") as file:
            file.truncate(done // 2)
        assert not path.exists()
        progress = list(gateway_client.download_archive(job, path))
    assert progress[-1] == (size, size)
    assert progress[0][0] > done // 2
    assert path.read_bytes() == whole
    assert not partial.exists()


def test_a_download_whose_bytes_are_all_there_ends(client: Client, gateway: Gateway, tmp_path: Path) -> None:
    job, path = ordered(client, gateway, "tar"), tmp_path / "shoes.tar"
    whole = client.get(f"/v1/jobs/{job}/archive").content
    root = client.get(f"/v1/jobs/{job}").json()["root"]
    (tmp_path / f"shoes.tar.{root[:24]}.part").write_bytes(whole)
    (tmp_path / f"shoes.tar.{job}.part").write_bytes(b"of the job before a retry")
    with service(client) as gateway_client:
        assert list(gateway_client.download_archive(job, path)) == [(len(whole), len(whole))]
    assert path.read_bytes() == whole


def test_a_download_has_the_line_of_a_deleted_image_and_no_file(
    client: Client, gateway: Gateway, tmp_path: Path
) -> None:
    job, stranger = ordered(client, gateway, "files with SKUs"), gateway.client("stranger")
    url = client.get(f"/v1/jobs/{job}/images").json()["data"][1]["url"]
    assert stranger.error("DELETE", f"/v1/jobs/{job}/images/1")[0] == 404
    out = tmp_path / "out"
    out.mkdir()
    with service(client) as gateway_client:
        list(gateway_client.download(job, out))
        for _ in range(2):
            line = gateway_client.delete_image(job, 1)
        assert (line["index"], line["deleted"], line["url"]) == (1, True, None)
        assert gateway_client.job(job)["deleted"] == 1
        assert [row["index"] for row in gateway_client.images(job)] == [0, 2, 3, 4, 5]
        (out / line["file"]).unlink()
        names = [row["file"] for row in gateway_client.download(job, out)]
        list(gateway_client.download_archive(job, tmp_path / "shoes.tar"))
    assert client.get(url).status_code == 404
    lines = [*read_lines((out / "manifest.jsonl").read_bytes())]
    assert [one.index for one in lines if one.deleted] == [1]
    assert sorted(path.name for path in out.glob("*.png")) == sorted(names)
    assert len((out / "manifest.csv").read_text().splitlines()) == len(names) + 1 == 6
    with tarfile.open(tmp_path / "shoes.tar") as archive:
        assert len(archive.getnames()) == 6
    tar = ordered(client, gateway, "tar with SKUs")
    assert client.error("DELETE", f"/v1/jobs/{tar}/images/1")[0] == 409


@pytest.mark.parametrize("name", ["tar", "files"])
def test_a_connection_that_breaks_is_made_again(
    client: Client, gateway: Gateway, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, path = ordered(client, gateway, name), tmp_path / "shoes.tar"
    whole = client.get(f"/v1/jobs/{job}/archive").content
    read, reads = Archive.read, []

    def break_off(archive: Archive, start: int, stop: int) -> Any:
        reads.append(start)
        yield from read(archive, start, min(stop, start + 60_000))
        if start + 60_000 < stop:
            raise Unavailable("the store is away")

    monkeypatch.setattr(Archive, "read", break_off)
    with service(client) as gateway_client:
        gateway_client.job(job)
        list(gateway_client.download_archive(job, path))
    assert path.read_bytes() == whole
    assert len(reads) > 2
    assert reads == sorted(reads)


def test_a_refused_download_leaves_no_file(client: Client, tmp_path: Path) -> None:
    job = client.order(count=5)["id"]
    with service(client) as gateway_client, pytest.raises(ProdgenError, match="is queued; its archive"):
        list(gateway_client.download_archive(job, tmp_path / "shoes.tar"))
    assert not list(tmp_path.iterdir())
