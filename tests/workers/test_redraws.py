"""A worker finds the latent of a picture once, and says why when it cannot."""

import hashlib
import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from prodgen.audit import _as_started, _Recorded, check_sample
from prodgen.errors import Conflict, ProdgenError
from prodgen.generation import inversion
from prodgen.generation.verify import verify
from prodgen.jobs.delivery import images, read_image
from prodgen.jobs.ending import settle_jobs
from prodgen.jobs.items import JobImages
from prodgen.jobs.record import JobRecord
from prodgen.jobs.rejection import reject_images
from prodgen.jobs.renders import ask, read
from prodgen.jobs.submission import submit
from prodgen.jobs.uploads import delete_upload
from prodgen.ledger.ledger import Ledger
from prodgen.ledger.renders import Asked, Renders
from prodgen.models import SavedModel
from prodgen.photographs.redraw import Redrawing, redraw
from prodgen.registry.versions import resolve
from prodgen.settings import Settings
from prodgen.spec.formula import Formula
from prodgen.spec.order import ImageRequest, JobSpec
from prodgen.spec.provenance import read_provenance
from prodgen.spec.redrawing import Picture, Start
from prodgen.storage import keys
from prodgen.storage.local import LocalStore
from tests.workers.test_sick_worker import Worker, store, worker
from workers.generate import redraws
from workers.generate.device import Held
from workers.generate.redraws import found_for, started
from workers.generate.renders import begin_renders, finish_renders

__all__ = ["store", "worker"]


