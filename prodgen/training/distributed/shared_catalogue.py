"""Decode the catalogue once per node: local rank 0 writes it to files, all processes map these files."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from prodgen.catalog.catalogue import Catalogue
from prodgen.training.distributed.collectives import on_all_ranks
from prodgen.training.distributed.world import local_rank, local_world_size

FOLDER = "catalogue"
"""The name of the decoded catalogue's folder, inside the node's folder."""


def read_shared(read: Callable[[], Catalogue], folder: Path) -> Catalogue:
    """Return the catalogue that ``read`` opens. Decode it once for all processes that share ``folder``.

    If ``read`` itself maps the images from a file, they are not copied. If one process raises ProdgenError,
    all processes do.
    """
    if local_world_size() == 1:
        return on_all_ranks(read)
    shared = folder / FOLDER

    def decode() -> Catalogue | None:
        if local_rank() != 0:
            return None
        shutil.rmtree(shared, ignore_errors=True)
        catalogue = read()
        if not isinstance(catalogue.images, np.memmap):
            _write(catalogue, shared)
        return catalogue

    def open_decoded() -> Catalogue:
        if shared.exists():
            return _map(shared)
        return read() if decoded is None else decoded

    decoded = on_all_ranks(decode)
    return on_all_ranks(open_decoded)


def _write(catalogue: Catalogue, folder: Path) -> None:
    folder.mkdir(parents=True)
    np.save(folder / "images.npy", catalogue.images)
    labels = {f"label {name}": numbers for name, numbers in catalogue.labels.items()}
    colours = {f"colour {name}": lab for name, lab in catalogue.colours.items()}
    save_file(labels | colours, folder / "attributes.safetensors")
    names = {"values": catalogue.values, "colours": list(catalogue.colours), "synonyms": catalogue.synonyms}
    (folder / "names.json").write_text(json.dumps(names))


def _map(folder: Path) -> Catalogue:
    attributes = load_file(folder / "attributes.safetensors")
    names = json.loads((folder / "names.json").read_text())
    return Catalogue(
        np.load(folder / "images.npy", mmap_mode="c"),
        {name: attributes[f"label {name}"] for name in names["values"]},
        {name: tuple(values) for name, values in names["values"].items()},
        {name: attributes[f"colour {name}"] for name in names["colours"]},
        names["synonyms"],
    )
