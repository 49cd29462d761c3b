"""Two nodes, each with an address of its own, train one run; one is killed and comes back, one is cut off."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
import redis

from prodgen.cli.datasets import push_folder
from prodgen.client import Client
from prodgen.embedded.service import Service
from prodgen.errors import ProdgenError
from prodgen.settings import Settings
from tests.gateway.running import Gateway
from tests.servers.namespaces import Network, can_make_namespaces
from tests.servers.process import free_port, wait_until
from tests.servers.up import SETTINGS, clean_environment
from tests.servers.valkey import ValkeyServer
from tests.toys import write_catalogue

pytestmark = [
    pytest.mark.skipif(not can_make_namespaces(), reason="network namespaces need root and iproute2"),
    pytest.mark.timeout(300),
]

PATIENCE = 120.0
CELERY = (sys.executable, "-m", "celery", "-A", "workers.app")
RECIPE: dict[str, Any] = {"name": "toy", "family": "resnet", "widths": [16, 8], "latent_dim": 16, "batch": 16}
RECIPE |= {"steps": 100_000, "evaluate_every": 50_000, "sample_every": 50_000, "checkpoint_every": 20}


class Place:
    """A gateway and maintenance here, and training nodes on machines of their own."""

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
        """Start the training worker of a machine."""
        options = ("-Q", "training", "--pool", "prefork", "-c", "1", "-n", f"node-{number}@%h")
        command = (*self.network.inside(number), *CELERY, "worker", *options)
        self.nodes[number] = self.service(f"node-{number}", *command)


def kill(service: Service) -> None:
    """``kill -9``; what it started ends by itself."""
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
    """One on both nodes that never comes to its end."""
    asked = {"recipe": RECIPE, "data": "toys", "nodes": 2, "min_nodes": 1}
    wait_until(lambda: (place.folder / "training").is_dir(), "no node lives", PATIENCE)
    found: str = wait_for(lambda: queued(client, asked))
    return found


def queued(client: Client, asked: dict[str, Any]) -> str | None:
    try:
        return str(client.train(asked)["id"])
    except ProdgenError:  # until a node has told that it lives
        return None


def wait_for(look: Any) -> Any:
    found: list[Any] = []

    def seen() -> bool:
        found.append(look())
        return bool(found[-1])

    wait_until(seen, "it did not come", PATIENCE)
    return found[-1]


def goes_on(client: Client, run: str, nodes: int) -> int:
    """Return once the run makes steps on so many nodes -> the step."""
    wait_until(lambda: len(client.run(run)["nodes"]) == nodes, f"it is not on {nodes} nodes", PATIENCE)
    before = client.run(run)["progress"].get("images", 0)
    wait_until(lambda: client.run(run)["progress"].get("images", 0) != before, "it stands still", PATIENCE)
    now = client.run(run)
    assert (now["state"], now["error"], len(now["nodes"])) == ("running", None, nodes), now
    step: int = now["step"]
    return step


def test_two_nodes_train_one_run(place: Place, client: Client, run: str) -> None:
    goes_on(client, run, nodes=2)
    logs = client.logs(run)
    assert "Traceback" not in logs


def test_one_is_killed_and_comes_back(place: Place, client: Client, run: str) -> None:
    goes_on(client, run, nodes=2)
    kill(place.nodes[1])
    alone = goes_on(client, run, nodes=1)
    place.node(1)
    assert goes_on(client, run, nodes=2) >= alone - RECIPE["checkpoint_every"]


@pytest.mark.parametrize("side", ["host", "other"])
def test_one_is_cut_off_and_ends_itself(place: Place, client: Client, run: str, side: str) -> None:
    goes_on(client, run, nodes=2)
    members = client.run(run)["nodes"]
    number = int(next(n for n in members if (n == host(place, run)) == (side == "host"))[5])

    place.network.cut(number)
    try:
        goes_on(client, run, nodes=1)
        [left] = client.run(run)["nodes"]
        assert not left.startswith(f"node-{number}"), "it counts one that nobody can hear"
        wait_until(lambda: not trains(place, number), "the lonely node trains on", 30)
    finally:
        place.network.mend(number)
    goes_on(client, run, nodes=2)


def host(place: Place, run: str) -> str:
    client = redis.Redis.from_url(place.settings["redis_url"], decode_responses=True)
    return str(client.hget(f"prodgen:run:{run}", "host"))


def trains(place: Place, number: int) -> bool:
    """Whether a rank runs on a machine."""
    name = place.network.names[number]
    found = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True, check=True)
    return any(b"prodgen.training.process" in command(pid) for pid in found.stdout.split())


def command(pid: str) -> bytes:
    """Of a process, if it still is one."""
    with suppress(OSError):
        return (Path("/proc") / pid / "cmdline").read_bytes()
    return b""
