"""Commands in this process, and a service for them: a real gateway and ledger, images without a model."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from prodgen.jobs.ending import settle_jobs
from prodgen.registry.publish import publish
from prodgen.settings import Settings
from tests.gateway.running import Client, Gateway
from tests.sample_models import scored, write_model
from tests.servers.process import free_port
from tests.servers.up import run_here
from tests.toys import toy_folder
from tests.workers.test_sick_worker import Worker

if TYPE_CHECKING:
    from tests.servers.valkey import ValkeyServer

DATABASE = 10
"""Of the shared server."""


class Done(NamedTuple):
    """An ended command."""

    code: int
    out: str
    err: str


Run = Callable[..., Done]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs ``prodgen …`` to its end, in a terminal of 80 columns."""
    for name in [name for name in os.environ if name.startswith("PRODGEN_")]:
        monkeypatch.delenv(name)

    def run(*words: object) -> Done:
        done = run_here(*words, environment={**os.environ})
        return Done(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def refused(run: Run) -> Callable[..., str]:
    """Runs a command that must fail with exit code 2; returns its one sentence."""

    def refused(*words: object, code: int = 2) -> str:
        done = run(*words)
        assert (done.code, done.out) == (code, ""), done
        assert done.err.startswith("prodgen: "), done.err
        assert done.err.count("\n") == 1, done.err
        return done.err.removeprefix("prodgen: ").rstrip()

    return refused


@pytest.fixture(scope="module")  # other modules restart the server, and a gateway then restores its ledger
def gateway(valkey_server: "ValkeyServer", tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway with one model, shoes, that is measured but never loaded."""
    valkey_server.client(DATABASE).flushdb()
    settings = Settings(
        store_url=f"file://{tmp_path_factory.mktemp('store')}",
        redis_url=valkey_server.url(DATABASE),
        public_url=f"http://127.0.0.1:{free_port()}",
    )
    with Gateway(settings).running() as gateway:
        folder = scored(write_model(tmp_path_factory.mktemp("model") / "shoes"), 17.5)
        publish(gateway.store, folder, "shoes", None)
        yield gateway


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small model."""
    return toy_folder(tmp_path_factory.mktemp("toy") / "toy")


def work_off(gateway: Gateway, folder: Path, machine: str = "first") -> int:
    """Make all images that are owed on a machine, one cell a lease. Returns the number of jobs that ended."""
    worker = Worker(gateway.store, gateway.ledger, folder, machine=machine)
    while worker.work(images=64):
        pass
    worker.draining.set()
    worker.engine.close()
    return len(settle_jobs(gateway.store, gateway.ledger))


@pytest.fixture(scope="module")
def make_job(
    gateway: Gateway, toy: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., tuple[Client, str]]:
    """Orders images of the small model, which a worker makes, and returns the client and the ended job."""

    def make_job(tenant: str, **spec: object) -> tuple[Client, str]:
        publish(gateway.store, toy, "toy", tenant)
        client = gateway.client(tenant)
        job = client.order(**{"model": "toy", **spec})["id"]
        assert work_off(gateway, tmp_path_factory.mktemp("worker"))
        return client, str(job)

    return make_job


@pytest.fixture
def service(
    gateway: Gateway, run: Run, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> str:
    """The gateway's settings in the environment, with a key of a new tenant, which is returned."""
    tenant = f"tenant-{abs(hash(request.node.nodeid))}"
    key, _ = gateway.keys.create(tenant, ["generate", "train", "promote"])
    monkeypatch.setenv("PRODGEN_URL", gateway.settings.public_url)
    monkeypatch.setenv("PRODGEN_API_KEY", key)
    monkeypatch.setenv("PRODGEN_STORE_URL", gateway.settings.store_url)
    monkeypatch.setenv("PRODGEN_REDIS_URL", gateway.settings.redis_url.get_secret_value())
    return tenant


@pytest.fixture
def read_only(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A folder that may not be written to, not even by root."""
    if os.geteuid() == 0:
        yield request.getfixturevalue("mount")("ro")
        return
    place = tmp_path / "read-only"
    place.mkdir(mode=0o500)
    yield place
    place.chmod(0o700)
