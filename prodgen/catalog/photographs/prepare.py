"""Prepare a folder of photographs for training: make a catalogue of cut-outs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prodgen.catalog.formats import list_pictures
from prodgen.catalog.photographs.atomic_folder import atomic_folder
from prodgen.catalog.photographs.catalogue_writer import Outcome, create_array, write_catalogue
from prodgen.catalog.photographs.cut_out import THUMBNAIL, cut_alone, cut_out
from prodgen.catalog.photographs.kept_cuts import KeptCuts
from prodgen.catalog.photographs.merges import merge_categories
from prodgen.catalog.photographs.process_pool import Report, map_in_processes
from prodgen.catalog.photographs.quality import assess
from prodgen.catalog.prepared_catalogue import CHANNELS

MIN_EXAMPLES, MAX_EXAMPLES = 200, 5000
"""Least and largest number of plausible cuts to train a segmenter on; more cuts would help little."""

CutAll = Callable[[Sequence[Path], NDArray[np.uint8], Report], Iterator[Outcome]]
"""Cuts the product out of each photograph by itself: takes their paths, and the array of N cut-outs to fill;
yields the outcome of each photograph."""


def prepare(
    source: Path,
    out: Path,
    size: int,
    report: Report,
    *,
    cutter: tuple[str, CutAll | None] = ("grabcut", None),
    merges: Mapping[str, str] = MappingProxyType({}),
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Cut out the products in the pictures of ``source``, and write the good cut-outs to ``out``.

    Cut-outs are ``size`` pixels wide. Creates ``out`` once all files are written. ``cutter`` is the name of
    a cutter and its function; without a function, the products are found by GrabCut and a segmenter that is
    trained on the way. After an interruption, the same call goes on with the first picture that the function
    has not cut. ``merges`` has the new category of each category to rename. Returns the content of
    ``catalogue.json`` and the rows of ``set-aside.jsonl``: the other pictures, with reasons. Raises
    ProdgenError for a folder without pictures, for a category to merge that is not there, or if no picture
    can be cut out.
    """
    name, cut_all = cutter
    listing = merge_categories(list_pictures(source), merges)
    paths = [source / picture.file for picture in listing.pictures]
    made_with = {"cutter": name} | ({"merged": dict(merges)} if merges else {})
    with atomic_folder(out, source) as folder:
        if cut_all is None:
            with TemporaryDirectory(dir=folder) as temporary:
                images = create_array(Path(temporary, "images.npy"), (len(paths), size, size, CHANNELS))
                outcomes = list(_cut_out_all(paths, images, temporary, report))
                return write_catalogue(folder, source, listing, outcomes, images, made_with)
        cuts = KeptCuts(out, paths, size, name)
        before = len(cuts.outcomes)
        cuts.add(
            cut_all(
                paths[before:],
                cuts.images[before:],
                lambda stage, done, _: report(stage, before + done, len(paths)),
            )
        )
        written = write_catalogue(folder, source, listing, cuts.outcomes, cuts.images, made_with)
        cuts.remove()
        return written


def _cut_out_all(
    paths: Sequence[Path], images: NDArray[np.uint8], folder: str, report: Report
) -> Iterator[Outcome]:
    """Yield the outcome of each picture in order, and write the pixels of its cut-out to ``images``.

    The first pass cuts each picture alone. A segmenter trained on the plausible cuts guides the second pass.
    """
    thumbnails = create_array(Path(folder, "thumbnails.npy"), (len(paths), THUMBNAIL, THUMBNAIL, 3))
    masks = create_array(Path(folder, "masks.npy"), thumbnails.shape[:3])
    faults, sha256s, plausible = dict[int, str](), dict[int, str](), []
    for row, cut in enumerate(map_in_processes(cut_alone, "Reading the pictures", report, paths)):
        if isinstance(cut, str):
            faults[row] = cut
            continue
        sha256s[row], thumbnails[row], masks[row], is_plausible = cut
        if is_plausible:
            plausible.append(row)
    probabilities = _product_probabilities(thumbnails, masks, plausible, folder, report)
    readable = ([column[row] for row in sha256s] for column in (paths, probabilities, masks))
    work = partial(cut_out, images.shape[1])
    cut_outs = map_in_processes(work, "Cutting the products out", report, *readable)
    for row in range(len(paths)):
        fault, sha256 = faults.get(row), sha256s.get(row, "")
        found = None if fault else next(cut_outs)
        if found is None:
            reason = f"it cannot be read: {fault}" if fault else "nothing was found that could be cut out"
            yield Outcome(sha256, reason, 0.0, None)
        else:
            images[row], description = found
            yield Outcome(sha256, *assess(description.features), description)


def _product_probabilities(
    thumbnails: NDArray[np.uint8], masks: NDArray[np.uint8], plausible: list[int], folder: str, report: Report
) -> NDArray[np.uint8] | list[None]:
    """Train a segmenter on the plausible cuts; return the probability that each pixel is product.

    Returns (N, THUMBNAIL, THUMBNAIL) bytes, 255 for certain product, for all N pictures. Returns a list of N
    times None if there are fewer than MIN_EXAMPLES plausible cuts.
    """
    if len(plausible) < MIN_EXAMPLES:
        return [None] * len(masks)
    from prodgen.catalog.photographs import segmenter  # imports torch, which the processes do without

    rows = np.array(plausible)
    if len(rows) > MAX_EXAMPLES:
        rows = np.sort(np.random.default_rng(0).choice(rows, MAX_EXAMPLES, replace=False))
    learning, finding = "Learning what products look like", "Finding the product in each picture"
    network = segmenter.train(thumbnails[rows], masks[rows], partial(report, learning))
    found = create_array(Path(folder, "probabilities.npy"), masks.shape)
    segmenter.predict(network, thumbnails, found, partial(report, finding))
    return found
