"""A catalogue: the images that a model is trained on, with their attributes."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from prodgen.errors import ProdgenError
from prodgen.spec.attributes import AttributeSchema, Choice, ContinuousColour
from prodgen.spec.colour import encode_lab, to_hex
from prodgen.spec.combinations import Combination

UNKNOWN = -1
"""Label of an image whose attribute is unknown."""
MAX_COLOURS, MAX_COMBINATIONS = 256, 1000
"""A schema stores at most this many colours, and combinations of values, of the training images."""


@dataclass(frozen=True)
class Catalogue:
    """The images of one split of a data set, with the labels and colours of each image.

    ``images`` is (N, H, W, C) bytes. ``labels[name]`` is (N,) indices into ``values[name]``, or UNKNOWN; the
    values are the same for all splits of a data set. ``colours[name]`` is (N, 3) CIELAB values of a colour
    attribute, NaN where the colour is unknown. ``synonyms[name]`` has other words for values.
    """

    images: NDArray[np.uint8]
    labels: dict[str, NDArray[np.int64]]
    values: dict[str, tuple[str, ...]]
    colours: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    synonyms: dict[str, dict[str, tuple[str, ...]]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.images)

    def counts(self, name: str) -> NDArray[np.int64]:
        """Return the number of images of each value of an attribute, in the order of ``values[name]``."""
        labels = self.labels[name]
        return np.bincount(labels[labels != UNKNOWN], minlength=len(self.values[name]))

    @property
    def classifiable(self) -> tuple[str, ...]:
        """Return the names of the attributes with at least two values, which a classifier can learn."""
        return tuple(name for name in self.values if np.count_nonzero(self.counts(name)) > 1)

    def schema(self) -> AttributeSchema:
        """Return the attributes that a model trained on this catalogue accepts.

        The frequency of a value is its share of the images whose value is known. Raises ProdgenError for an
        attribute that is unknown for all images.
        """
        choices = [self._choice(name) for name in self.values]
        colours = [self._continuous(name) for name in self.colours]
        return AttributeSchema(attributes=(*choices, *colours), together=self._together())

    def _together(self) -> tuple[Combination, ...]:
        """Return the combinations of values that images have, with the share of each.

        For more than MAX_COMBINATIONS, the shares are estimated from a random sample of images.
        """
        if len(self.values) < 2:
            return ()
        labels = np.stack([self.labels[name] for name in self.values], 1)
        found, counts = np.unique(labels, axis=0, return_counts=True)
        if len(found) > MAX_COMBINATIONS:
            some = np.random.default_rng(0).permutation(len(labels))[:MAX_COMBINATIONS]
            found, counts = np.unique(labels[some], axis=0, return_counts=True)
        pairs = zip(found.tolist(), counts / counts.sum(), strict=True)
        return tuple(Combination(places=places, frequency=share) for places, share in pairs)

    def _choice(self, name: str) -> Choice:
        counts = self.counts(name)
        if not counts.any():
            raise ProdgenError(
                f"{name} is unknown for all {len(self)} images; at least one should have a value"
            )
        frequencies = (counts / counts.sum()).round(6).tolist()
        words = self.synonyms.get(name, {})
        return Choice(name=name, values=self.values[name], frequencies=tuple(frequencies), synonyms=words)

    def _continuous(self, name: str) -> ContinuousColour:
        known = self.colours[name][~np.isnan(self.colours[name]).any(1)]
        if not len(known):
            raise ProdgenError(f"{name} is unknown for all {len(self)} images")
        rows = np.random.default_rng(0).permutation(len(known))[:MAX_COLOURS]
        return ContinuousColour(name=name, palette=tuple(to_hex(lab) for lab in known[np.sort(rows)]))

    def conditions(self) -> NDArray[np.float32]:
        """Return condition vectors (N, D): a block per attribute of the schema, all 0 for unknown values."""
        blocks = [np.zeros((len(self), 0), np.float32)]
        for name, values in self.values.items():
            # The last row, which UNKNOWN = -1 selects, is all 0.
            rows = np.eye(len(values) + 1, len(values), dtype=np.float32)
            blocks.append(rows[self.labels[name]])
        return np.concatenate([*blocks, *map(encode_lab, self.colours.values())], 1)


def encode_labels(
    values: dict[str, tuple[str, ...]], known: Sequence[Mapping[str, str | None]]
) -> dict[str, NDArray[np.int64]]:
    """Return each attribute's labels (N,): indices into its values, or UNKNOWN, for N images."""
    labels = {}
    for name, listed in values.items():
        number = {value: k for k, value in enumerate(listed)}
        labels[name] = np.array([number.get(image.get(name), UNKNOWN) for image in known], np.int64)
    return labels


def digest(catalogue: Catalogue) -> str:
    """Return 12 hexadecimal digits of a hash of images, labels and colours, the same on every machine."""
    header = {"shape": catalogue.images.shape, "values": list(catalogue.values.items())}
    if catalogue.colours:
        header["colours"] = list(catalogue.colours)
    total = hashlib.sha256(json.dumps(header).encode())
    total.update(np.ascontiguousarray(catalogue.images).data)
    for name in catalogue.values:
        total.update(catalogue.labels[name].astype("<i8").data)
    for lab in catalogue.colours.values():
        total.update(lab.astype("<f4").tobytes())
    return total.hexdigest()[:12]
