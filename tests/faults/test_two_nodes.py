"""Two nodes with addresses of their own train one run. One is killed and restarts; one is cut off."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
import redis

from prodgen.cli.gateway import push_folder
from prodgen.client import Client
from prodgen.embedded.service import Service
from prodgen.settings import Settings
from tests.gateway.running import Gateway
from tests.servers.namespaces import Network, can_make_namespaces
from tests.servers.process import free_port, wait_until
from tests.servers.up import SETTINGS, clean_environment
from tests.servers.valkey import ValkeyServer
from tests.toys import write_catalogue

pytestmark = [
    pytest.mark.skipif(not can_make_namespaces(), reason="network namespaces need root and iproute2"),
]

PATIENCE = 120.0
CELERY = (sys.executable, "-m", "celery", "-A", "workers.app")
RECIPE: dict[str, Any] = {"name": "toy", "family": "resnet", "widths": [16, 8], "latent_dim": 16, "batch": 16}
RECIPE |= {"steps": 100_000, "evaluate_every": 50_000, "sample_every": 50_000, "checkpoint_every": 20}


class Place:
    """Maintenance and beat on this machine, and training nodes in network namespaces of their own."""

    def __init__(self, folder: Path, network: Network, running: ExitStack) -> None:
        self.folder, self.network, self._running = folder, network, running
        valkey = ValkeyServer(folder / "valkey", also=network.address)
        valkey.start()
        running.callback(valkey.kill)
        self.settings = {
            "redis_url": valkey.url().replace("127.0.0.1", network.address),
            "store_url": f"file://{folder / 'store'}",
            "public_url": f"http://127.0.0.1:{free_port()}",
            "training_folder": str(folder / "training"),
            **{
                name.removeprefix("PRODGEN_").lower(): value
                for name, value in SETTINGS.items()
                if "PRODGEN" in name
            },
        }
        self.nodes: dict[int, Service] = {}

    def service(self, name: str, *command: str) -> Service:
        named = {f"PRODGEN_{key.upper()}": value for key, value in self.settings.items()}
        environment = {**clean_environment(), **named, "OMP_NUM_THREADS": "1"}
        service = Service(name, command, environment, self.folder / f"{name}.log", lambda: True)
        service.start()
        self._running.callback(kill, service)
        return service

    def node(self, number: int) -> None:
        """Start the training worker of one namespace."""
        options = ("-Q", "training", "--pool", "prefork", "-c", "1", "-n", f"node-{number}@%h")
        command = (*self.network.inside(number), *CELERY, "worker", *options)
        self.nodes[number] = self.service(f"node-{number}", *command)


def kill(service: Service) -> None:
    """Kill a service. Its child processes end by themselves."""
    if service.process and service.process.poll() is None:
        service.process.kill()
        service.process.wait()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with ExitStack() as running:
        network = running.enter_context(Network(2))
        place = Place(tmp_path_factory.mktemp("nodes"), network, running)
        for number in (0, 1):
            place.node(number)
        place.service("maintenance", *CELERY, "worker", "-Q", "maintenance", "--pool", "threads", "-c", "2")
        beat = ("beat", "--schedule", str(place.folder / "beat"), "--pidfile", "")
        place.service("beat", *CELERY, *beat)
        yield place


@pytest.fixture(scope="module")
def client(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    gateway = Gateway(Settings.model_validate(place.settings))
    with gateway.running():
        secret, _ = gateway.keys.create("default", ("train",))
        with Client(gateway.settings.public_url, secret) as client:
            push_folder(
                client, write_catalogue(tmp_path_factory.mktemp("data") / "toys", 200, 16), quiet=True
            )
            yield client


@pytest.fixture(scope="module")
def run(place: Place, client: Client) -> str:
    """A run on both nodes that never ends by itself."""
    asked = {"recipe": RECIPE, "data": "toys", "nodes": 2, "min_nodes": 1}
    return str(client.train(asked)["id"])


def wait_for_progress(client: Client, run: str, nodes: int) -> int:
    """Wait until the run makes progress on so many nodes, and return its step."""
    wait_until(lambda: len(client.run(run)["nodes"]) == nodes, f"it is not on {nodes} nodes", PATIENCE)
    before = client.run(run)["progress"].get("images", 0)
    wait_until(
        lambda: client.run(run)["progress"].get("images", 0) != before, "it makes no progress", PATIENCE
    )
    now = client.run(run)
    assert (now["state"], now["error"], len(now["nodes"])) == ("running", None, nodes), now
    step: int = now["step"]
    return step


def test_two_nodes_train_one_run(place: Place, client: Client, run: str) -> None:
    wait_for_progress(client, run, nodes=2)
    logs = client.logs(run)
    assert "Traceback" not in logs


@pytest.mark.soak
def test_one_is_killed_and_comes_back(place: Place, client: Client, run: str) -> None:
    wait_for_progress(client, run, nodes=2)
    kill(place.nodes[1])
    alone = wait_for_progress(client, run, nodes=1)
    place.node(1)
    assert wait_for_progress(client, run, nodes=2) >= alone - RECIPE["checkpoint_every"]


@pytest.mark.parametrize("side", ["host", pytest.param("other", marks=pytest.mark.soak)])
def test_one_is_cut_off_and_ends_itself(place: Place, client: Client, run: str, side: str) -> None:
    wait_for_progress(client, run, nodes=2)
    members = client.run(run)["nodes"]
    number = int(next(n for n in members if (n == host(place, run)) == (side == "host"))[5])

    place.network.cut(number)
    try:
        wait_for_progress(client, run, nodes=1)
        [left] = client.run(run)["nodes"]
        assert not left.startswith(f"node-{number}"), "it counts a node that is cut off"
        wait_until(lambda: not trains(place, number), "the node that is cut off continues", PATIENCE)
    finally:
        place.network.mend(number)
    wait_for_progress(client, run, nodes=2)


def host(place: Place, run: str) -> str:
    client = redis.Redis.from_url(place.settings["redis_url"], decode_responses=True)
    return str(client.hget(f"prodgen:run:{run}", "host"))


def trains(place: Place, number: int) -> bool:
    """Return whether a process trains in a namespace."""
    name = place.network.names[number]
    found = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True, check=True)
    return any(b"prodgen.training.process" in command(pid) for pid in found.stdout.split())


def command(pid: str) -> bytes:
    """Return a process's command line, or b"" if it has ended."""
    with suppress(OSError):
        return (Path("/proc") / pid / "cmdline").read_bytes()
    return b""
