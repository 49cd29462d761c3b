"""A run that reached its last step becomes a version of a model."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from prodgen.errors import NotFound
from prodgen.jobs.turns import turn
from prodgen.lineage import Data, Lineage
from prodgen.registry import PRODUCTION, point, publish, resolve
from prodgen.runs.record import RunEnd, RunRecord
from prodgen.runs.roster import Roster
from prodgen.storage.base import Store

LATEST = "latest"


@dataclass(frozen=True)
class Finished:
    """state.json of the run, and what to say of it."""

    end: RunEnd
    said: str


def bring_model(store: Store, roster: Roster, record: RunRecord, folder: Path, step: int) -> Finished:
    """Publish the model of the run's best step, with where it comes from.

    It becomes ``NAME@latest``, and what NAME means if there is nothing of that name yet; else it is promoted
    by hand. To do it again does no harm.
    """
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
    with turn(roster.ledger, what, "another is moving an alias of this model"):
        for alias in _aliases(store, record):
            point(store, record.name, alias, version.version, record.tenant)
    standing = roster.standing(record.id)
    end = RunEnd(
        state="succeeded",
        step=step,
        restarts=standing.restarts if standing else 0,
        model=version.ref,
        metrics=metrics,
        finished=datetime.now(UTC),
    )
    return Finished(end, f"{version.ref}, FID {metrics['domain_fid']:.1f} by its data's judge")


def _aliases(store: Store, record: RunRecord) -> tuple[str, ...]:
    try:
        resolve(store, record.name, record.tenant)
    except NotFound:
        return (LATEST, PRODUCTION)
    return (LATEST,)
