"""Submit a run: check the request, write the record to the store, add the run to the roster."""

import hashlib
from datetime import UTC, datetime
from typing import Any

import prodgen
from prodgen import traces
from prodgen.catalog.formats import check_names
from prodgen.catalog.photographs.flags import check_flags, check_kind
from prodgen.catalog.photographs.merges import ATTRIBUTE, check_merges, parse_merges
from prodgen.datasets.versions import Dataset, dataset_lock, resolve_dataset
from prodgen.errors import Conflict, ProdgenError
from prodgen.evaluation.compatibility import (
    TEST_SPLIT,
    check_attributes,
    check_count,
    check_shape,
    no_test_split,
)
from prodgen.ledger.ledger import Ledger
from prodgen.ledger.locks import lock
from prodgen.ledger.roster import Roster
from prodgen.ledger.scripts import LedgerLost
from prodgen.registry.fetch import has_discriminator
from prodgen.registry.versions import resolve
from prodgen.runs.deletion import DeletedRuns
from prodgen.runs.files import find_record, load_end
from prodgen.runs.record import EvaluationSpec, PreparationSpec, RunRecord, Spec, TrainingSpec
from prodgen.spec.names import check_name, stable_id
from prodgen.storage import keys
from prodgen.storage.base import Store
from prodgen.tenants import grant_of
from prodgen.training.recipes.checks import check_freeze, check_pretrained, check_recipe
from prodgen.training.recipes.recipe_files import bundled_table, make_recipe


def submit_run(
    store: Store,
    ledger: Ledger,
    tenant: str,
    spec: Spec,
    idempotency_key: str,
    *,
    request_id: str | None = None,
) -> tuple[RunRecord, bool]:
    """Queue a run. Returns the run's record, and whether this call created the run.

    Raises Conflict if ``idempotency_key`` belongs to a different request. Raises ProdgenError, and writes
    nothing, if the run cannot work with these options, this data set or this model. Does not check whether
    there are nodes for the run: it waits until there are.
    """
    if ledger.epoch() is None:
        raise LedgerLost
    run, roster = stable_id(tenant, f"training\n{idempotency_key}"), Roster(ledger)
    digest = hashlib.sha256(spec.model_dump_json(by_alias=True).encode()).hexdigest()
    with lock(ledger, run), dataset_lock(ledger, tenant):  # else its data could be deleted meanwhile
        record, created = find_record(store, tenant, run), False
        if record and record.request_digest != digest:
            raise Conflict(
                "this idempotency key belongs to a different run; use a new key for a new run",
                param="Idempotency-Key",
            )
        if record is None:
            if DeletedRuns(store).deleted(tenant, run):
                raise Conflict(
                    f"run {run} of this idempotency key is deleted; use a new key for a new run",
                    param="Idempotency-Key",
                )
            created = True
            record = RunRecord(
                id=run,
                tenant=tenant,
                created=datetime.now(UTC),
                spec=spec,
                version=prodgen.__version__,
                request_digest=digest,
                keep=grant_of(store, tenant).keep_runs,
                request_id=request_id,
                traceparent=traces.traceparent(),
                **_resolve(store, tenant, spec),
            )
            data = record.model_dump_json(indent=1, by_alias=True).encode()
            store.put(keys.run(tenant, run, "spec.json"), data, "application/json")
        roster.add(record.entry(), load_end(store, record))
    return record, created


def _resolve(store: Store, tenant: str, spec: Spec) -> dict[str, Any]:
    """Check a request. Return the fields of the run's record that depend on the kind of the request.

    The names of models and data sets become versions. Raises ProdgenError for a faulty request.
    """
    if isinstance(spec, TrainingSpec):
        return _training(store, tenant, spec)
    if isinstance(spec, PreparationSpec):
        return _preparation(store, tenant, spec)
    return _evaluation(store, tenant, spec)


def _preparation(store: Store, tenant: str, spec: PreparationSpec) -> dict[str, Any]:
    dataset = resolve_dataset(store, tenant, spec.data)
    check_kind(dataset.id, dataset.summary.kind)
    check_names(dataset.summary.attributes)
    check_flags(spec.drop)
    categories = dataset.summary.attributes.get(ATTRIBUTE)
    check_merges(parse_merges(spec.merge), [*categories.values] if categories else [])
    name = check_name(spec.name or f"{dataset.name}-{spec.size}")
    return {"name": name, "data": dataset.id, "steps": sum(dataset.summary.images.values())}


def _evaluation(store: Store, tenant: str, spec: EvaluationSpec) -> dict[str, Any]:
    version, dataset = resolve(store, spec.model, tenant), resolve_dataset(store, tenant, spec.data)
    config, summary = version.config, dataset.summary
    _check_sound(dataset)
    if TEST_SPLIT not in summary.images:
        raise ProdgenError(no_test_split(dataset.id, summary.images), param="data")
    for split in ("train", TEST_SPLIT):
        check_count(f"the {split} split of {dataset.id} has", summary.images[split])
    if summary.kind in ("idx", "cifar-10") and not spec.resize:
        check_shape(config.size, config.channels, dataset.id, *summary.size, summary.channels)
    values = {name: counts.values for name, counts in summary.attributes.items()}
    check_attributes(config.attributes, values, summary.colours)
    return {"name": version.name, "source": version.id, "data": dataset.id, "steps": 1}


def _training(store: Store, tenant: str, spec: TrainingSpec) -> dict[str, Any]:
    table = bundled_table(spec.recipe) if isinstance(spec.recipe, str) else spec.recipe
    where = f"recipe {spec.recipe}" if isinstance(spec.recipe, str) else "the recipe"
    recipe = make_recipe({**table, **spec.settings}, where)
    name = check_name(spec.name or recipe.name)
    dataset = resolve_dataset(store, tenant, spec.data)
    _check_sound(dataset)
    check_names(dataset.summary.attributes)
    source = resolve(store, spec.source, tenant) if spec.source else None
    size = recipe.size or dataset.summary.size[0]
    channels = recipe.channels or dataset.summary.channels
    for nodes in range(spec.least, spec.nodes + 1):
        check_recipe(recipe, size, channels, dataset.summary.images["train"], nodes * spec.procs_per_node)
    if source:
        check_pretrained(source.config, source.id, recipe, size, channels)
    check_freeze(recipe, has_discriminator=bool(source and has_discriminator(store, source)))
    return {
        "name": name,
        "recipe": recipe.model_dump(mode="json"),
        "data": dataset.id,
        "source": source.id if source else None,
        "steps": recipe.steps,
    }


def _check_sound(dataset: Dataset) -> None:
    if flaw := dataset.summary.flaw:
        raise ProdgenError(f"{dataset.id} cannot be used before it is prepared: {flaw}", param="data")
