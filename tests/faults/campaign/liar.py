"""A worker that lies: ``python -m tests.faults.campaign.liar -A workers.app worker …``.

It stores pictures that are not those that were ordered, with manifest lines that fit them.
"""

import sys

from celery.__main__ import main
from numpy.typing import NDArray

from prodgen.generation import engine


def _lie(pixels: NDArray[int], *arguments: object, **options: object) -> bytes:  # type: ignore[type-var]
    return _encode(255 - pixels, *arguments, **options)  # type: ignore[arg-type]


if __name__ == "__main__":
    _encode, engine.encode = engine.encode, _lie
    sys.exit(main())
