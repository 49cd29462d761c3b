"""The layout of the store: the key of every kind of object."""

from prodgen.spec.names import check_name

SYSTEM_KEYS = "system/keys.json"
"""API keys of older deployments, all in one file; new ones have an object each under `API_KEYS`."""
API_KEYS = "system/keys/"
SYSTEM_TENANTS = "system/tenants.json"
TENANTS = "tenants/"
SHARED = "shared/"


def api_key(digest: str) -> str:
    """``system/keys/{digest}.json``: the record of one API key, by the sha256 of its secret."""
    return f"{API_KEYS}{check_name(digest)}.json"


def job(tenant: str, job_id: str, *parts: str) -> str:
    """``tenants/{tenant}/jobs/{job}/…``: job.json, items.jsonl, state.json, cells/…, manifest/…"""
    return "/".join([jobs(tenant) + check_name(job_id), *parts])


def jobs(tenant: str) -> str:
    """The prefix of all the jobs of a tenant."""
    return f"{TENANTS}{check_name(tenant)}/jobs/"


def cell_folder(tenant: str, job_id: str, first: int, token: str) -> str:
    """The prefix (no trailing slash) of what one lease wrote; ``first`` is its first cell."""
    return job(tenant, job_id, "cells", f"{first:09d}.{token}")


def manifest(tenant: str, job_id: str, first: int) -> str:
    """The manifest of the images of the lease that began at cell ``first`` and won."""
    return job(tenant, job_id, "manifest", f"{first:09d}.jsonl")


def upload(tenant: str, digest: str) -> str:
    """An uploaded file, by the sha256 of its content."""
    return uploads(tenant) + check_name(digest)


def uploads(tenant: str) -> str:
    """The prefix of all the uploads of a tenant."""
    return f"{TENANTS}{check_name(tenant)}/uploads/"


def dataset(tenant: str, name: str, version: str) -> str:
    """What a version of a data set is made of; its content is uploads."""
    return f"{datasets(tenant, name)}{check_name(version)}.json"


def datasets(tenant: str, name: str | None = None) -> str:
    """The prefix of the versions of one data set of a tenant, or of all."""
    prefix = f"{TENANTS}{check_name(tenant)}/datasets/"
    return f"{prefix}{check_name(name)}/" if name else prefix


def models(tenant: str | None) -> str:
    """The prefix of a tenant's models, or of the shared ones for None."""
    return f"{TENANTS}{check_name(tenant)}/models/" if tenant else "shared/models/"


def runs(tenant: str) -> str:
    """The prefix of all the training runs of a tenant."""
    return f"{TENANTS}{check_name(tenant)}/training/"


def run(tenant: str, run_id: str, *parts: str) -> str:
    """``tenants/{tenant}/training/{run}/…``: spec.json, state.json, checkpoints/, files/, samples/, logs/"""
    return "/".join([runs(tenant) + check_name(run_id), *parts])


def judge(tenant: str, name: str, what: str) -> str:
    """The classifier that scores runs on a data set, read in one way."""
    return f"{TENANTS}{check_name(tenant)}/judges/{check_name(name)}/{check_name(what)}.safetensors"
