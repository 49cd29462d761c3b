"""``--queue``: a run for the service."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from prodgen.cli.datasets import bring, name_of
from prodgen.cli.options import print_json
from prodgen.cli.remote import client, console
from prodgen.client import Client
from prodgen.errors import NotFound, ProdgenError, Unavailable


def queue_run(
    send: Callable[[Client, dict[str, Any], str | None], dict[str, Any]],
    spec: dict[str, Any],
    data: str,
    key: str | None,
    json: bool,
    *,
    trains: bool = True,
) -> None:
    """Bring the data, unless it is named, and queue the run: ``send`` is the client's method for it.

    ``trains``: whether the data must be such as can be trained on.
    """
    with client() as gateway:
        if model := spec.get("model") or spec.get("from"):
            gateway.model(model)  # a wrong name is told before anything is sent
        ref = push_folder(gateway, Path(data), json, trains) if Path(data).exists() else _find(gateway, data)
        run = send(gateway, {**spec, "data": ref}, key)
    if json:
        print_json(run)
    else:
        told = f"run {run['id']} is queued: {run['title']}; prodgen training watch {run['id']}"
        console.print(told, soft_wrap=True, markup=False)


def _find(gateway: Client, ref: str) -> str:
    try:
        return str(gateway.dataset(ref)["id"])
    except Unavailable:
        raise
    except ProdgenError as error:
        raise NotFound(f"{ref} is no folder here, nor a data set there: {error}") from None


def push_folder(gateway: Client, folder: Path, quiet: bool, trains: bool = True) -> str:
    """Bring a folder to the service, called as it is called -> NAME@VERSION."""
    return str(bring(gateway, folder, name_of(folder), quiet, trains=trains).dataset["id"])
