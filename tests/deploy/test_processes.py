"""The services' own commands, run here as processes: what a container would do without its container."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from prodgen.embedded.stack import find_server
from tests.deploy.compose import command, services
from tests.servers.process import Process, free_port, wait_until
from tests.servers.swift import S3Server
from tests.servers.valkey import ValkeyServer

BIN = Path(sys.executable).parent
PASSWORD = "a-password-of-the-operator"


@pytest.fixture(scope="module")
def environment(valkey_server: ValkeyServer, s3_server: S3Server) -> dict[str, str]:
    """The gateway's environment in Compose, with this machine's broker and store."""
    found = services()["gateway"]["environment"]
    here = {
        "PRODGEN_REDIS_URL": valkey_server.url(),
        "PRODGEN_S3_ENDPOINT": s3_server.endpoint,
        "PRODGEN_S3_ACCESS_KEY": s3_server.access_key,
        "PRODGEN_S3_SECRET_KEY": s3_server.secret_key,
        "PATH": f"{BIN}:{os.environ['PATH']}",
    }
    return {**os.environ, **found, **here}


def here(words: list[str], changes: dict[str, str]) -> list[str]:
    """A container's command with other paths, ports and addresses."""
    for old, new in changes.items():
        words = [word.replace(old, new) for word in words]
    return words


def healthy(name: str, changes: dict[str, str]) -> bool:
    """What the service's health check says."""
    kind, *words = here(services()[name]["healthcheck"]["test"], changes)
    words = ["sh", "-c", *words] if kind == "CMD-SHELL" else words
    env = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}
    well = subprocess.run(words, capture_output=True, env=env).returncode == 0
    time.sleep(0 if well else 0.3)  # whoever waits for it asks again
    return well


# The broker


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    """The broker of Compose on a port of its own, and the file with its password."""
    folder, port = tmp_path_factory.mktemp("broker"), free_port()
    secret = folder / "auth.conf"
    changes = {
        "/tmp/auth.conf": str(secret),
        "/data": str(folder),
        "exec valkey-server": f"exec {find_server()}",
    }
    words = here(command(services()["redis"]), changes)
    words[-1] += f" --port {port} --bind 127.0.0.1"
    process = Process(["env", f"VALKEYCLI_AUTH={PASSWORD}", *words], port, folder / "log")
    process.start()
    process.wait()
    try:
        yield port, secret
    finally:
        process.stop()


def test_the_broker_answers_nobody_without_the_password(broker: tuple[int, Path]) -> None:
    port, secret = broker
    once = Retry(NoBackoff(), 0)
    with redis.Redis(port=port, retry=once) as client, pytest.raises(redis.AuthenticationError):
        client.ping()
    assert secret.stat().st_mode & 0o077 == 0


def test_the_broker_keeps_every_write_and_throws_nothing_away(broker: tuple[int, Path]) -> None:
    with redis.Redis(port=broker[0], password=PASSWORD, decode_responses=True) as client:
        found = {
            n: client.config_get(n)[n]
            for n in ("appendonly", "appendfsync", "save", "maxmemory", "maxmemory-policy")
        }
    assert found.pop("maxmemory") == str(1 << 30)
    assert found == {
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
    }


# The seed


def test_a_new_deployment_has_models_and_its_log_has_no_key(environment: dict[str, str]) -> None:
    def run(*words: str) -> str:
        ended = subprocess.run(words, env=environment, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout + ended.stderr

    seed = command(services()["seed"])
    assert "fashion-mnist@" in run(*seed)
    assert "pg_" not in run(*seed)
    assert json.loads(run("prodgen", "keys", "list", "--json")) == []


# Gateway, beat and Flower


def test_the_gateway_refuses_a_short_secret(environment: dict[str, str]) -> None:
    known = {**environment, "PRODGEN_SECRET_KEY": "development-only-secret"}
    words = here(command(services()["gateway"]), {"8000": str(free_port()), "0.0.0.0": "127.0.0.1"})
    ended = subprocess.run(words, env=known, capture_output=True, text=True, timeout=200)
    assert ended.returncode != 0
    assert "PRODGEN_SECRET_KEY must have at least 32 characters" in ended.stderr


def test_gateway_beat_and_flower_start_and_say_when_they_are_healthy(
    environment: dict[str, str], tmp_path: Path
) -> None:
    gateway, flower = free_port(), free_port()
    changes = {
        "0.0.0.0": "127.0.0.1",
        "8000": str(gateway),
        "5555": str(flower),
        "/tmp": str(tmp_path),
    }
    names = ("gateway", "beat", "flower")
    assert not any(healthy(name, changes) for name in names)
    env = {**environment, "FLOWER_BASIC_AUTH": f"operator:{PASSWORD}"}
    processes = []
    try:
        for name in names:
            words = here(command(services()[name]), changes)
            with (tmp_path / f"log-{name}").open("wb") as log:
                processes.append(subprocess.Popen(words, env=env, stdout=log, stderr=log))
        for name in names:
            wait_until(lambda name=name: healthy(name, changes), f"{name} is not healthy; see {tmp_path}")
        chain = "198.51.100.7, 203.0.113.9, 172.18.0.1"  # forged by the client, the client, an inner proxy
        httpx.get(f"http://127.0.0.1:{gateway}/v1/models", headers={"X-Forwarded-For": chain}, timeout=60)
        log = tmp_path / "log-gateway"  # the line of a request is written after its answer was sent
        wait_until(lambda: '"client": "203.0.113.9"' in log.read_text(), "the log does not name the client")
        url = f"http://127.0.0.1:{flower}/"
        assert httpx.get(url, timeout=60).status_code == 401
        assert httpx.get(url, auth=("operator", PASSWORD), timeout=60).status_code == 200
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(100)
