"""A worker that lies: ``python -m tests.faults.campaign.liar -A workers.app worker …``.

It stores pictures that are not those that were ordered, with manifest lines that fit them.
"""

import sys
from collections.abc import Sequence

import numpy as np
from celery.__main__ import main
from numpy.typing import NDArray

from prodgen.generation import encode, engine


def _lie(pixels: NDArray[np.uint8], format: str, xmp: Sequence[bytes]) -> list[bytes]:
    return encode.encode_all(255 - pixels, format, xmp)


if __name__ == "__main__":
    vars(engine)["encode_all"] = _lie
    sys.exit(main())
