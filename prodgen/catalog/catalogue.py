"""A catalogue in memory: the images to learn from, and what is known of each."""

import hashlib
import json
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from prodgen.errors import ProdgenError
from prodgen.spec.attributes import AttributeSchema, Choice, Combination, ContinuousColour, encode_lab
from prodgen.spec.colour import hexadecimal

UNKNOWN = -1
"""The label of an image of which the attribute is not known."""
PALETTE, COMBINATIONS = 256, 1000
"""Colours, and values that come together, that a model keeps of its training, to draw from them."""


@dataclass(frozen=True)
class Catalogue:
    """``images``: (N, H, W, C) bytes; ``labels[name]``: (N,) numbers of ``values[name]``, or UNKNOWN.

    Without attributes both are empty. All splits of a data set number their values alike. ``colours[name]``:
    (N, 3) of an attribute that is a colour, in CIELAB, NaN where it is not known.
    """

    images: NDArray[np.uint8]
    labels: dict[str, NDArray[np.int64]]
    values: dict[str, tuple[str, ...]]
    colours: dict[str, NDArray[np.float32]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.images)

    def counts(self, name: str) -> NDArray[np.int64]:
        """How many images are known to have each value of an attribute, in the order of ``values[name]``."""
        labels = self.labels[name]
        return np.bincount(labels[labels != UNKNOWN], minlength=len(self.values[name]))

    @property
    def kinds(self) -> tuple[str, ...]:
        """The attributes by which its images can be told apart: those of which two values occur."""
        return tuple(name for name in self.values if np.count_nonzero(self.counts(name)) > 1)

    def schema(self) -> AttributeSchema:
        """The attributes that a model trained on this catalogue can be asked for.

        Frequencies are those among the images whose value is known. Raises ProdgenError if none is.
        """
        choices = [self._choice(name) for name in self.values]
        colours = [self._continuous(name) for name in self.colours]
        return AttributeSchema(attributes=(*choices, *colours), together=self._together())

    def _together(self) -> tuple[Combination, ...]:
        """How often which values come together: of some of the images, if there are too many combinations."""
        if len(self.values) < 2:
            return ()
        labels = np.stack([self.labels[name] for name in self.values], 1)
        found, counts = np.unique(labels, axis=0, return_counts=True)
        if len(found) > COMBINATIONS:
            some = np.random.default_rng(0).permutation(len(labels))[:COMBINATIONS]
            found, counts = np.unique(labels[some], axis=0, return_counts=True)
        pairs = zip(found.tolist(), counts / counts.sum(), strict=True)
        return tuple(Combination(places=places, frequency=share) for places, share in pairs)

    def _choice(self, name: str) -> Choice:
        counts = self.counts(name)
        if not counts.any():
            raise ProdgenError(
                f"{name} is not known of any of the {len(self)} images; at least one should have a value"
            )
        frequencies = (counts / counts.sum()).round(6).tolist()
        return Choice(name=name, values=self.values[name], frequencies=tuple(frequencies))

    def _continuous(self, name: str) -> ContinuousColour:
        known = self.colours[name][~np.isnan(self.colours[name]).any(1)]
        if not len(known):
            raise ProdgenError(f"{name} is not known of any of the {len(self)} images")
        rows = np.random.default_rng(0).permutation(len(known))[:PALETTE]
        return ContinuousColour(name=name, palette=tuple(hexadecimal(lab) for lab in known[np.sort(rows)]))

    def conditions(self) -> NDArray[np.float32]:
        """The condition vectors, (N, D), a block for each attribute of the schema, all zero where unknown."""
        blocks = [np.zeros((len(self), 0), np.float32)]
        for name, values in self.values.items():
            # One row more than there are values, all zero: UNKNOWN, being -1, picks it.
            rows = np.eye(len(values) + 1, len(values), dtype=np.float32)
            blocks.append(rows[self.labels[name]])
        return np.concatenate([*blocks, *map(encode_lab, self.colours.values())], 1)


def digest(catalogue: Catalogue) -> str:
    """Twelve hexadecimal digits that name these images with these labels: the same on every machine."""
    said = {"shape": catalogue.images.shape, "values": list(catalogue.values.items())}
    if catalogue.colours:
        said["colours"] = list(catalogue.colours)
    total = hashlib.sha256(json.dumps(said).encode())
    total.update(np.ascontiguousarray(catalogue.images).data)
    for name in catalogue.values:
        total.update(catalogue.labels[name].astype("<i8").data)
    for lab in catalogue.colours.values():
        total.update(lab.astype("<f4").tobytes())
    return total.hexdigest()[:12]
