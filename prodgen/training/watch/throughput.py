"""The speed of a training, and when its next report is due."""

import time

REPORT_SECONDS = 2.0
"""Longest time between two reports, except for a step that takes longer."""


class Throughput:
    """Measures images per second since the last `restart`, and seconds since the last report."""

    def __init__(self, images: int) -> None:
        self.restart(images)

    def restart(self, images: int) -> None:
        """Measure from now on; ``images`` have been seen so far."""
        self._start = self._last_report = time.perf_counter()
        self._images = images

    @property
    def is_report_due(self) -> bool:
        """Whether the last report is too long ago."""
        return time.perf_counter() - self._last_report >= REPORT_SECONDS

    def rate(self, images: int) -> float:
        """Return images per second, for a report that is sent now; ``images`` have been seen so far."""
        self._last_report = time.perf_counter()
        return (images - self._images) / (self._last_report - self._start)
