"""Which tests one process of pytest-xdist runs together."""

from xdist.scheduler.loadfile import LoadFileScheduling

STACKS = ("tests/docs", "tests/integration", "tests/faults/stack")
"""Folders whose tests share one ``prodgen up``, which starts slower than most of their files run."""


def unit(nodeid: str) -> str:
    """Return what one process runs together with a test: a folder with a stack, or else a file."""
    file = nodeid.split("::", 1)[0]
    folder = file.rpartition("/")[0]
    return folder if folder in STACKS else file


class ByStack(LoadFileScheduling):
    """Distributes units in the order in which pytest collected them."""

    def _split_scope(self, nodeid: str) -> str:
        return unit(nodeid)

    def schedule(self) -> None:
        """Distribute the tests; by itself xdist would begin with the units of most tests."""
        self.config.option.loadscopereorder = False
        super().schedule()
