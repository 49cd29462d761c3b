"""What an operator would lose if the compose files were wrong."""

import json
import re
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import SecretStr

from prodgen.embedded.data_folder import DataFolder
from prodgen.embedded.stack import Stack
from prodgen.runs.processes import STOP_SECONDS
from prodgen.settings import Settings
from tests.deploy.compose import (
    FILE,
    GPU_FILE,
    ROOT,
    Unset,
    command,
    example,
    filled,
    read,
    seconds,
    services,
    variables,
)

SECRETS = ("PRODGEN_SECRET_KEY", "REDIS_PASSWORD", "PRODGEN_S3_ACCESS_KEY", "PRODGEN_S3_SECRET_KEY")
SECRETS += ("FLOWER_BASIC_AUTH",)
PYTHON = ("seed", "gateway", "worker", "training", "maintenance", "beat", "flower")
"""The services that run this repository's code."""


@pytest.fixture(scope="module")
def specification() -> Draft202012Validator:
    """The official schema of Compose files (github.com/compose-spec), as check-jsonschema ships it."""
    text = (files("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json").read_text()
    return Draft202012Validator(json.loads(text))


@pytest.mark.parametrize("chosen", [(FILE,), (GPU_FILE,), (FILE, GPU_FILE)], ids=["cpu", "gpu", "both"])
@pytest.mark.parametrize("env", [None, filled()], ids=["as written", "filled in"])
def test_compose_starts_instead_of_complaining_about_the_file(
    specification: Draft202012Validator, chosen: tuple[Path, ...], env: dict[str, str] | None
) -> None:
    errors = [f"{e.json_path}: {e.message}" for e in specification.iter_errors(read(*chosen, env=env))]
    assert errors == []


def test_a_misspelt_option_would_be_noticed(specification: Draft202012Validator) -> None:
    misspelt = read(FILE)
    misspelt["services"]["worker"]["stop_grace_peroid"] = "60s"
    assert not specification.is_valid(misspelt)


def test_every_name_that_a_service_uses_is_declared() -> None:
    whole = read(FILE, env=filled())
    for service in whole["services"].values():
        mounted = {v.split(":")[0] for v in service.get("volumes", [])}
        assert {name for name in mounted if not (ROOT / name).is_file()} <= whole["volumes"].keys()
        assert set(service.get("networks", [])) <= whole["networks"].keys()
        assert service.get("depends_on", {}).keys() <= whole["services"].keys()


# Settings and secrets


def test_a_setting_that_no_process_reads_is_not_offered() -> None:
    known = {f"PRODGEN_{name.upper()}" for name in Settings.model_fields}
    offered = {n for s in services(FILE, GPU_FILE).values() for n in s.get("environment", {})}
    offered |= set(example()) | set(variables(FILE)) | set(variables(GPU_FILE))
    assert {name for name in offered if name.startswith("PRODGEN_")} <= known


@pytest.mark.parametrize("name", PYTHON)
def test_every_process_accepts_its_settings_and_knows_it_is_production(name: str) -> None:
    environment = services()[name]["environment"]
    fields = {
        k.removeprefix("PRODGEN_").lower(): v for k, v in environment.items() if k.startswith("PRODGEN_")
    }
    assert Settings.model_validate(fields).environment == "production"


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("how", ["left out", "left empty"])
def test_nothing_starts_with_a_secret_that_everyone_knows(secret: str, how: str) -> None:
    env = filled()
    del env[secret]
    if how == "left empty":
        env[secret] = ""
    with pytest.raises(Unset, match=secret):
        read(FILE, env=env)


def test_every_secret_is_taken_from_the_environment() -> None:
    secret = {f"PRODGEN_{n.upper()}" for n, f in Settings.model_fields.items() if f.annotation is SecretStr}
    for service in read(FILE)["services"].values():
        for name, value in service.get("environment", {}).items():
            if name in secret or re.search("PASSWORD|SECRET|AUTH|ACCESS_KEY", name):
                assert ":?" in value, f"{name} has a default"
    assert all(variables(FILE)[name] == {":?"} for name in SECRETS)


def test_the_example_names_every_variable_and_no_secret() -> None:
    passed_on = {
        n for s in read(FILE)["services"].values() for n, v in s.get("environment", {}).items() if not v
    }
    assert set(example()) == {*variables(FILE), *variables(GPU_FILE), *passed_on}
    assert [name for name, value in example().items() if not value] == list(SECRETS)


def test_no_secret_is_on_a_command_line_where_every_user_can_read_it() -> None:
    given = {filled()[name] for name in SECRETS}
    for name, service in services().items():
        words = " ".join(command(service)) if "command" in service else ""
        assert not any(secret in words for secret in given), name


# What is open to whom


def test_nothing_is_open_beyond_this_machine_unless_asked_for() -> None:
    env = {name: value for name, value in filled().items() if name in SECRETS}
    for service in read(FILE, env=env)["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_only_the_proxy_reaches_the_stores_unguarded_ports_and_only_webhooks_the_outside() -> None:
    networks = read(FILE, env=filled())["networks"]
    assert {name for name, network in networks.items() if not (network or {}).get("internal")} == {
        "edge",
        "webhooks",
    }
    assert _members("store") == {"s3", "proxy"}
    assert _members("edge") == {"proxy"}
    assert _members("webhooks") == {"maintenance"}
    assert _members("broker") == {"redis", "gateway", "worker", "training", "maintenance", "beat", "flower"}
    assert {name for name, service in services().items() if "ports" in service} == {"proxy"}


def _members(network: str) -> set[str]:
    """Return the names of the services on a network."""
    return {name for name, service in services().items() if network in service["networks"]}


def test_the_proxy_passes_each_open_port_on_to_one_port_of_a_service() -> None:
    configured = (ROOT / "deploy/nginx.conf").read_text()
    servers = re.findall(
        r"listen (\d+);\s+set \$service (\w+);\s+location / \{\s+proxy_pass http://\$service:(\d+);",
        configured,
    )
    assert servers == [("8000", "gateway", "8000"), ("8333", "s3", "8333"), ("5555", "flower", "5555")]
    assert configured.count("proxy_pass") == len(servers)
    assert set(re.findall(r"(\w+)_temp_path /tmp/", configured)) == {
        "client_body",
        "proxy",
        "fastcgi",
        "uwsgi",
        "scgi",
    }
    assert re.findall(r"(?:access|error)_log (.*?);", configured) == ["/dev/stderr crit", "off"]
    assert [port.rpartition(":")[2] for port in services()["proxy"]["ports"]] == [s[0] for s in servers]
    assert services()["proxy"]["volumes"] == ["./deploy/nginx.conf:/etc/nginx/nginx.conf:ro"]


def test_no_service_can_take_the_whole_machine() -> None:
    for chosen in ((FILE,), (FILE, GPU_FILE)):
        for name, service in services(*chosen).items():
            assert _bytes(service["mem_limit"]) >= 1 << 30, name
            assert 0 < float(service["cpus"]) <= 2, name
            assert 0 < service["pids_limit"] <= 1024, name
            for mount in service.get("tmpfs", []):  # counts as memory of the container
                assert _bytes(service["mem_limit"]) >= 2 * _bytes(mount.partition("size=")[2]), name
            assert service["logging"] == {"driver": "local"}, f"the logs of {name} are not rotated"


def _bytes(text: str) -> int:
    number, unit = re.fullmatch(r"(\d+)([mg])b?", text).groups()  # type: ignore[union-attr]
    return int(number) << {"m": 20, "g": 30}[unit]


def test_redis_refuses_writes_before_it_is_killed_for_its_memory() -> None:
    words = command(services()["redis"])[-1].split()
    maxmemory = words[words.index("--maxmemory") + 1]
    assert 2 * _bytes(maxmemory) <= _bytes(services()["redis"]["mem_limit"])
    assert words[words.index("--maxmemory-policy") + 1] == "noeviction"


def test_images_of_others_are_pinned_by_version_and_digest() -> None:
    bases = re.findall(r"^ARG PYTHON=(.*)$", (ROOT / "deploy/Dockerfile").read_text(), re.M)
    foreign = [s["image"].partition(":")[2] for s in services().values() if "build" not in s]
    assert len(bases) + len(foreign) == 4
    for tag in (*bases, *foreign):
        assert re.fullmatch(r"\d+\.\d+[\w.-]*@sha256:[0-9a-f]{64}", tag), tag
    assert re.match(r"\d+\.\d+\.\d+-", bases[0])


def test_no_key_is_written_to_a_log() -> None:
    for name, service in services().items():
        assert "keys" not in " ".join(command(service)) if "command" in service else name == "proxy"


def test_a_broken_process_can_neither_write_its_image_nor_become_root() -> None:
    for name, service in services().items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service.get("read_only") or name == "s3", name
    assert services()["redis"]["user"] == "valkey"


# Queues and commands


def test_every_queue_has_a_worker() -> None:
    from workers.app import app

    heard = set()
    for name in ("worker", "training", "maintenance"):
        words = command(services()[name])
        heard |= set(words[words.index("-Q") + 1].split(","))
    sent = {route["queue"] for route in app.conf.task_routes.values()} | {app.conf.task_default_queue}
    assert heard == sent


@pytest.mark.parametrize("name", ["gateway", "worker", "training", "maintenance", "beat", "flower"])
def test_the_containers_run_what_the_demo_runs(name: str, tmp_path: Path) -> None:
    stack = Stack(DataFolder(tmp_path), 8000, 5555, 1)
    (embedded,) = (s.command for s in stack.services if s.name in {name, f"{name}-1"})
    assert _essence(command(services()[name])) == _essence(embedded[1:])


def _essence(words: list[str]) -> list[str]:
    """A command without what differs by place: addresses, ports, paths and the worker's name."""
    text = "\0".join(words)
    text = re.sub(r"(--host|--port|--schedule|-n)\0[^\0]+|--(address|port)=[^\0]+", "", text)
    return [word for word in text.split("\0") if word not in ("", "python", "-m")]


def test_every_command_names_a_program_that_exists() -> None:
    for name in PYTHON:
        words = command(services()[name])
        for module in (w.partition(":")[0] for w in words if re.fullmatch(r"[a-z_]+\.[a-z_.]+(:\w+)?", w)):
            assert find_spec(module), module


# Starting, scaling and stopping


def test_a_service_is_waited_for_only_if_it_tells_when_it_is_ready() -> None:
    found = services()
    for service in found.values():
        for other, wait in service.get("depends_on", {}).items():
            if wait["condition"] == "service_healthy":
                assert "healthcheck" in found[other]
            else:
                assert wait["condition"] == "service_completed_successfully"
                assert found[other]["restart"] == "no"


def test_what_dies_is_started_again_and_what_hangs_is_seen() -> None:
    for name, service in services().items():
        if name != "seed":
            assert service["restart"] == "unless-stopped", name
            assert service["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}, name


def test_there_may_be_many_gateways_and_workers_but_one_beat() -> None:
    found = services(FILE, GPU_FILE)
    for name in ("gateway", "worker", "training", "maintenance"):
        assert not found[name].keys() & {"container_name", "ports", "hostname"}
    assert "deploy" not in found["beat"]


def test_a_worker_that_is_stopped_finishes_what_it_holds() -> None:
    worker = services()["worker"]
    assert seconds(worker["stop_grace_period"]) > float(worker["environment"]["PRODGEN_STOP_SECONDS"])
    assert seconds(services()["training"]["stop_grace_period"]) > STOP_SECONDS


def test_what_must_survive_lies_on_volumes() -> None:
    mounts: dict[str, Any] = {name: service.get("volumes") for name, service in services().items()}
    assert mounts["redis"] == ["redis:/data"]
    assert mounts["s3"] == ["s3:/data"]


def test_the_gpu_file_gives_gpus_to_the_workers_and_changes_nothing_else() -> None:
    plain, gpu = services(FILE), services(FILE, GPU_FILE)
    assert {name for name in plain if plain[name] != gpu[name]} == {"worker", "training"}
    for name in ("worker", "training"):
        worker = gpu[name]
        (device,) = worker["deploy"]["resources"]["reservations"]["devices"]
        assert (device["driver"], device["capabilities"]) == ("nvidia", ["gpu"])
        assert worker["image"] != plain[name]["image"]
        assert worker["command"] == plain[name]["command"]
