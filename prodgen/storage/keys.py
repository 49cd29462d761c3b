"""The layout of the store: the key of every kind of object.

A function with a plural name returns the prefix of all keys of that kind. Other functions return one key.
"""

from datetime import UTC, date, datetime, timedelta

from prodgen.spec.names import check_name

SYSTEM_KEYS = "system/keys.json"
"""The file with all API keys of an older deployment. Each new API key has an object under `API_KEYS`."""
API_KEYS = "system/keys/"
SYSTEM_TENANTS = "system/tenants.json"
ALIASES_CHANGED = "system/aliases-changed"
"""An object that gets new content with each change of any alias. Workers read it to notice such changes."""
DUE = "system/due/"
"""Prefix of empty objects: each names an order, and the time at which maintenance must look at it."""
RUNS_DUE = "system/due-runs/"
"""Prefix of empty objects: each names a run, and the time at which maintenance must look at it."""
WEBHOOKS = "system/webhooks/"
"""Prefix of empty objects: each names an order, and the time at which maintenance must send its webhook."""
SHUT_OUT = "system/shut-out/"
"""Prefix of objects, one for each machine that is shut out: an audit found a wrong image of it."""
TENANTS = "tenants/"
SHARED = "shared/"
_DUE = "%Y-%m-%dT%H/%M-%S"


def api_key(digest: str) -> str:
    """Return the store key of an API key's record; ``digest`` is the sha256 of the API key's secret."""
    return f"{API_KEYS}{check_name(digest)}.json"


def due(when: datetime, job: str, tenant: str, prefix: str = DUE) -> str:
    """Return the key of the entry that tells maintenance to look at an order or a run at ``when``.

    Maintenance looks up to a second later. Keys of earlier times sort first.
    """
    second = when.astimezone(UTC) + timedelta(microseconds=999_999)
    return f"{prefix}{second:{_DUE}}.{check_name(job)}.{check_name(tenant)}"


def parse_due(key: str, prefix: str = DUE) -> tuple[datetime, str, str]:
    """Return the arguments with which `due` makes this key: the time, the job's id and the tenant."""
    when, job, tenant = key.removeprefix(prefix).split(".", 2)
    return datetime.strptime(when, _DUE).replace(tzinfo=UTC), job, tenant


def tenant(name: str) -> str:
    """Return the prefix of everything that belongs to the tenant ``name``."""
    return f"{TENANTS}{check_name(name)}/"


def webhook_secret(tenant: str) -> str:
    """Return the key of the secrets that sign a tenant's webhooks."""
    return f"system/webhook-secrets/{check_name(tenant)}.json"


def dead_webhooks(tenant: str) -> str:
    """Return the prefix of a tenant's list of orders whose webhooks were given up.

    The list has one empty object for each order, under the order's id.
    """
    return f"{TENANTS}{check_name(tenant)}/dead-webhooks/"


def trash(tenant: str) -> str:
    """Return the prefix of the empty objects that name the orders in a tenant's trash."""
    return f"{TENANTS}{check_name(tenant)}/trash/"


def deleted_runs(tenant: str) -> str:
    """Return the prefix of the empty objects that name the runs in a tenant's trash."""
    return f"{TENANTS}{check_name(tenant)}/deleted-runs/"


def jobs(tenant: str) -> str:
    return f"{TENANTS}{check_name(tenant)}/jobs/"


def job(tenant: str, job_id: str, *parts: str) -> str:
    """Return the key of a job's file: job.json, state.json, cells/…, manifest/… and others."""
    return "/".join([jobs(tenant) + check_name(job_id), *parts])


def cell_folder(tenant: str, job_id: str, first: int, token: str) -> str:
    """Return the folder (no trailing slash) of the images of a lease.

    ``first`` is the number of the lease's first cell; ``token`` is the lease's token.
    """
    return job(tenant, job_id, "cells", f"{first:09d}.{token}")


def manifest(tenant: str, job_id: str, first: int) -> str:
    """Return the key of the manifest of the accepted lease that begins at cell ``first``."""
    return job(tenant, job_id, "manifest", f"{first:09d}.jsonl")


def replacement(tenant: str, job_id: str, index: int, attempt: int, by: str, place: int) -> str:
    """Return the key of the empty object that records the replacement of an image of a job.

    Image ``place`` of the job ``by`` replaces the image ``index``.
    """
    return job(tenant, job_id, "replaced", f"{index:09d}.{attempt:04d}.{check_name(by)}.{place}")


