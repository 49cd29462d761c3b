"""A worker leaves the orders of a later version to the workers of that version."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import cast

from prodgen.jobs.submission import submit
from prodgen.ledger.ledger import Ledger
from prodgen.registry.publish import publish
from prodgen.settings import Settings
from prodgen.spec.order import JobSpec
from prodgen.storage import keys
from prodgen.storage.local import LocalStore
from tests.toys import toy_folder
from workers.deployment import Deployment
from workers.generate.device import Device
from workers.generate.leases import make


def test_an_order_with_an_unknown_field_is_refused_and_none_of_its_images_fails(
    ledger: Ledger, tmp_path: Path
) -> None:
    store = LocalStore(tmp_path / "store", "secret", "http://gateway.test")
    publish(store, toy_folder(tmp_path / "toy"), "toy", None)
    settings = Settings(model_cache=tmp_path / "models")
    deployment = SimpleNamespace(settings=settings, store=store, ledger=ledger)
    device = Device(cast("Deployment", deployment))
    spec = JobSpec(model="toy", count=8, priority="bulk")
    job = submit(store, ledger, settings, "ada", spec, "k")[0]
    key = keys.job("ada", job.id, "job.json")
    later = json.loads(store.get(key))
    later["spec"]["finish"] = {"sparkle": True}
    store.put(key, json.dumps(later).encode())
    lease = ledger.lease("bulk", device.name, 64)
    assert lease

    said = make(device, lease)
    device.draining.set()
    device.engine.close()
    assert "finish.sparkle" in said
    progress = ledger.progress(job.id)
    assert progress
    assert (progress.done, progress.failed) == (0, 0)
