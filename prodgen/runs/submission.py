"""The one way by which a run is queued: checked whole, written, entered."""

import hashlib
from datetime import UTC, datetime
from typing import Any

import prodgen
from prodgen.catalog.photographs.flags import check_flags, check_kind
from prodgen.datasets import Dataset, resolve_dataset
from prodgen.datasets.lock import dataset_lock
from prodgen.errors import Conflict, ProdgenError
from prodgen.evaluation.comparable import SPLIT, check_attributes, check_count, check_shape, no_split
from prodgen.ledger.ledger import Ledger
from prodgen.ledger.locks import lock
from prodgen.ledger.roster import Roster
from prodgen.ledger.run_entries import Node
from prodgen.ledger.scripts import LedgerLost
from prodgen.registry import has_discriminator, resolve
from prodgen.runs.files import find_record, load_end
from prodgen.runs.record import EvaluationSpec, PreparationSpec, RunRecord, Spec, TrainingSpec
from prodgen.spec.names import check_name, stable_id
from prodgen.storage import keys
from prodgen.storage.base import Store
from prodgen.training.recipes.fits import check_fits, check_freeze, check_source
from prodgen.training.recipes.recipe import Recipe
from prodgen.training.recipes.recipe_files import bundled_table, make_recipe


def submit_run(
    store: Store, ledger: Ledger, tenant: str, spec: Spec, idempotency_key: str
) -> tuple[RunRecord, bool]:
    """The run of this request, and whether it is new; the same key with another request raises Conflict.

    Raises ProdgenError, nothing written, for whatever can be known now to go wrong later.
    """
    if ledger.epoch() is None:
        raise LedgerLost
    run, roster = stable_id(tenant, f"training\n{idempotency_key}"), Roster(ledger)
    digest = hashlib.sha256(spec.model_dump_json(by_alias=True).encode()).hexdigest()
    with lock(ledger, run), dataset_lock(ledger, tenant):  # what it reads is not removed meanwhile
        record, created = find_record(store, tenant, run), False
        if record and record.request_digest != digest:
            raise Conflict(
                "this idempotency key belongs to a different run; use a new key for a new run",
                param="Idempotency-Key",
            )
        if record is None:
            check_nodes(roster.nodes(), spec)
            record, created = _record(store, tenant, run, spec, digest), True
            data = record.model_dump_json(indent=1, by_alias=True).encode()
            store.put(keys.run(tenant, run, "spec.json"), data, "application/json")
        roster.add(record.entry(), load_end(store, record))
    return record, created


def _record(store: Store, tenant: str, run: str, spec: Spec, digest: str) -> RunRecord:
    if isinstance(spec, TrainingSpec):
        resolved = _training(store, tenant, spec)
    elif isinstance(spec, PreparationSpec):
        resolved = _preparation(store, tenant, spec)
    else:
        resolved = _evaluation(store, tenant, spec)
    return RunRecord(
        id=run,
        tenant=tenant,
        created=datetime.now(UTC),
        spec=spec,
        version=prodgen.__version__,
        request_digest=digest,
        **resolved,
    )


def _preparation(store: Store, tenant: str, spec: PreparationSpec) -> dict[str, Any]:
    dataset = resolve_dataset(store, tenant, spec.data)
    check_kind(dataset.ref, dataset.summary.kind)
    check_flags(spec.drop)
    name = check_name(spec.name or f"{dataset.name}-{spec.size}")
    return {"name": name, "data": dataset.ref, "steps": sum(dataset.summary.images.values())}


def _evaluation(store: Store, tenant: str, spec: EvaluationSpec) -> dict[str, Any]:
    version, dataset = resolve(store, spec.model, tenant), resolve_dataset(store, tenant, spec.data)
    config, summary = version.config, dataset.summary
    _check_sound(dataset)
    if SPLIT not in summary.images:
        raise ProdgenError(no_split(dataset.ref, summary.images), param="data")
    for split in ("train", SPLIT):
        check_count(f"the {split} split of {dataset.ref} has", summary.images[split])
    if summary.kind in ("idx", "cifar-10") and not spec.resize:
        check_shape(config.size, config.channels, dataset.ref, *summary.size, summary.channels)
    values = {name: counts.values for name, counts in summary.attributes.items()}
    check_attributes(config.attributes, values, summary.colours)
    return {"name": version.name, "source": version.ref, "data": dataset.ref, "steps": 1}


def _training(store: Store, tenant: str, spec: TrainingSpec) -> dict[str, Any]:
    recipe = recipe_of(spec)
    name = check_name(spec.name or recipe.name)
    dataset = resolve_dataset(store, tenant, spec.data)
    _check_sound(dataset)
    source = resolve(store, spec.source, tenant) if spec.source else None
    size = recipe.size or dataset.summary.size[0]
    channels = recipe.channels or dataset.summary.channels
    for nodes in range(spec.least, spec.nodes + 1):
        check_fits(recipe, size, channels, dataset.summary.images["train"], nodes * spec.procs_per_node)
    if source:
        check_source(source.config, source.ref, recipe, size, channels)
    check_freeze(recipe, learnt=bool(source and has_discriminator(store, source)))
    return {
        "name": name,
        "recipe": recipe.model_dump(mode="json"),
        "data": dataset.ref,
        "source": source.ref if source else None,
        "steps": recipe.steps,
    }


def _check_sound(dataset: Dataset) -> None:
    if flaw := dataset.summary.flaw:
        raise ProdgenError(f"{dataset.ref} is of no use before it is prepared: {flaw}", param="data")


def recipe_of(spec: TrainingSpec) -> Recipe:
    """The recipe that is asked for; a name is a bundled one's, never a path."""
    table = bundled_table(spec.recipe) if isinstance(spec.recipe, str) else spec.recipe
    where = f"recipe {spec.recipe}" if isinstance(spec.recipe, str) else "the recipe"
    return make_recipe({**table, **spec.settings}, where)


def check_nodes(alive: list[Node], spec: Spec) -> None:
    """Raises ProdgenError unless the nodes that live could carry the run."""
    if not alive:
        raise ProdgenError("no training worker is running; start one, then queue the run", param="nodes")
    able = [node for node in alive if not node.devices or node.devices >= spec.procs_per_node]
    if not able:
        most = max(node.devices for node in alive)
        raise ProdgenError(f"a node here has {most} GPUs, not {spec.procs_per_node}", param="procs_per_node")
    if spec.least > len(able):
        raise ProdgenError(
            f"the run needs {spec.least} nodes, but {len(able)} can train: ask for fewer, or set min_nodes",
            param="nodes",
        )
