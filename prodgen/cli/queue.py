"""``prodgen train --queue``: a run for the service."""

from pathlib import Path
from typing import Any

from prodgen.cli.datasets import bring, name_of
from prodgen.cli.options import print_json
from prodgen.cli.remote import client, console
from prodgen.client import Client
from prodgen.errors import NotFound, ProdgenError, Unavailable
from prodgen.training.recipe_files import load_recipe


def queue_run(
    recipe: str, settings: list[str], data: str, spec: dict[str, Any], key: str | None, json: bool
) -> None:
    """Bring the data, unless it is named, and queue the run."""
    chosen = load_recipe(recipe, settings)
    with client() as gateway:
        ref = push_folder(gateway, Path(data), json) if Path(data).exists() else _find(gateway, data)
        run = gateway.train({**spec, "recipe": chosen.model_dump(mode="json"), "data": ref}, key)
    if json:
        print_json(run)
    else:
        told = f"run {run['id']} is queued on {ref}; prodgen training watch {run['id']}"
        console.print(told, soft_wrap=True, markup=False)


def _find(gateway: Client, ref: str) -> str:
    try:
        return str(gateway.dataset(ref)["id"])
    except Unavailable:
        raise
    except ProdgenError as error:
        raise NotFound(f"{ref} is no folder here, nor a data set there: {error}") from None


def push_folder(gateway: Client, folder: Path, quiet: bool) -> str:
    """Bring a folder to the service, called as it is called -> NAME@VERSION."""
    return str(bring(gateway, folder, name_of(folder), quiet).dataset["id"])
