"""What an operator would lose if the images were wrong: checked without building them."""

import json
import re
import tomllib

import pytest

from tests.deploy.compose import FILE, GPU_FILE, ROOT, command, services

DOCKERFILE = (ROOT / "deploy/Dockerfile").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LINES = [line for line in re.sub(r"\\\n\s*", " ", DOCKERFILE).splitlines() if re.match("[A-Z]", line)]
"""The instructions, one a line."""


def _stages() -> dict[str, tuple[str, list[str]]]:
    """Stage -> what it is built from, and its instructions."""
    found: dict[str, tuple[str, list[str]]] = {}
    for line in LINES:
        if stage := re.fullmatch(r"FROM (\S+) AS (\S+)", line):
            found[stage[2]] = (stage[1], [])
        elif found:
            found[[*found][-1]][1].append(line)
    return found


def _inherited(stage: str) -> list[str]:
    """The instructions of a stage and of all that it is built from."""
    base, own = _stages()[stage]
    return [*(_inherited(base) if base in _stages() else []), *own]


def _copied() -> set[str]:
    """What the build takes from the repository."""
    words = [line.split()[1:] for line in LINES if line.startswith("COPY") and "--from=" not in line]
    return {w for sources in words for w in sources[:-1] if not w.startswith("--")}


def test_the_build_finds_every_file_that_it_copies() -> None:
    missing = [source for source in _copied() if not (ROOT / source).exists()]
    assert missing == []


def test_nothing_but_what_is_copied_reaches_the_build_least_of_all_secrets() -> None:
    rules = [r for r in (ROOT / ".dockerignore").read_text().splitlines() if r and r[0] != "#"]
    assert rules[0] == "*"
    assert {rule[1:] for rule in rules if rule[0] == "!"} == _copied()


def test_every_package_of_the_project_is_in_the_images() -> None:
    packages = {p.rstrip("*") for p in PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]}
    assert packages <= _copied()


def test_every_stage_that_compose_builds_exists() -> None:
    for service in services(FILE, GPU_FILE).values():
        if build := service.get("build"):
            assert (ROOT / build["context"] / build["dockerfile"]).is_file()
            assert build["target"] in _stages()
            assert all(f"ARG {name}" in DOCKERFILE for name in build.get("args", {}))


def test_the_images_hold_the_versions_that_were_tested() -> None:
    pinned = {line.partition("==")[0].lower() for line in (ROOT / "constraints.txt").read_text().splitlines()}
    installs = [line for line in LINES if "pip install" in line]
    assert len(installs) == 3
    for line in installs:
        assert "--constraint /constraints.txt" in line
        assert _extras(line) <= PROJECT["project"]["optional-dependencies"].keys()
        assert {word for word in line.split() if word in {"torch", "flower"}} <= pinned
    assert "torch" in pinned


def test_the_gateway_image_has_no_torch() -> None:
    source = " ".join(_inherited("gateway-venv"))
    assert "torch" not in source
    assert not {"worker", "train"} & _extras(source)


def test_a_worker_has_what_preparing_and_evaluating_need() -> None:
    assert {"worker", "train"} <= _extras(" ".join(_inherited("worker-venv")))


def _extras(source: str) -> set[str]:
    return {extra for listed in re.findall(r"\.whl\)\[([\w,]+)\]", source) for extra in listed.split(",")}


@pytest.mark.parametrize("image", ["gateway", "worker"])
def test_no_image_runs_as_root(image: str) -> None:
    users = [line.split()[1] for line in _inherited(image) if line.startswith("USER")]
    assert users, "the image runs as root"
    assert int(users[-1].split(":")[0]) > 0  # a number, for Kubernetes must see that it is not root


@pytest.mark.parametrize("image", ["gateway", "worker"])
def test_an_image_run_by_itself_does_what_it_does_in_compose(image: str) -> None:
    (written,) = (line.removeprefix("CMD ") for line in _inherited(image) if line.startswith("CMD"))
    assert json.loads(written) == command(services()[image])


def test_an_image_refuses_development_secrets_wherever_it_runs() -> None:
    assert any("PRODGEN_ENVIRONMENT=production" in line for line in _inherited("gateway"))
    assert any("PRODGEN_ENVIRONMENT=production" in line for line in _inherited("worker"))
