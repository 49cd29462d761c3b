"""What a user of a service would lose: jobs, models, runs and data in words and tables, not as code."""

import hashlib
import json
import re
import tarfile
from pathlib import Path
from typing import Any

import pytest

from prodgen.client import Client
from prodgen.jobs.ending import settle_job
from prodgen.registry.publish import publish
from prodgen.spec.model_config import folder_version
from tests.cli.conftest import Run
from tests.gateway.running import Gateway, content
from tests.sample_models import write_model
from tests.toys import write_catalogue

CODE = re.compile(r"[{}\[\]]|'\w+'|\bNone\b|\bTrue\b|datetime|\(\)")
"""What a person should not see: Python's dicts, lists and reprs."""


def shown(run: Run, *words: object) -> str:
    """What a person reads."""
    done = run(*words)
    assert done.code == 0, done.err
    assert not CODE.search(done.out), done.out
    return done.out


def fields(text: str) -> dict[str, str]:
    """The fields of a record."""
    return dict(line.split(maxsplit=1) for line in text.splitlines())


@pytest.fixture
def client(service: str, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> Client:
    import os

    return Client(gateway.settings.public_url, os.environ["PRODGEN_API_KEY"])


@pytest.fixture
def job(client: Client, service: str, gateway: Gateway) -> str:
    """A job of 70 images of two SKUs, all of them made."""
    items = [{"sku": "A-1001", "count": 3}, {"sku": "B-7", "count": 67}]
    spec = {"model": "shoes", "items": items, "attributes": {"category": ["bag"]}, "finish": {"size": 96}}
    job: str = client.submit(spec)["id"]
    gateway.work(service, job)
    return job


def test_a_job_is_listed_with_its_model_and_sku(run: Run, job: str, client: Client) -> None:
    waiting = client.submit({"model": "shoes", "count": 5, "priority": "interactive"})["id"]

    header, *rows = [line.split() for line in shown(run, "jobs", "list").splitlines()]

    assert " ".join(header) == "id state images priority created model SKU"
    assert [row[:4] for row in rows] == [
        [waiting, "queued", "0/5", "interactive"],
        [job, "succeeded", "70/70", "bulk"],
    ]
    assert [row[5:] for row in rows] == [["shoes"], ["shoes", "A-1001"]]
    assert [one["id"] for one in json.loads(run("jobs", "list", "--json").out)] == [waiting, job]
    assert len(json.loads(run("jobs", "list", "--limit", 1, "--json").out)) == 1


def test_a_job_is_shown_with_what_was_ordered(run: Run, job: str) -> None:
    record = fields(shown(run, "jobs", "show", job))
    assert record["id"] == job
    assert (record["state"], record["images"]) == ("succeeded", "70 of 70 made")
    assert record["model"].startswith("shoes@")
    assert (record["count"], record["seed"], record["attributes"]) == ("1", "0", "category (bag)")
    assert record["finish"] == "size 96"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d", record["created"])
    assert not {"links", "request", "object", "error", "upload"} & set(record)


def test_failed_images_are_listed_with_their_error_and_tried_again(
    run: Run, service: str, client: Client, gateway: Gateway
) -> None:
    spec = {"model": "shoes", "items": [{"sku": "A-1", "count": 64}, {"sku": "B-2", "count": 2}]}
    job = client.submit(spec)["id"]
    assert "no image" in run("jobs", "failures", job).err
    record = gateway.work(service, job, cells=1)
    while lease := gateway.ledger.lease("bulk", "w", 64):
        gateway.ledger.fail(lease.token, "no paint")
    settle_job(gateway.store, gateway.ledger, record)
    header, *rows = [line.split() for line in shown(run, "jobs", "failures", job).splitlines()]
    assert header == ["index", "SKU", "attributes", "cell", "attempts", "error"]
    assert [(row[:2], row[-4:]) for row in rows] == [
        (["64", "B-2"], ["1", "3", "no", "paint"]),
        (["65", "B-2"], ["1", "3", "no", "paint"]),
    ]
    assert fields(shown(run, "jobs", "retry", job))["state"] == "running"
    gateway.work(service, job)
    assert fields(shown(run, "jobs", "show", job))["retries"] == "1"
    again = run("jobs", "retry", job)
    assert (again.code, "has made all its images" in again.err) == (2, True)

    deleted = run("jobs", "delete", job, "--image", 3, "--image", 4)
    assert deleted.err == f"job {job} no longer has images 3, 4\n"
    assert fields(shown(run, "jobs", "show", job))["images"] == "66 of 66 made, 2 deleted"
    assert run("jobs", "delete", job, "--image", 3, "--for-good").code == 2

    assert "restore" in run("jobs", "delete", job).err
    header, row = shown(run, "jobs", "list", "--trash").splitlines()
    assert (header.split()[0], row.split()[:2]) == ("id", [job, "66"])


def test_a_job_is_waited_for_and_its_images_are_downloaded(run: Run, job: str, tmp_path: Path) -> None:
    assert fields(shown(run, "jobs", "watch", job))["state"] == "succeeded"

    done = run("jobs", "download", job, "--out", tmp_path / "out")

    assert (done.code, done.err.splitlines()[-1]) == (0, f"70 images in {tmp_path / 'out'}")
    lines = [json.loads(line) for line in (tmp_path / "out" / "manifest.jsonl").read_text().splitlines()]
    assert [line["index"] for line in lines] == [*range(70)]
    assert (tmp_path / "out" / lines[5]["file"]).read_bytes() == content(5)


def test_a_job_is_downloaded_as_one_file(run: Run, job: str, tmp_path: Path) -> None:
    path = tmp_path / "out" / "shoes.tar"
    done = run("jobs", "download", job, "--archive", path)
    assert (done.code, done.err.splitlines()[-1]) == (0, f"{path.stat().st_size:,} bytes in {path}")
    with tarfile.open(path) as archive:
        assert len(archive.getnames()) == 71
    again = run("jobs", "download", job, "--archive", path)
    assert (again.code, again.err) == (2, f"prodgen: {path} exists already; choose another name\n")
    by_sku = run("jobs", "download", job, "--archive", tmp_path / "a.tar", "--by-sku")
    assert by_sku.err == "prodgen: only --out makes folders; leave --by-sku out\n"
    both = run("jobs", "download", job, "--archive", path, "--out", tmp_path)
    assert (
        both.err
        == run("jobs", "download", job).err
        == "prodgen: name a folder (--out or --parquet) or a tar (--archive)\n"
    )


def test_a_cancelled_job_is_shown_and_its_watcher_fails(run: Run, client: Client) -> None:
    job = client.submit({"model": "shoes", "count": 5})["id"]
    assert fields(shown(run, "jobs", "pause", job))["state"] == "paused"
    assert "paused" in shown(run, "jobs", "list")
    assert fields(shown(run, "jobs", "priority", job, "interactive"))["priority"] == "interactive"
    assert fields(shown(run, "jobs", "resume", job))["state"] == "queued"
    assert fields(shown(run, "jobs", "cancel", job))["state"] == "cancelled"
    again = run("jobs", "cancel", job)
    assert again.err == "nothing was cancelled: the job had ended before, as cancelled\n"
    again = run("jobs", "pause", job)
    assert again.err == "nothing was changed: the job had ended before, as cancelled\n"
    watched = run("jobs", "watch", job)
    assert watched.code == 1
    assert fields(watched.out)["images"] == "0 of 5 made"


def test_an_order_file_is_submitted(run: Run, service: str, tmp_path: Path) -> None:
    (tmp_path / "order.csv").write_text("sku,count\nA-1,2\nB-2,3\n")
    quoted = run(
        "submit", tmp_path / "order.csv", "--model", "shoes", "--attr", "category=bag|sneaker", "--quote"
    )
    assert "nothing was ordered" in quoted.err
    done = run("submit", tmp_path / "order.csv", "--model", "shoes", "--attr", "category=bag|sneaker")
    sentence = r"job ([0-9a-f]{24}) queued: 0 of 10 images; prodgen jobs watch \1\n"
    assert re.fullmatch(sentence, done.err), done.err
    assert done.out == ""


def test_the_columns_of_an_export_are_named(run: Run, service: str, client: Client, tmp_path: Path) -> None:
    (tmp_path / "export.csv").write_text('Handle,Body (HTML),Type\nA-1,"<p>a, b</p>",bag\nB-2,,T-Shirt\n')
    columns = ("--columns", "sku=Handle,category=Type")
    done = run("submit", tmp_path / "export.csv", "--model", "shoes", *columns, "--json")
    job = client.job(json.loads(done.out)["id"])
    assert job["total"] == 2
    assert job["request"]["columns"] == {"sku": "Handle", "category": "Type"}
    wrong = run("submit", tmp_path / "export.csv", "--model", "shoes", "--columns", "sku=Handle,category=Typ")
    assert "the header has no such column; it has Handle, Body (HTML), Type; did you mean Type?" in wrong.err
    assert "name the file too" in run("submit", "--model", "shoes", *columns).err


def test_every_faulty_row_of_an_order_is_printed(run: Run, service: str, tmp_path: Path) -> None:
    rows = ["A-1,bag", "A-2,boot", "A-3,bag", *(f"B-{n},hat" for n in range(120))]
    (tmp_path / "order.csv").write_text("\n".join(["sku,category", *rows]))
    done = run("submit", tmp_path / "order.csv", "--model", "shoes")
    first, *further, count = done.err.splitlines()
    assert (done.code, done.out) == (2, "")
    assert first.startswith("prodgen: row 3 (A-2): category cannot be 'boot'; this model makes ")
    assert first.endswith("(and 120 more rows cannot be made)")
    assert [line.split(":")[0] for line in further] == [f"  row {5 + n} (B-{n})" for n in range(99)]
    assert count == "  and 21 more"


def test_an_empty_list_is_a_table_without_rows(run: Run, service: str) -> None:
    assert len(shown(run, "jobs", "list").splitlines()) == 1
    assert len(shown(run, "training", "list").splitlines()) == 1
    assert len(shown(run, "data", "list").splitlines()) == 1


def test_a_model_is_listed_and_shown(run: Run, service: str) -> None:
    header, row = shown(run, "models", "list").splitlines()
    assert header.split() == ["name", "version", "aliases", "FID", "owned", "by", "size"]
    assert (row.split()[0], *row.split()[-3:]) == ("shoes", "17.50", "shared", "28")

    text = shown(run, "models", "show", "shoes")
    record = fields("\n".join(line for line in text.splitlines() if len(line.split()) > 1)[:2000])
    assert record["category"] == "t-shirt, sneaker, bag"
    assert (record["FID"], record["owned_by"]) == ("17.50", "shared")
    assert re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d shoes@production is [0-9a-f]{12}", text)
    assert "It is a sample." in text, "the card"
    assert json.loads(run("models", "show", "shoes", "--json").out)["attributes"][0]["name"] == "category"


def test_a_model_is_downloaded_and_an_interrupted_download_continues(
    run: Run, service: str, gateway: Gateway, tmp_path: Path
) -> None:
    source = write_model(tmp_path / "source", b"weights" * 1000)
    version = publish(gateway.store, source, "hats", service)
    out, weights = tmp_path / "out", (source / "model.safetensors").read_bytes()
    download = ("models", "download", "hats", "--out", out)
    out.mkdir()
    part = out / f"model.safetensors.{hashlib.sha256(weights).hexdigest()[:12]}.part"
    part.write_bytes(b"other bytes")
    broken = run(*download)
    assert (broken.code, broken.err) == (
        2,
        "prodgen: model.safetensors came with other bytes than were listed; try again\n",
    )
    part.write_bytes(weights[:4000])
    done = run(*download)
    assert (done.code, done.err.splitlines()[-1]) == (0, f"{version.id} is in {out}")
    assert sorted(path.name for path in out.iterdir()) == sorted(path.name for path in source.iterdir())
    assert folder_version(out) == version.version
    assert json.loads(run(*download, "--json").out)["model"] == version.id
    other = run("models", "download", "shoes", "--out", out)
    assert other.code == 2
    assert other.err.endswith("choose another folder\n")


@pytest.fixture
def toys(run: Run, service: str, tmp_path: Path) -> str:
    """A data set that was pushed."""
    done = run("data", "push", write_catalogue(tmp_path / "toys", count=40, size=16))
    assert re.fullmatch(r"toys@[0-9a-f]{12}: 40 \+ 40 images, .* sent(, the rest was there)?\n", done.err), (
        done.err
    )
    return done.err.partition(":")[0]


def test_data_is_pushed_listed_and_removed(run: Run, toys: str) -> None:
    row = shown(run, "data", "list").splitlines()[1].split()
    assert row[:2] == [toys, "idx"]
    done = run("data", "remove", "toys")
    assert done.err.startswith(f"removed {toys}: ")
    assert "there is no data set 'toys'" in run("data", "remove", "toys").err


def test_a_run_is_queued_listed_shown_and_cancelled(run: Run, toys: str, tmp_path: Path) -> None:
    recipe = 'name = "toy"\nfamily = "resnet"\nwidths = [16, 8]\nlatent_dim = 16\nbatch = 16\nsteps = 60\n'
    (tmp_path / "toy.toml").write_text(recipe)
    queued = run("train", tmp_path / "toy.toml", "--queue", "--data", "toys", "--name", "toy")
    found = re.fullmatch(
        rf"run (\w+) is queued: train toy on {toys}.*; prodgen training watch \1\n", queued.err
    )
    assert found, queued.err
    id = found[1]

    row = shown(run, "training", "list").splitlines()[1].split()
    assert row == [id, "train", "toy", "on", "toys", "queued", "0/60"]
    record = fields(shown(run, "training", "show", id))
    assert (record["title"], record["state"], record["steps"]) == (f"train toy on {toys}", "queued", "60")
    assert not {"links", "request", "recipe", "metrics", "wish"} & set(record)
    assert run("training", "resume", id).err == "nothing was resumed: the run is queued, not paused\n"
    assert fields(shown(run, "training", "cancel", id))["state"] == "cancelled"
    for command in ("cancel", "pause"):
        again = run("training", command, id)
        assert again.err == "nothing was changed: the run had ended before, as cancelled\n"
    watched = run("training", "watch", id)
    assert (watched.code, fields(watched.out)["state"]) == (1, "cancelled")
    assert "cancelled at step 0" in watched.err
    assert run("training", "logs", id).code == 0


@pytest.mark.parametrize(
    ("run_", "expected"),
    [
        (
            {"metrics": {"domain_fid": 12.3456, "judge": "e16c"}, "progress": {"losses": {"g": 0.5}}},
            {"metrics": "domain_fid 12.35, judge e16c", "progress": "losses (g 0.5)"},
        ),
        (
            {"metrics": {"figures": {"fid": {"value": 5.25, "features": "x"}, "kid": {"value": 0.001}}}},
            {"metrics": "fid 5.25, kid 0.001"},
        ),
        (
            {"metrics": {"images": {"train": 40}, "left_out": {"blank": 1, "dark": 2}}},
            {"metrics": "images (train 40), left_out (blank 1, dark 2)"},
        ),
        (
            {"restarts": 2, "state": "running", "wish": "pause"},
            {"state": "running, to be paused, restarted 2x"},
        ),
    ],
)
def test_a_runs_figures_are_read_by_people(
    run: Run, monkeypatch: pytest.MonkeyPatch, run_: dict[str, Any], expected: dict[str, str]
) -> None:
    whole = {
        "id": "r",
        "state": "succeeded",
        "wish": "",
        "restarts": 0,
        "metrics": {},
        "links": {"self": "/"},
    }
    monkeypatch.setenv("PRODGEN_API_KEY", "pg_key")
    monkeypatch.setattr(Client, "run", lambda *_: whole | run_)
    record = fields(shown(run, "training", "show", "r"))
    assert record | expected == record
