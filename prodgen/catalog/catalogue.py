"""A catalogue in memory: the images to learn from, and what is known of each."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prodgen.attributes import AttributeSchema, Choice


@dataclass(frozen=True)
class Catalogue:
    """``images``: (N, H, W, C) bytes; ``labels[name]``: (N,) numbers of ``values[name]``."""

    images: NDArray[np.uint8]
    labels: dict[str, NDArray[np.int64]]
    values: dict[str, tuple[str, ...]]

    def __len__(self) -> int:
        return len(self.images)

    def schema(self) -> AttributeSchema:
        """The attributes that a model trained on this catalogue can be asked for, with their frequencies."""
        return AttributeSchema(
            attributes=tuple(
                Choice(
                    name=name,
                    values=values,
                    frequencies=tuple(
                        (np.bincount(self.labels[name], minlength=len(values)) / len(self)).round(6).tolist()
                    ),
                )
                for name, values in self.values.items()
            )
        )

    def hot(self) -> NDArray[np.float32]:
        """The condition vectors, (N, D): one-hot blocks in the schema's order."""
        blocks = [np.eye(len(v), dtype=np.float32)[self.labels[name]] for name, v in self.values.items()]
        return np.concatenate(blocks, 1)
