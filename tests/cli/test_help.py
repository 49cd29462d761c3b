"""What a newcomer would lose: help for each command that fits the screen and says what the command does."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import typer.main

from prodgen.cli.app import app
from tests.cli.conftest import Run


def commands(command: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command and every group of commands, with the words that lead to it."""
    command = command or typer.main.get_command(app)
    yield path, command
    for name in getattr(command, "commands", {}):
        yield from commands(command.get_command(None, name), (*path, name))


ALL = dict(commands())


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_command_has_help_that_fits_the_screen(run: Run, path: tuple[str, ...]) -> None:
    done = run(*path, "--help")

    assert (done.code, done.err) == (0, "")
    assert f"Usage: prodgen {' '.join(path)}".rstrip() in done.out
    assert max(map(len, done.out.splitlines())) <= 80


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_help_begins_with_one_sentence_and_describes_every_option(path: tuple[str, ...]) -> None:
    command = ALL[path]
    summary = command.help.split("\n\n")[0]
    assert re.fullmatch(r"[A-Z][^.\n]*(\.[a-z]+[^.\n]*)*\.", summary), "not one sentence on one line"
    assert len(summary) <= 69, "it does not fit on a line of the list"
    assert summary.split()[0].strip(",") in {
        *(
            "Bring",
            "Cancel",
            "Continue",
            "Copy",
            "Delete",
            "Create",
            "Cut",
            "Download",
            "Export",
            "Generate",
            "List",
            "Make",
            "Measure",
        ),
        *(
            "Move",
            "Order",
            "Print",
            "Publish",
            "Push",
            "Rebuild",
            "Record",
            "Remove",
            "Report",
            "Revoke",
            "Run",
            "Send",
            "Set",
        ),
        *("Show", "Start", "Stop", "Train", "Read", "Restore", "Wait", "Write"),
    }, "not a verb"
    for option in command.params:
        assert option.help or option.name == "help", f"{option.name} is not described"


@pytest.mark.parametrize(
    "path", [path for path, one in ALL.items() if hasattr(one, "commands")], ids=" ".join
)
def test_a_group_alone_lists_its_commands(run: Run, path: tuple[str, ...]) -> None:
    done = run(*path)
    assert done.code == 2
    for name in ALL[path].commands:
        assert f" {name} " in done.out + done.err
