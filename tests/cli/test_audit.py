"""A worker that lies is found: forged, swapped and recompressed pictures, with manifests that fit them."""

import hashlib
import io
import json
from collections.abc import Callable, Iterator
from math import comb, sqrt
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from PIL import Image

from prodgen.bundled import bundled_folders, bundled_photographs
from prodgen.errors import Unsupported
from prodgen.generation.encode import encode_image
from prodgen.jobs import proofs
from prodgen.jobs.audits import Piece, choose_sample, queue_audit, queue_pieces, take_piece
from prodgen.jobs.ending import settle_jobs
from prodgen.jobs.image_deletion import delete_image
from prodgen.jobs.machines import all_shut_out, readmit
from prodgen.jobs.manifests import Manifest, merkle_root, published_whole
from prodgen.jobs.record import load_record, load_state
from prodgen.registry.publish import publish
from prodgen.spec.merkle import InclusionProof
from prodgen.spec.order import CELL
from prodgen.spec.quality import QUALITY
from prodgen.storage import keys
from prodgen.storage.base import Store, exists
from tests.cli.conftest import Run, work_off
from tests.gateway.running import Client, Gateway
from tests.generation.test_quality import COLOURED
from tests.toys import toy_folder
from tests.workers.test_sick_worker import Worker
from workers.generate.audits import audit

TENANT = "auditee"


