"""Log the warnings of libraries with the name of the file that is read: one line for each file."""

import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path
from typing import TextIO

log = logging.getLogger(__name__)

_texts: ContextVar[dict[str, None] | None] = ContextVar("texts", default=None)
"""The warnings, in order, about the file that this thread reads now; None while it reads no file."""


def redirect_warnings() -> None:
    """Log the warnings of libraries in this process, instead of printing them to stderr.

    Does nothing if the user has set Python's warnings (``PYTHONWARNINGS`` or ``-W``).
    """
    if sys.warnoptions:
        return
    warnings.showwarning = _keep
    warnings.filterwarnings("always", module=r"PIL\.")  # by default a text is shown once, not once a file
    # prodgen has its own limit of pixels, and reports a file that exceeds it.
    warnings.filterwarnings("ignore", "Image size .* could be decompression bomb")


@contextmanager
def name_warnings(file: Path | str) -> Iterator[None]:
    """Log all warnings of the block in one line with the name of the file. If the block raises, logs none."""
    texts: dict[str, None] = {}
    token = _texts.set(texts)
    try:
        yield
    finally:
        _texts.reset(token)
    if texts:
        warn_once(f"{file}: {'; '.join(text.rstrip('.') for text in texts)}")


@lru_cache(1024)
def warn_once(line: str) -> None:
    """Log a warning, but not if the same line was logged before, as a command may read a file several times.

    Remembers the last 1024 lines.
    """
    log.warning("%s", line)


def _keep(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    text, texts = " ".join(str(message).split()), _texts.get()
    if texts is None:
        log.info("%s:%d: %s: %s", filename, lineno, category.__name__, text)
    else:
        texts[text] = None
