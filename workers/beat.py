"""The scheduler of beat, which sends the tick of maintenance."""

from datetime import timedelta

from celery.beat import PersistentScheduler


class FreshScheduler(PersistentScheduler):  # type: ignore[misc]
    """Begins with a new schedule file at each start, at which the tick is due at once.

    A power loss can damage the file. Celery's own scheduler then fails at every start, and without ticks no
    lease of a dead worker expires. The file is still written, because a probe sees by its age whether beat
    runs.
    """

    def setup_schedule(self) -> None:
        self._remove_db()
        super().setup_schedule()
        self.schedule["tick"].last_run_at -= timedelta(days=1)
