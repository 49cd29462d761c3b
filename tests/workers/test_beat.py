"""Beat starts again after a power loss."""

from pathlib import Path

from workers.app import app
from workers.beat import FreshScheduler


def test_a_schedule_file_that_a_power_loss_has_torn_does_not_stop_maintenance(tmp_path: Path) -> None:
    file = str(tmp_path / "beat")
    FreshScheduler(app=app, schedule_filename=file).close()
    for path in tmp_path.iterdir():
        if path.suffix != ".dir":
            path.write_bytes(b"")

    scheduler = FreshScheduler(app=app, schedule_filename=file)

    assert scheduler.schedule["tick"].is_due().is_due
    scheduler.close()
