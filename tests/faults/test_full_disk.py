"""The data disk of ``prodgen up`` fills in the middle of an order."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.faults.whole import IMAGES, ORDER, assert_whole
from tests.servers.process import wait_until
from tests.servers.up import Up, wait_for_progress


@pytest.mark.soak  # shorter tests fill the disk of a worker and of a supervisor
def test_an_order_continues_when_a_full_disk_has_room_again(
    mount: Callable[[str], Path], tmp_path: Path
) -> None:
    disk = mount("size=300m")
    output = disk.with_name(f"{disk.name}.log")
    with Up(disk, workers=1) as up, up.client() as client:
        job = client.submit({**ORDER, "count": IMAGES // 2})["id"]
        wait_for_progress(client, job, IMAGES // 20)

        with (disk / "filler").open("wb", buffering=0) as filler, suppress(OSError):
            while filler.write(bytes(4096)):
                pass
        wait_until(lambda: "is full" in output.read_text(), "no worker ends")
        (disk / "filler").unlink()

        assert_whole(client, up.store, job, tmp_path / "images")
        assert output.read_text().count("is full") == 1
