"""Long commands show how long they still take, in a small terminal and in a log."""

import re
import time
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from prodgen.cli import progress as module
from prodgen.cli.progress import ProgressBars
from tests.servers.process import wait_until

NOTE = "discriminator 1.836  generator -0.187  augment 0.001  images/s 700  domain_fid 12.345  kid 0.1"


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes stderr a terminal of 80 columns, or a log; returns what is written. ``clock``: in seconds."""

    def make(*, terminal: bool, clock: Callable[[], float] | None = None) -> StringIO:
        written = StringIO()
        console = Console(file=written, force_terminal=terminal, width=80, get_time=clock)
        monkeypatch.setattr(module, "console", console)
        monkeypatch.setattr("prodgen.cli.output.console", console)
        return written

    return make


def lines(written: StringIO) -> list[str]:
    return [line for line in re.split(r"[\r\n]", re.sub(r"\x1b\[[0-9;?]*\w", "", written.getvalue())) if line]


def test_share_rate_and_time_left_fit_into_80_columns(screen: Any) -> None:
    now = [0.0]
    written = screen(terminal=True, clock=lambda: now[0])
    with ProgressBars(False) as bars:
        for done in (0, 250_000, 500_000):
            bars.report("a recipe with a name of quite some length", done, 1_000_000, NOTE)
            now[0] += 0.2
    shown = lines(written)
    assert max(map(len, shown)) <= 80
    expected = r"a recipe.* 500,000/1,000,000   50%  [\d,]+/s  0:0\d:\d\d left"
    assert any(re.fullmatch(expected, line) for line in shown), shown
    assert any(line.startswith("  discriminator 1.836") for line in shown), shown


def test_bytes_are_shown_as_such(screen: Any) -> None:
    now = [0.0]
    written = screen(terminal=True, clock=lambda: now[0])
    with ProgressBars(False, in_bytes=True) as bars:
        for done in (0, 1_000_000, 2_000_000):
            bars.report("model.safetensors", done, 50_000_000)
            now[0] += 0.2
    expected = r"model.safetensors .*2.0 MB/50.0 MB    4%  \d.* [kM]B/s  0:0\d:\d\d left"
    assert any(re.fullmatch(expected, line) for line in lines(written)), lines(written)


def test_a_log_gets_a_line_now_and_then_even_if_nothing_moves(
    screen: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOG_SECONDS", 0.2)
    written = screen(terminal=False)
    with ProgressBars(False) as bars:
        bars.report("Training the judges", 0, None)
        wait_until(lambda: len(lines(written)) > 1, "no lines")
        for done in (0, 10, 20):
            bars.report("Making images", done, 40, "note")
            wait_until(lambda done=done: f"Making images: {done}/40" in written.getvalue(), "no line")
    shown = lines(written)
    assert re.fullmatch(r"Training the judges: 0:00:\d\d", shown[0])
    assert any(re.fullmatch(r"Making images: 20/40   50%  \d+/s  0:0\d:\d\d left  note", s) for s in shown), (
        shown
    )


def test_a_quiet_command_shows_nothing(screen: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOG_SECONDS", 0.05)
    for terminal in (True, False):
        written = screen(terminal=terminal)
        with ProgressBars(True) as bars:
            bars.report("Making images", 1, 2)
            time.sleep(0.2)
        assert written.getvalue() == ""


def test_pictures_that_come_in_bursts_and_resumed_work_have_an_honest_rate(screen: Any) -> None:
    now = [0.0]
    screen(terminal=True, clock=lambda: now[0])
    with ProgressBars(False) as bars:
        for first in (0, 5000):
            bars.report(f"from {first}", first, 10_000)
        now[0] += 0.2
        for first in (0, 5000):
            for done in range(8):
                bars.report(f"from {first}", first + done, 10_000)
        assert all(0 < (task.speed or 0) < 8 / 0.2 for task in bars.tasks)
