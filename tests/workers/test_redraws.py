"""A worker finds the latent of a picture once, and says why when it cannot."""

import hashlib
import io

import numpy as np
import pytest
from PIL import Image

from prodgen.generation import inversion
from prodgen.jobs.renders import ask, read
from prodgen.jobs.uploads import delete_upload
from prodgen.ledger.ledger import Ledger
from prodgen.ledger.renders import Asked, Renders
from prodgen.registry.versions import resolve
from prodgen.spec.formula import Formula
from prodgen.spec.provenance import read_provenance
from prodgen.spec.redrawing import Picture
from prodgen.storage import keys
from prodgen.storage.local import LocalStore
from tests.workers.test_sick_worker import Worker, store, worker
from workers.generate.renders import make_renders

__all__ = ["store", "worker"]


def test_a_latent_is_found_once_for_all_strengths(
    store: LocalStore, worker: Worker, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inversion, "STAGES", ((1, 3),))
    buffer = io.BytesIO()
    Image.fromarray(np.pad(np.full((8, 8), 200, np.uint8), 4)).save(buffer, "PNG")
    digest = hashlib.sha256(buffer.getvalue()).hexdigest()
    store.put(keys.upload("acme", digest), buffer.getvalue())
    renders, model = Renders(ledger), resolve(store, "toy", "acme").id

    def made(strength: float) -> dict[str, object]:
        known = {"category": "bag"}
        picture = Picture(sha256=digest, attributes=known, strength=strength)
        wanted = {"category": "dress"}
        fields = {"model": model, "seed": 0, "index": 0, "format": "png", "attributes": wanted}
        asked = Asked("acme", Formula.model_validate(fields | {"picture": picture}))
        ask(store, renders, asked)
        assert make_renders(worker, renders, renders.take("w", 8)).startswith("1 of 1")
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
