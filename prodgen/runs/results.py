"""Publish the result of a run that succeeded: a model version, a data set version, or figures."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prodgen.datasets.push import StoreTarget, push
from prodgen.datasets.summary import Summary
from prodgen.datasets.versions import dataset_lock
from prodgen.errors import NotFound
from prodgen.ledger.locks import lock
from prodgen.ledger.roster import Roster
from prodgen.ledger.run_entries import RunEnd
from prodgen.registry.aliases import set_alias
from prodgen.registry.publish import publish
from prodgen.registry.versions import PRODUCTION, resolve
from prodgen.runs.files import PREPARED, SUMMARY, store_judge
from prodgen.runs.record import EvaluationSpec, PreparationSpec, RunRecord
from prodgen.spec.model_config import Data, Lineage
from prodgen.storage.base import Store

LATEST = "latest"


Published = tuple[RunEnd, str]
"""The end of the run for its state.json, and a line of text about the result for people."""


def publish_result(store: Store, roster: Roster, record: RunRecord, folder: Path, step: int) -> Published:
    """Publish the run's result (model version, data set version or figures) to the store. Idempotent.

    ``folder``: the run's folder on this node. ``step``: the last step. The caller writes the returned end.
    """
    if isinstance(record.spec, PreparationSpec):
        return _publish_dataset(store, roster, record, folder, step)
    if isinstance(record.spec, EvaluationSpec):
        metrics = json.loads((folder / "samples" / "metrics.json").read_text())
        return _end(roster, record, step, metrics), f"{len(metrics['figures'])} figures"
    return _publish_model(store, roster, record, folder, step)


def _publish_model(store: Store, roster: Roster, record: RunRecord, folder: Path, step: int) -> Published:
    """Publish the model of the run's best step, with its lineage.

    Makes ``NAME@latest`` mean the new version, and ``NAME@production`` too if the model has no production
    version yet. People promote later versions.
    """
    store_judge(store, record, folder)
    model = folder / "model"
    name, _, digest = record.data.partition("@")
    lineage = Lineage(
        run=record.id,
        recipe=record.recipe,
        data=Data(name=name, digest=digest),
        prodgen=record.version,
        begun_from=record.source,
        created=record.created,
    )
    (model / "lineage.json").write_text(lineage.model_dump_json(indent=1))
    metrics = json.loads((model / "metrics.json").read_text())
    version = publish(store, model, record.name, record.tenant, ())
    what = f"aliases:{record.tenant}:{record.name}"
    with lock(roster.ledger, what, "another is moving an alias of this model"):
        for alias in _aliases(store, record):
            set_alias(store, record.name, alias, version.version, record.tenant)
    end = _end(roster, record, step, metrics, model=version.id)
    return end, f"{version.id}, FID {metrics['domain_fid']:.1f} by its data's judge"


def _publish_dataset(store: Store, roster: Roster, record: RunRecord, folder: Path, step: int) -> Published:
    """Publish the cut-outs as a version of the data set that the run's record names."""
    prepared = json.loads((folder / SUMMARY).read_text())
    summary, metrics = Summary.model_validate(prepared["summary"]), prepared["metrics"]
    receiver = StoreTarget(store, record.tenant, lambda: dataset_lock(roster.ledger, record.tenant))
    version = push(receiver, folder / PREPARED, record.name, summary, lambda *_: None).dataset["id"]
    cut = sum(metrics["images"].values())
    end = _end(roster, record, step, metrics, dataset=version)
    return end, f"{version}: {cut} of {step} pictures cut out"


def _end(roster: Roster, record: RunRecord, step: int, metrics: dict[str, Any], **made: str) -> RunEnd:
    status = roster.status(record.id)
    return RunEnd(
        state="succeeded",
        step=step,
        restarts=status.restarts if status else 0,
        metrics=metrics,
        finished=datetime.now(UTC),
        model=made.get("model"),
        dataset=made.get("dataset"),
    )


def _aliases(store: Store, record: RunRecord) -> tuple[str, ...]:
    try:
        resolve(store, record.name, record.tenant)
    except NotFound:
        return (LATEST, PRODUCTION)
    return (LATEST,)