def deleted_image(tenant: str, job_id: str, index: int) -> str:
    """Return the key of the empty object that records the deletion of an image of a job."""
    return job(tenant, job_id, "deleted", f"{index:09d}")


def uploads(tenant: str) -> str:
    return f"{TENANTS}{check_name(tenant)}/uploads/"


def upload(tenant: str, digest: str) -> str:
    """Return the key of an uploaded file; ``digest`` is the sha256 of its content."""
    return uploads(tenant) + check_name(digest)


def cut_outs(tenant: str) -> str:
    return f"{TENANTS}{check_name(tenant)}/cut-outs/"


def cut_outs_of(tenant: str, version: str, photo: str) -> str:
    """Return the prefix of the keys of `cut_out` for a version and a photograph, with any matte."""
    return f"{cut_outs(tenant)}{check_name(version)}/{check_name(photo)}."


def cut_out(tenant: str, version: str, photo: str, matte: str | None = None) -> str:
    """Return the key of the file in which a version keeps the cut-out of a photograph.

    ``photo`` and ``matte`` are digests. A photograph has one such file for each matte, and one without.
    """
    own = f"{check_name(matte)}." if matte else ""
    return f"{cut_outs_of(tenant, version, photo)}{own}png"


def found(tenant: str, version: str, picture: str, start: str) -> str:
    """Return the key of the latent that a version has found for a picture.

    ``picture`` is the picture's digest; ``start`` is a `Picture.start_digest`.
    """
    return f"{cut_outs_of(tenant, version, picture)}{check_name(start)}.json"


def renders(tenant: str) -> str:
    return f"{TENANTS}{check_name(tenant)}/renders/"


def render(tenant: str, digest: str) -> str:
    """Return the key of an image that a client requested by its address; ``digest``: of the formula."""
    return f"{renders(tenant)}{check_name(digest)}"


def usages(tenant: str, day: date) -> str:
    """Return the prefix of the usage records of a tenant's orders that ended on ``day``."""
    return f"{TENANTS}{check_name(tenant)}/usage/{day}/"


def usage(tenant: str, day: date, job_id: str, images: int, size: int, model: str, retry: int = 0) -> str:
    """Return the key of the usage record of an order, or of its retry number ``retry`` (0: no retry).

    The key itself has the figures: ``images``, and ``size`` in bytes. ``model`` is ``name@version``.
    """
    which = check_name(job_id) + (f"~{retry}" if retry else "")
    return f"{usages(tenant, day)}{which}.{images}.{size}.{model}"


def parse_usage(key: str) -> tuple[str, int, int, int, str]:
    """Return what a usage key holds: job id, retry (0: none), number of images, bytes, ``name@version``."""
    which, images, size, model = key.rpartition("/")[2].split(".", 3)
    job_id, _, retry = which.partition("~")
    return job_id, int(retry or 0), int(images), int(size), model


def datasets(tenant: str, name: str | None = None) -> str:
    """Return the prefix of all versions of a tenant's data set, or (``name`` None) of all its data sets."""
    prefix = f"{TENANTS}{check_name(tenant)}/datasets/"
    return f"{prefix}{check_name(name)}/" if name else prefix


def dataset(tenant: str, name: str, version: str) -> str:
    """Return the key of the record of a data set's version. The content of its files is in uploads."""
    return f"{datasets(tenant, name)}{check_name(version)}.json"


def models(tenant: str | None) -> str:
    """Return the prefix of a tenant's models, or (None) of the shared models."""
    return f"{TENANTS}{check_name(tenant)}/models/" if tenant else f"{SHARED}models/"


def runs(tenant: str) -> str:
    return f"{TENANTS}{check_name(tenant)}/training/"


def run(tenant: str, run_id: str, *parts: str) -> str:
    """Return the key of a run's file: spec.json, state.json, checkpoints/…, files/…, samples/… or logs/…"""
    return "/".join([runs(tenant) + check_name(run_id), *parts])


def judges(tenant: str, name: str) -> str:
    """Return the prefix of all judges (classifiers for evaluation) of a tenant's data set."""
    return f"{TENANTS}{check_name(tenant)}/judges/{check_name(name)}/"


def judge(tenant: str, name: str, what: str) -> str:
    """Return the key of a judge; ``what`` names the data set's version, the image size and the channels."""
    return f"{judges(tenant, name)}{check_name(what)}.safetensors"
