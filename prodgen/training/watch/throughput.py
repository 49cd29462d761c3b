"""Measure the speed of a training, and decide when its next report is due."""

import time

REPORT_SECONDS = 2.0
"""Longest time between two reports, unless one step takes longer."""


class Throughput:
    """Measures images per second since the last `restart`, and seconds since the last report."""

    def __init__(self, images: int) -> None:
        self.restart(images)

    def restart(self, images: int) -> None:
        """Start a new measurement. ``images``: number of images used so far."""
        self._start = self._last_report = time.perf_counter()
        self._images = images

    @property
    def is_report_due(self) -> bool:
        """Whether `REPORT_SECONDS` have passed since the last report."""
        return time.perf_counter() - self._last_report >= REPORT_SECONDS

    def rate(self, images: int) -> float:
        """Return images per second, for a report that is sent now. ``images``: number of images so far."""
        self._last_report = time.perf_counter()
        return (images - self._images) / (self._last_report - self._start)
