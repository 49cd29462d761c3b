"""How fast a run goes, and when those who wait for news of it should have some."""

import time

PATIENCE = 2.0
"""Seconds after which a report is late."""


class Clock:
    """Counts images from the last `restart`, and seconds from the last report."""

    def __init__(self, images: int) -> None:
        self.restart(images)

    def restart(self, images: int) -> None:
        """Begin to count at so many images."""
        self._began = self._told = time.perf_counter()
        self._images = images

    @property
    def is_late(self) -> bool:
        """Whether a report is overdue."""
        return time.perf_counter() - self._told >= PATIENCE

    def rate(self, images: int) -> float:
        """Images a second, now that there are so many; to be told at once."""
        self._told = time.perf_counter()
        return (images - self._images) / (self._told - self._began)