class Liar:
    """Changes what a worker has stored of a job, with a manifest and a root that fit."""

    def __init__(self, store: Store, job: str) -> None:
        self.store, self.record = store, load_record(store, TENANT, job)

    def line(self, index: int) -> dict[str, Any]:
        lines = self.store.get(keys.manifest(TENANT, self.record.id, index // CELL)).splitlines()
        line: dict[str, Any] = json.loads(lines[index % CELL])
        return line

    def folder(self, index: int) -> str:
        return str(self.line(index)["object"]).rsplit("/", 2)[1]

    def file(self, index: int) -> bytes:
        return self.store.get(self.line(index)["object"])

    def lie(self, index: int, data: bytes, **fields: object) -> None:
        """Store another file of an image."""
        key = keys.manifest(TENANT, self.record.id, index // CELL)
        line = {**self.line(index), "sha256": hashlib.sha256(data).hexdigest(), **fields}
        lines = self.store.get(key).splitlines()
        lines[index % CELL] = json.dumps(line, separators=(",", ":")).encode()
        if "object" not in fields:
            self.store.put(line["object"], data, "image/png")
        self.store.put(key, b"".join(text + b"\n" for text in lines))
        state = load_state(self.store, self.record)
        assert state
        root = merkle_root(self.store, published_whole(self.store, self.record))
        forged = state.model_copy(update={"root": root}).model_dump_json().encode()
        self.store.put(keys.job(TENANT, self.record.id, "state.json"), forged)


def test_an_audit_finds_every_lie_in_its_sample_and_nothing_else(
    make_job: Callable[..., tuple[Client, str]], gateway: Gateway, service: str, run: Run
) -> None:
    _, job = make_job(TENANT, count=320, seed=3)
    audit = ("audit", job, "--json", "--sample")
    honest = run(*audit, 64)
    assert (honest.code, json.loads(honest.out)["faults"]) == (0, [])

    liar = Liar(gateway.store, job)
    picture = Image.open(io.BytesIO(liar.file(10)))
    noise = Image.effect_noise(picture.size, 90)
    liar.lie(10, encode_image(noise, "png", picture.info["xmp"]))
    liar.lie(20, liar.file(21))
    liar.lie(30, liar.file(31), draw=31)
    liar.lie(40, encode_image(picture, "jpeg", b"", quality=95))
    liar.lie(50, encode_image(Image.open(io.BytesIO(liar.file(50))), "png", b""))
    liar.lie(60, liar.file(130), object=liar.line(130)["object"])
    older = liar.line(70)["object"].replace(job, "older-job")
    liar.lie(70, liar.file(70), object=older)
    for index, name in ((80, None), (90, "x//y")):
        liar.lie(index, liar.file(index), object=name)
    delete_image(gateway.store, gateway.ledger, TENANT, job, 100)
    done = run(*audit, 320)
    found = json.loads(done.out)
    assert (done.code, found["changed"], found["sample"], found["deleted"]) == (1, None, 320, 1)
    assert {fault["index"]: fault["fault"].partition(" by ")[0] for fault in found["faults"]} == {
        10: "the image differs",
        20: "the image differs",
        30: "the manifest's line is not that of the ordered image",
        40: "the file is of the format jpeg, not png",
        50: "the file's marks are not those of the image",
        **dict.fromkeys((60, 70, 80, 90), "the manifest's line names the object of another image"),
    }

    gateway.store.put(liar.line(95)["object"], liar.file(71))  # later, by one who cannot write manifests
    gateway.store.delete([keys.manifest(TENANT, job, 4)])
    found = json.loads(run(*audit, 256).out)
    assert found["changed"] == "the manifests list 256 images, but 320 were made"
    assert found["faults"][-1]["fault"] == "the file's bytes do not match the recorded sha256"


def photograph_order(client: Client, gateway: Gateway) -> tuple[dict[str, Any], str, str, bytes]:
    """Return an order of three pictures, the digests of its photograph and matte, and the photograph."""
    (folder,) = (folder for folder in bundled_folders() if folder.name == "studio-grabcut")
    publish(gateway.store, folder, folder.name, TENANT)
    file, own = io.BytesIO(), io.BytesIO()
    shape = Image.new("L", (60, 72))
    shape.paste(255, (10, 10, 50, 60))
    shape.save(own, "PNG")
    with Image.open(bundled_photographs()[0]) as photograph:
        photograph.resize(shape.size).save(file, "PNG")
    photo, matte = (client.post("/v1/uploads", content=one.getvalue()).json()["id"] for one in (file, own))
    item = {"photo": photo, "matte": matte, "attributes": {"colour": ["original", "crimson", "navy"]}}
    order = {"model": "studio-grabcut", "items": [{"sku": "A"} | item], "finish": {"size": 64}}
    return order, photo, matte, file.getvalue()


def test_pictures_of_photographs_are_cut_out_anew_and_compared(
    make_job: Callable[..., tuple[Client, str]], gateway: Gateway, service: str, run: Run
) -> None:
    order, photo, matte, file = photograph_order(gateway.client(TENANT), gateway)
    _, job = make_job(TENANT, **order)
    liar = Liar(gateway.store, job)
    version = liar.line(0)["model"].partition("@")[2]
    gateway.store.put(keys.cut_out(TENANT, version, photo, matte), b"a false cut-out")
    assert run("audit", job).out.startswith("3 of 3 images are as ordered")
    liar.lie(1, liar.file(0))
    liar.lie(2, liar.file(2), review="it is dull")
    found = json.loads(run("audit", job, "--json").out)["faults"]
    assert [fault["index"] for fault in found] == [1, 2]
    gateway.store.delete([keys.upload(TENANT, photo)])
    gone = run("audit", job)
    assert (gone.code, f"{photo} is no longer among the uploads" in gone.err) == (2, True)
    gateway.store.put(keys.upload(TENANT, photo), file)
    assert run("audit", job, "--remake").err.endswith("3 images are taken back and made again\n")
    assert not [*gateway.store.names(keys.cut_outs_of(TENANT, version, photo)[:-65])]


def test_a_broken_line_that_a_worker_has_reported_hides_no_lie(
    make_job: Callable[..., tuple[Client, str]], gateway: Gateway, service: str, run: Run
) -> None:
    _, job = make_job(TENANT, count=3, seed=8)
    liar = Liar(gateway.store, job)
    liar.lie(1, liar.file(1), draw="none")
    liar.lie(0, liar.file(1), draw=1, file=None)
    done = run("audit", job, "--remake")
    assert (done.code, done.err.splitlines()[-1]) == (1, "3 images are taken back and made again")
    [found] = json.loads(run("machines", "list", "--json").out)
    assert "is broken" in found["why"]
    assert run("machines", "readmit", found["machine"]).code == 0


def test_bit_rot_in_a_manifest_is_mended_and_blamed_on_no_machine(
    make_job: Callable[..., tuple[Client, str]], gateway: Gateway, service: str, run: Run, tmp_path: Path
) -> None:
    client, job = make_job(TENANT, count=64, seed=9)
    key = keys.manifest(TENANT, job, 0)
    spoilt = {b"/cells/": 4, b'.png"': 4, b"}\n": 4, b'.png","sha256': 128}
    for text, bit in spoilt.items():
        data = gateway.store.get(key)
        place = data.rindex(text) if bit == 4 else data.index(text)
        gateway.store.put(key, data[:place] + bytes([data[place] ^ bit]) + data[place + 1 :])
        done = run("audit", job, "--sample", 64, "--remake")
        assert (done.code, done.err) == (1, "64 images are taken back and made again\n")
        assert work_off(gateway, tmp_path / "worker", "another") == 1
    assert run("audit", job, "--sample", 64).code == 0
    assert client.get(f"/v1/jobs/{job}").json()["state"] == "succeeded"
    assert not all_shut_out(gateway.store)


@pytest.fixture
def machine(gateway: Gateway, tmp_path: Path) -> Iterator[Callable[[str], Worker]]:
    """Starts a worker of a machine."""
    workers: list[Worker] = []

    def start(name: str) -> Worker:
        workers.append(Worker(gateway.store, gateway.ledger, tmp_path / name, machine=name))
        return workers[-1]

    yield start
    for worker in workers:
        worker.draining.set()
        worker.engine.close()


def test_images_of_a_machine_that_lied_are_made_again_and_counted_once(
    make_job: Callable[..., tuple[Client, str]],
    gateway: Gateway,
    service: str,
    run: Run,
    machine: Callable[[str], Worker],
    tmp_path: Path,
) -> None:
    client, _ = make_job(TENANT, count=1, seed=1)
    job = client.order(model="toy", count=150, seed=4)["id"]
    assert machine("honest").work()
    assert work_off(gateway, tmp_path / "lying", "first") == 1
    liar = Liar(gateway.store, job)
    honest = liar.line(3)["object"]
    liar.lie(70, liar.file(71))
    before = client.get("/v1/usage").json()["data"]
    done = run("audit", job, "--sample", 150, "--remake")
    assert (done.code, done.err.splitlines()[-1]) == (1, "86 images are taken back and made again")
    [found] = json.loads(run("machines", "list", "--json").out)
    assert (found["job"], found["why"][:18]) == (job, "the image differs ")
    running = client.get(f"/v1/jobs/{job}").json()
    assert (running["state"], running["done"]) == ("running", 64)

    assert work_off(gateway, tmp_path / "first", "first") == 0
    assert "prodgen_machines_shut_out 1.0" in client.get("/metrics").text
    assert work_off(gateway, tmp_path / "second", "second") == 1
    ended = client.get(f"/v1/jobs/{job}").json()
    assert (ended["state"], ended["done"]) == ("succeeded", 150)
    assert liar.line(3)["object"] == honest
    assert run("audit", job, "--sample", 150).code == 0
    assert client.get("/v1/usage").json()["data"] == before
    assert run("machines", "readmit", found["machine"]).code == 0
    assert client.order(model="toy", count=1)["state"] == "queued"
    assert work_off(gateway, tmp_path / "third", "first") == 1


@pytest.mark.parametrize("large", [1, 256], ids=["kept", "computed"])
def test_one_image_is_proved_to_be_of_a_job_without_the_others(
    make_job: Callable[..., tuple[Client, str]],
    gateway: Gateway,
    service: str,
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    large: int,
) -> None:
    monkeypatch.setattr(proofs, "LARGE", large)
    client, job = make_job(TENANT, count=150, seed=large)
    monkeypatch.setenv("PRODGEN_API_KEY", client.key)
    kept = gateway.store.names(keys.job(TENANT, job, ""))
    assert ("merkle.bin" in kept) == (large == 1)
    proof, picture, root = (
        tmp_path / "proof.json",
        tmp_path / "a.png",
        client.get(f"/v1/jobs/{job}").json()["root"],
    )
    proof.write_text(run("jobs", "proof", job, 149).out)
    picture.write_bytes(Liar(gateway.store, job).file(149))
    done = run("provenance", picture, "--proof", proof, "--root", root, "--json")
    found = {"leaf_index": 149, "tree_size": 150, "root": root, "fault": None}
    assert (done.code, json.loads(done.out)["proof"]) == (0, found)
    picture.write_bytes(Liar(gateway.store, job).file(148))
    done = run("provenance", picture, "--proof", proof, "--root", root)
    assert (done.code, done.err) == (1, "the proof does not hold: the proof is of another file\n")
    assert client.error("GET", f"/v1/jobs/{job}/images/150/proof")[0] == 404
    for index in (0, 63, 64, 128):
        answer = client.get(f"/v1/jobs/{job}/images/{index}/proof")
        assert (
            InclusionProof.model_validate(answer.json()).fault(Liar(gateway.store, job).file(index)) is None
        )
    gateway.store.delete([keys.job(TENANT, job, "merkle.bin"), keys.manifest(TENANT, job, 1)])
    assert client.error("GET", f"/v1/jobs/{job}/images/0/proof")[0] == 409


def test_damage_in_the_store_is_mended_and_blames_no_machine(
    make_job: Callable[..., tuple[Client, str]], gateway: Gateway, service: str, run: Run, tmp_path: Path
) -> None:
    _, job = make_job(TENANT, count=3, seed=5)
    liar = Liar(gateway.store, job)
    gateway.store.delete([liar.line(0)["object"]])
    gateway.store.put(liar.line(1)["object"], liar.file(2))
    assert run("audit", job, "--remake").err.splitlines()[-1] == "3 images are taken back and made again"
    assert run("machines", "list", "--json").out == "[]\n"
    assert work_off(gateway, tmp_path) == 1
    assert run("audit", job).out.startswith("3 of 3 images are as ordered")


def test_three_machines_shut_a_liar_out_by_themselves(
    make_job: Callable[..., tuple[Client, str]], gateway: Gateway, machine: Callable[[str], Worker]
) -> None:
    client, _ = make_job(TENANT, count=1, seed=1)
    job = client.order(model="toy", count=100, seed=6)["id"]
    liar, other, third = machine("liar"), machine("other"), machine("third")
    while liar.work():
        pass
    [(record, state)] = settle_jobs(gateway.store, gateway.ledger)
    assert record.id == job
    Liar(gateway.store, job).lie(90, Liar(gateway.store, job).file(91))
    assert queue_audit(gateway.store, gateway.ledger, record, state, share=0.0) == 0
    assert queue_audit(gateway.store, gateway.ledger, record, state, share=1.0) == 100
    assert take_piece(gateway.ledger, liar.name) is None

    assert audits(other) == ["0 of 64 images are wrong", "1 of 36 images are wrong"]
    assert (all_shut_out(gateway.store), take_piece(gateway.ledger, liar.name)) == ([], None)
    confirmation = take_piece(gateway.ledger, third.name)
    assert confirmation
    assert audit(third, *confirmation).endswith("1 of 1 images are wrong")
    [found] = all_shut_out(gateway.store)
    assert (found.job, client.get(f"/v1/jobs/{job}").json()["done"]) == (job, 0)
    assert not liar.work()
    assert audit(third, *confirmation).endswith("0 of 1 images are wrong"), "a job that runs again was blamed"

    while third.work():
        pass
    [(record, state)] = settle_jobs(gateway.store, gateway.ledger)
    assert (state.state, state.done) == ("succeeded", 100)
    assert audit(third, *confirmation).endswith("0 of 1 images are wrong"), "images taken back were blamed"
    assert queue_audit(gateway.store, gateway.ledger, record, state, share=1.0) == 100
    assert take_piece(gateway.ledger, liar.name) is None, "a machine that is shut out audits others"
    assert audits(other) == ["0 of 64 images are wrong", "0 of 36 images are wrong"]
    assert all_shut_out(gateway.store) == [found]
    readmit(gateway.store, gateway.ledger, found.machine)


def test_a_machine_that_accuses_an_honest_one_is_shut_out_itself(
    make_job: Callable[..., tuple[Client, str]], gateway: Gateway, machine: Callable[[str], Worker]
) -> None:
    make_job(TENANT, count=1, seed=1)
    gateway.client(TENANT).order(model="toy", count=2, seed=7)
    honest, accuser, third = machine("honest"), machine("accuser"), machine("third")
    assert honest.work()
    [(record, state)] = settle_jobs(gateway.store, gateway.ledger)
    queue_audit(gateway.store, gateway.ledger, record, state, share=1.0)
    taken = take_piece(gateway.ledger, accuser.name)
    assert taken
    piece, name = taken
    queue_pieces(gateway.ledger, [piece.model_copy(update={"accuser": name})])
    assert take_piece(gateway.ledger, honest.name) is take_piece(gateway.ledger, accuser.name) is None
    assert audits(third) == ["0 of 2 images are wrong"]
    assert [one.machine for one in all_shut_out(gateway.store)] == [name]
    readmit(gateway.store, gateway.ledger, name)


def test_machines_that_can_cut_audit_each_others_pictures_of_photographs_and_blame_none(
    make_job: Callable[..., tuple[Client, str]],
    gateway: Gateway,
    machine: Callable[[str], Worker],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client, _ = make_job(TENANT, count=1, seed=1)
    order, photo, matte, _ = photograph_order(client, gateway)
    job = client.order(**order)["id"]
    maker, other, third, blunt = map(machine, ("maker", "other", "third", "blunt"))
    assert maker.work()
    [(record, state)] = settle_jobs(gateway.store, gateway.ledger)
    liar = Liar(gateway.store, job)
    cut_out = keys.cut_out(TENANT, liar.line(0)["model"].partition("@")[2], photo, matte)
    gateway.store.put(cut_out, b"a false cut-out")
    assert queue_audit(gateway.store, gateway.ledger, record, state, share=1.0) == 3

    with monkeypatch.context() as without_cutter:
        error = Unsupported("the cutter needs a file")
        without_cutter.setattr(blunt.models.load(record.model, TENANT), "learn", Mock(side_effect=error))
        assert audits(blunt) == ["left to other machines, the cutter needs a file"]
    assert audits(other) == ["0 of 3 images are wrong"]

    liar.lie(1, liar.file(0))
    state = load_state(gateway.store, record)
    assert state
    assert queue_audit(gateway.store, gateway.ledger, record, state, share=1.0) == 3
    assert audits(other) == ["1 of 3 images are wrong"]
    assert client.get(f"/v1/jobs/{job}").json()["state"] == "succeeded", "one machine alone decided"
    assert exists(gateway.store, cut_out)
    assert audits(third) == ["1 of 1 images are wrong"]
    assert not exists(gateway.store, cut_out)
    assert maker.work(), "the pictures are not made again"
    [(record, state)] = settle_jobs(gateway.store, gateway.ledger)
    assert (state.state, state.done) == ("succeeded", 3)
    assert queue_audit(gateway.store, gateway.ledger, record, state, share=1.0) == 3
    assert audits(other) == ["0 of 3 images are wrong"]
    queue_pieces(gateway.ledger, [Piece(tenant=TENANT, job=job, images=[(1, liar.folder(1))], accuser="x")])
    assert audits(third) == ["0 of 1 images are wrong"]
    assert all_shut_out(gateway.store) == []


def audits(worker: Worker) -> list[str]:
    """Make all pieces of audits that the worker may take, and return what it found."""
    said = []
    while taken := take_piece(worker.ledger, worker.name):
        said.append(audit(worker, *taken).partition(": ")[2])
    return said


def test_an_order_with_a_quality_gate_is_audited_by_the_attempts_that_the_gate_took(
    make_job: Callable[..., tuple[Client, str]], gateway: Gateway, service: str, run: Run, tmp_path: Path
) -> None:
    folder = toy_folder(tmp_path / "coloured", schema=COLOURED, channels=4)
    (folder / QUALITY).write_text('{"colour_distance": 30}')
    publish(gateway.store, folder, "coloured", TENANT)
    client, job = make_job(TENANT, model="coloured", count=64, seed=6, quality_gate=True)
    lines = client.get(f"/v1/jobs/{job}/images").json()["data"]
    again = [line["index"] for line in lines if line["attempt"]]
    assert again
    assert all(line["quality"]["threshold"] == 30 for line in lines)
    audit = ("audit", job, "--json", "--sample", 64)
    assert run(*audit).code == 0

    liar, index = Liar(gateway.store, job), again[0]
    plain = client.order(model="coloured", count=64, seed=6)["id"]
    assert work_off(gateway, tmp_path / "worker")
    other = Liar(gateway.store, plain)
    liar.lie(index, other.file(index), attempt=0, quality={"threshold": 30, "colour_distances": [1.0]})
    [found] = json.loads(run(*audit).out)["faults"]
    assert (found["index"], found["fault"]) == (
        index,
        "the manifest's line is not that of the ordered image",
    )
    status, error = client.error("POST", "/v1/jobs", json={"model": "toy", "quality_gate": True})
    assert (status, error["param"]) == (400, "quality_gate")
    assert "has no threshold" in error["message"]


@pytest.mark.parametrize("forged", [1, 10])
def test_a_sample_finds_lies_as_often_as_chance_says(forged: int) -> None:
    total, count, rounds = 1000, 100, 2000
    manifests = [Manifest(0, 8, 8 * CELL, "a", ""), Manifest(8, 16, total - 8 * CELL, "b", "")]
    lies = set(range(500, 500 + forged))
    samples = [{k for k, _ in choose_sample(manifests, count, str(seed))} for seed in range(rounds)]
    assert {len(sample) for sample in samples} == {count}
    expected = 1 - comb(total - forged, count) / comb(total, count)
    observed = sum(not lies.isdisjoint(sample) for sample in samples) / rounds
    assert observed == pytest.approx(expected, abs=4 * sqrt(expected * (1 - expected) / rounds))
    everything = choose_sample(manifests, 10 * total, "x")
    assert everything == [(k, "ab"[k >= 8 * CELL]) for k in range(total)]
