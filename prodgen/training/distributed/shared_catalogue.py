"""A catalogue that the processes of a node read once: the first decodes it, all map what it wrote."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from prodgen.catalog.catalogue import Catalogue
from prodgen.training.distributed.exchange import together
from prodgen.training.distributed.world import neighbours, writes

SHARED = "catalogue"
"""The folder of it, within that of the run."""


def read_once(read: Callable[[], Catalogue], folder: Path) -> Catalogue:
    """What ``read`` gives, in memory once for all the processes of a node that work in ``folder``.

    A ProdgenError in one is an error of all. A catalogue that stays on the disk is shared as it is.
    """
    if neighbours() == 1:
        return together(read)
    shared = folder / SHARED

    def first() -> Catalogue | None:
        if not writes():
            return None
        shutil.rmtree(shared, ignore_errors=True)
        catalogue = read()
        if not isinstance(catalogue.images, np.memmap):
            _write(catalogue, shared)
        return catalogue

    def again(known: Catalogue | None) -> Catalogue:
        if shared.exists():
            return _mapped(shared)
        return known if known is not None else read()

    known = together(first)
    return together(lambda: again(known))


def _write(catalogue: Catalogue, folder: Path) -> None:
    folder.mkdir(parents=True)
    np.save(folder / "images.npy", catalogue.images)
    labels = {f"label {name}": numbers for name, numbers in catalogue.labels.items()}
    colours = {f"colour {name}": lab for name, lab in catalogue.colours.items()}
    save_file(labels | colours, folder / "known.safetensors")
    said = {"values": catalogue.values, "colours": list(catalogue.colours)}
    (folder / "said.json").write_text(json.dumps(said))


def _mapped(folder: Path) -> Catalogue:
    known, said = load_file(folder / "known.safetensors"), json.loads((folder / "said.json").read_text())
    return Catalogue(
        np.load(folder / "images.npy", mmap_mode="c"),
        {name: known[f"label {name}"] for name in said["values"]},
        {name: tuple(values) for name, values in said["values"].items()},
        {name: known[f"colour {name}"] for name in said["colours"]},
    )
