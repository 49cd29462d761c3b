"""The commands of blocks that tests cannot run: each must still be one that its program knows."""

import re
import shlex
from collections.abc import Iterator
from typing import Any

import typer.main
import yaml
from celery.bin.celery import celery

from prodgen.cli.app import app
from tests.docs.blocks import ROOT, Block

OTHERS = {"cd", "source", "cp", "openssl", "git", "pip", "kill", "curl", "ls", "pre-commit", "kubectl"}
"""Programs of which nothing is checked."""


def commands(block: Block) -> Iterator[list[str]]:
    """Yield the words of each command of a block, without the variables set before it."""
    for line in block.text.replace("\\\n", " ").splitlines():
        for part in re.split(r"&&|\|\||[|;]", line):
            words = shlex.split(part, comments=True)
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                words = words[1:]
            if words:
                yield words


def check(words: list[str]) -> None:
    """Raise an error unless the command's program knows it and each of its options."""
    program, *rest = words
    if program == "prodgen":
        _parse(typer.main.get_command(app), rest)
    elif program == "celery":
        _parse(celery, rest)
    elif program == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M)
        assert set(rest) <= {*targets}, f"the Makefile has no {rest}"
    elif words[:2] == ["docker", "compose"]:
        _check_compose(rest[1:])
    elif words[:4] == ["docker", "buildx", "imagetools", "inspect"]:
        assert f"image: {words[4]}" in (ROOT / "docker-compose.yml").read_text(), (
            f"no service uses {words[4]}"
        )
    elif words[:2] == ["docker", "build"]:
        file = (ROOT / words[words.index("-f") + 1]).read_text()
        assert f" AS {words[words.index('--target') + 1]}\n" in file
    elif words[:2] == ["helm", "install"]:
        assert (ROOT / words[3] / "Chart.yaml").exists(), f"there is no chart {words[3]}"
    elif words[:2] == ["python", "-m"]:
        assert (ROOT / (rest[1].replace(".", "/") + ".py")).exists(), f"there is no module {rest[1]}"
    else:
        assert program in OTHERS, f"{program} is no program that tests/docs knows"


def _parse(command: Any, words: list[str]) -> None:
    """Parse the words down the tree of commands, running nothing."""
    context = command.make_context(command.name, [], resilient_parsing=True)
    while hasattr(command, "list_commands"):
        while words[0].startswith("-"):  # options of the group, such as celery's -A
            words = words[2:]
        name, *words = words
        command = command.get_command(context, name)
        assert command is not None, f"there is no command {name}"
        context = command.make_context(name, [], resilient_parsing=True, parent=context)
    parameters = command.get_params(context)
    known = {option for one in parameters for option in (*one.opts, *one.secondary_opts)}
    flags = {option for one in parameters if getattr(one, "is_flag", False) for option in one.opts}
    while words:
        word, *words = words
        if word.startswith("-"):
            option, equals, _ = word.partition("=")
            assert option in known, f"{command.name} has no option {option}"
            words = words if equals or option in flags else words[1:]


def _check_compose(words: list[str]) -> None:
    """Check the files and services that a ``docker compose`` command names."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    while words and words[0].startswith("-"):
        assert words[0] == "-f", words
        assert (ROOT / words[1]).exists(), f"there is no {words[1]}"
        words = words[2:]
    verb, *rest = words
    assert verb in {"up", "down", "logs", "run", "rm", "build"}, verb
    for scaled in re.findall(r"(\w+)=\d+", " ".join(rest)):
        assert scaled in services, f"there is no service {scaled}"
    named = [word for word in rest if not word.startswith("-") and "=" not in word]
    if verb in {"logs", "run", "rm"}:
        assert named[0] in services, f"there is no service {named[0]}"
    if verb == "run" and named[1:2] == ["prodgen"]:
        check(rest[rest.index("prodgen") :])
