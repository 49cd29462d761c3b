"""The scheduler of beat, which sends the tick of maintenance."""

from datetime import timedelta

from celery.beat import PersistentScheduler


class FreshScheduler(PersistentScheduler):  # type: ignore[misc]
    """Begins with a new schedule file at each start.

    A power loss can leave a file that ends Celery's own scheduler at every start, and then no lease of a
    dead worker expires any more. Nothing is lost with the file: the tick is due at every start. The file is
    still written, because a probe can see by its age that beat lives.
    """

    def setup_schedule(self) -> None:
        self._remove_db()
        super().setup_schedule()
        self.schedule["tick"].last_run_at -= timedelta(days=1)
