"""``prodgen audit``: make a sample of a job's images again, and compare them with those in the store."""

import secrets
from typing import Annotated

import typer

from prodgen.cli.access import open_store
from prodgen.cli.options import Json
from prodgen.cli.output import print_json, print_table, remark, report, say
from prodgen.cli.progress import ProgressBars
from prodgen.connections import connect_ledger
from prodgen.errors import Conflict, NotFound
from prodgen.jobs.audits import choose_sample
from prodgen.jobs.machines import all_shut_out, readmit
from prodgen.jobs.manifests import deleted_images, published
from prodgen.jobs.record import JobRecord, find_record, load_state
from prodgen.registry.fetch import fetch
from prodgen.registry.versions import resolve
from prodgen.settings import settings
from prodgen.storage import keys
from prodgen.storage.base import Store, list_folders

machines = typer.Typer(help="List and readmit machines that are shut out.", no_args_is_help=True)


def audit(
    job: Annotated[str, typer.Argument(help="Id of a job that has ended.")],
    sample: Annotated[int, typer.Option(min=1, help="Images that are made again.")] = 64,
    seed: Annotated[str | None, typer.Option(help="Chooses the sample (default: a random seed).")] = None,
    remake: Annotated[
        bool,
        typer.Option("--remake", help="Shut the machines of faults out, and make their images again."),
    ] = False,
    json: Json = False,
) -> None:
    """Make a sample of a job's images again; exit with 1 if one differs."""
    from prodgen.audit import changed_since, check_sample, mend
    from prodgen.generation.engine import Engine
    from prodgen.models import SavedModel, load_model
    from prodgen.photographs.studio import Studio, load_studio

    store, _ = open_store()
    record = _find(store, job)
    state = load_state(store, record)
    if state is None:
        raise Conflict(f"job {job} has not ended; only an ended job is audited")
    seed = seed or secrets.token_hex(8)
    manifests = published(store, record)[0]  # images of a list that cannot be read count as missing
    changed, chosen = changed_since(store, state, manifests), choose_sample(manifests, sample, seed)
    deleted = deleted_images(store, record).intersection(index for index, _ in chosen)
    faults = []
    with Engine() as engine, ProgressBars(json) as bars:
        version = resolve(store, record.model, record.tenant)
        folder = fetch(store, version, settings().model_cache.expanduser())
        model: SavedModel | Studio
        if record.photographs:
            model = load_studio(folder, version.name)
        else:
            model = load_model(folder, version.name, engine.device)
        for done, fault in enumerate(check_sample(store, record, model, engine, chosen), 1):
            bars.report("Making images again", done, len(chosen))
            if fault:
                faults.append(fault)
    if json:
        found = [{"index": fault.index, "lease": fault.folder, "fault": fault.what} for fault in faults]
        made = {"images": state.done, "sample": len(chosen), "seed": seed}
        print_json({**made, "deleted": len(deleted), "changed": changed, "faults": found})
    else:
        for fault in faults:
            say(f"image {fault.index} (lease {fault.folder}): {fault.what}")
        say(f"{len(chosen) - len(faults)} of {len(chosen)} images are as ordered (seed {seed})")
        if deleted:
            say(f"{len(deleted)} of them were deleted on request; their manifest lines are as ordered")
        if changed:
            say(changed)
    if remake and (faults or sum(manifest.images for manifest in manifests) < state.done):
        ledger = connect_ledger(settings())
        guilty, count = mend(store, ledger, settings(), record, manifests, faults, changed)
        for machine in guilty:
            remark(f"machine {machine} is shut out; `prodgen machines readmit {machine}` lets it work again")
        remark(f"{count} images are taken back and made again")
    if faults or changed:
        raise typer.Exit(1)


@machines.command("list")
def list_machines(json: Json = False) -> None:
    """List the machines that an audit has shut out."""
    found = [one.model_dump(mode="json") for one in all_shut_out(open_store()[0])]
    if json:
        print_json(found)
    else:
        print_table(found, "machine", "since", "job", "why", fold=("why",))


@machines.command("readmit")
def readmit_machine(
    machine: Annotated[str, typer.Argument(help="The machine, as `machines list` names it.")],
    json: Json = False,
) -> None:
    """Restore a machine that an audit has shut out."""
    store, _ = open_store()
    if machine not in {one.machine for one in all_shut_out(store)}:
        raise NotFound(f"machine {machine!r} is not shut out; `prodgen machines list` shows those that are")
    readmit(store, connect_ledger(settings()), machine)
    report(json, {"machine": machine}, f"machine {machine} works again")


def _find(store: Store, job: str) -> JobRecord:
    for tenant in list_folders(store, keys.TENANTS):
        if record := find_record(store, tenant, job):
            return record
    raise NotFound(f"there is no job {job!r}", param="job")
