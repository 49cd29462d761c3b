"""``--queue``: queue a training, preparation or evaluation on the service."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from prodgen.cli.datasets import push_folder
from prodgen.cli.gateway import connect
from prodgen.cli.output import report
from prodgen.client import Client
from prodgen.errors import NotFound, ProdgenError, Unavailable


def queue_run(
    send: Callable[[Client, dict[str, Any], str | None], dict[str, Any]],
    spec: dict[str, Any],
    data: str,
    key: str | None,
    json: bool,
    *,
    trainable: bool = True,
) -> None:
    """Queue a run on the service and print it. If ``data`` is a folder, push the folder first.

    ``send`` is the method of `Client` that queues the run. If ``trainable``, raises ProdgenError for a folder
    of photographs that must be prepared before training.
    """
    with connect() as gateway:
        if model := spec.get("model") or spec.get("from"):
            gateway.model(model)  # a wrong name is refused before anything is pushed
        if (folder := Path(data)).exists():
            ref = push_folder(gateway, folder, json, trainable=trainable).dataset["id"]
        else:
            ref = _find(gateway, data)
        run = send(gateway, {**spec, "data": ref}, key)
    waits = f" ({run['reason']})" if run.get("reason") else ""
    report(json, run, f"run {run['id']} is queued: {run['title']}{waits}; prodgen training watch {run['id']}")


def _find(gateway: Client, ref: str) -> str:
    try:
        return str(gateway.dataset(ref)["id"])
    except Unavailable:
        raise
    except ProdgenError as error:
        raise NotFound(f"{ref} is no folder here, nor a data set there: {error}") from None