@pytest.fixture
def digest(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> str:
    """An uploaded picture, for which a search is short."""
    monkeypatch.setattr(inversion, "STAGES", ((1, 3),))
    buffer = io.BytesIO()
    Image.fromarray(np.pad(np.full((8, 8), 200, np.uint8), 4)).save(buffer, "PNG")
    digest = hashlib.sha256(buffer.getvalue()).hexdigest()
    store.put(keys.upload("acme", digest), buffer.getvalue())
    return digest


def edit(store: LocalStore, digest: str, strength: float = 1.0) -> Asked:
    picture = Picture(sha256=digest, attributes={"category": "bag"}, strength=strength)
    model, wanted = resolve(store, "toy", "acme").id, {"category": "dress"}
    fields = {"model": model, "seed": 0, "index": 0, "format": "png", "attributes": wanted}
    return Asked("acme", Formula.model_validate(fields | {"picture": picture}))


def test_a_latent_is_found_once_for_all_strengths(
    store: LocalStore, worker: Worker, ledger: Ledger, digest: str
) -> None:
    renders = Renders(ledger)

    def made(strength: float) -> dict[str, object]:
        asked = edit(store, digest, strength)
        ask(store, renders, asked)
        begun = begin_renders(worker, renders.take("w", 8))
        assert finish_renders(worker, renders, begun).startswith("1 of 1")
        data = read(store, asked)
        assert data
        recipe = read_provenance(io.BytesIO(data)).recipe
        assert recipe
        return dict(recipe["picture"])

    half, full = made(0.5), made(1.0)
    assert (half.pop("strength"), full.pop("strength")) == (0.5, 1.0)
    assert half == full
    found = keys.cut_outs("acme")
    assert len([*store.list(found)]) == 1, "the second image took what the first had found"
    delete_upload(store, ledger, "acme", digest)
    assert not [*store.list(found)]


def test_an_order_has_what_an_address_has(
    store: LocalStore, worker: Worker, ledger: Ledger, digest: str
) -> None:
    items: list[dict[str, object]] = [
        {"sku": "A", "attributes": {"category": "dress"}, "picture": {"sha256": digest, "strength": 0.5}},
        {"sku": "B"},
    ]

    def order(**more: object) -> JobRecord:
        spec = JobSpec.model_validate({"model": "toy", "items": items, **more})
        return submit(store, ledger, Settings(), "acme", spec, str(more))[0]

    with pytest.raises(ProdgenError, match=r"item 1 \(A\): toy has no encoder"):
        order()
    items[0]["picture"] = {"sha256": digest, "strength": 0.5, "attributes": {"category": "Bag"}}
    with pytest.raises(ProdgenError, match="takes no attempt or truncation"):
        order(truncation=0.5)
    record = order()
    assert record.entry().lease_cells == 1, "each cell has a search for each picture"
    with pytest.raises(Conflict, match="needs this picture"):
        delete_upload(store, ledger, "acme", digest)
    while worker.work("bulk"):
        pass
    settle_jobs(store, ledger)
    redrawn, drawn = images(store, record)
    assert (redrawn.sku, redrawn.attributes["category"], drawn.picture) == ("A", "dress", None)
    assert redrawn.picture
    assert (redrawn.picture.sha256, redrawn.picture.strength) == (digest, 0.5)
    asked = edit(store, digest, 0.5)
    assert asked.formula.picture
    model = worker.models.load(record.model, "acme")
    assert isinstance(model, SavedModel)
    found = found_for(worker, "acme", model, asked.formula.picture, (0, 0))
    assert Start.of(asked.formula.picture, found) == redrawn.picture, "the same as by its address"
    files = {line.file: read_image(store, line) for line in (redrawn, drawn)}
    assert [one.fault for one in verify([redrawn, drawn], files.get, model, worker.engine)] == [None] * 2
    assert redrawn.picture
    for lie in ({"latent": (0.0,)}, {"attributes": {"category": "cup"}}, {"attributes": {}}):
        line = redrawn.model_copy(update={"picture": redrawn.picture.model_copy(update=lie)})
        asked_for = JobImages(store, record)[0]
        assert _as_started(asked_for, _Recorded(line), model.config) is asked_for, "an audit goes on"
    sample = [(line.index, (line.object or "").split("/")[-2]) for line in (redrawn, drawn)]
    assert [*check_sample(store, record, model, worker.engine, sample)] == [None] * 2
    with pytest.raises(ProdgenError, match="order another strength"):
        reject_images(store, ledger, Settings(), record, [0], "again")
    with pytest.raises(ProdgenError, match="no seed"):
        Formula.of(redrawn)
    store.delete([keys.upload("acme", digest)])
    with pytest.raises(ProdgenError, match=r"item 1 \(A\): there is no upload"):
        order(count=2)


def test_a_cancelled_order_searches_no_further(
    store: LocalStore, worker: Worker, ledger: Ledger, digest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    searches = []

    def search(*args: Any) -> Redrawing:
        searches.append(args)
        ledger.cancel(record.id)
        worker._renew_leases()
        return redraw(*args)

    monkeypatch.setattr(redraws, "redraw", search)
    picture = {"sha256": digest, "attributes": {"category": "bag"}}
    items = [{"sku": "A", "picture": picture, "latent": {"seed": seed, "draw": 0}} for seed in (1, 2)]
    spec = JobSpec.model_validate({"model": "toy", "items": items})
    record = submit(store, ledger, Settings(), "acme", spec, "cancelled")[0]
    while worker.work("bulk"):
        pass
    assert len(searches) == 1


def test_a_broken_latent_is_found_anew(store: LocalStore, worker: Worker, digest: str) -> None:
    asked = edit(store, digest)
    model = worker.models.load(asked.formula.model, "acme")
    assert isinstance(model, SavedModel)
    assert asked.formula.picture
    key = keys.found("acme", model.digest, digest, asked.formula.picture.start_digest(0, 0))
    store.put(key, b'{"latent": [null]}')
    found = found_for(worker, "acme", model, asked.formula.picture, (0, 0))
    assert store.get(key) == found.model_dump_json().encode()


def test_a_picture_deleted_during_the_search_leaves_no_latent(
    store: LocalStore, worker: Worker, digest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def search(*args: Any) -> Redrawing:
        store.delete([keys.upload("acme", digest)])
        return redraw(*args)

    asked = edit(store, digest)
    model = worker.models.load(asked.formula.model, "acme")
    assert isinstance(model, SavedModel)
    assert asked.formula.picture
    monkeypatch.setattr(redraws, "redraw", search)
    image = ImageRequest(3, 0, 0, {}, "A", picture=asked.formula.picture)
    with pytest.raises(ProdgenError, match=r"image 3 \(A\): .* upload it again"):
        started(worker, Held(), "acme", model, image)
    assert not [*store.list(keys.cut_outs("acme"))]
