"""The peers that `tests.bench.serving` measures: a bare loop, plain Celery, BentoML and LitServe."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from celery import Celery

from tests.bench.environments import BENTOML, LITSERVE, PEERS, Unavailable, prepare
from tests.bench.serving_load import Http, Meter, family
from tests.servers.process import free_port, wait_until
from tests.servers.valkey import quick_server

CORES = psutil.cpu_count() or 1
CELERY = (sys.executable, "-m", "celery", "-A", "served_celery", "worker", "-l", "warning")
START_SECONDS = 400.0
"""A server imports torch and makes its first images within this time, on a busy machine too."""


@dataclass
class Contestant:
    """``load`` makes images [first, first + count) as fast as it can; ``single`` makes one, and returns.

    ``images``: of a measurement. ``bulk`` places an order of so many images, returns when the first are made,
    and returns what cancels the order. The lists hold what was measured: images a second, and seconds.
    """

    name: str
    meter: Meter
    load: Callable[[int, int], object]
    single: Callable[[int], object]
    images: int
    bulk: Callable[[int], Callable[[], object]] | None = None
    rates: list[float] = field(default_factory=list)
    alone: list[float] = field(default_factory=list)
    under_bulk: list[float] = field(default_factory=list)


@contextmanager
def process(command: list[str], environ: dict[str, str], log: Path) -> Iterator[int]:
    """Run a command of a peer until the end of the block; yield its process id."""
    with log.open("wb") as out:
        running = subprocess.Popen(command, cwd=PEERS, env=environ, stdout=out, stderr=out)
    try:
        yield running.pid
    finally:
        for one in reversed(family(running.pid)):
            with suppress(psutil.NoSuchProcess):
                one.kill()
        running.wait()


def bare(environ: dict[str, str], stack: ExitStack, images: int) -> Contestant:
    """The network and the encoder in a loop, in one process a core. Stores nothing."""
    command = (sys.executable, "served.py")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    loops = [
        stack.enter_context(subprocess.Popen(command, cwd=PEERS, env=environ, text=True, bufsize=1, **pipes))
        for _ in range(CORES)
    ]
    for loop in loops:
        stack.callback(loop.kill)

    def load(first: int, count: int) -> None:
        share = -(-count // CORES)
        for n, loop in enumerate(loops):
            _say(loop, first + n * share, share)
        for loop in loops:
            _hear(loop)

    def single(index: int) -> None:
        _say(loops[0], index, 1)
        _hear(loops[0])

    load(0, CORES)
    meter = Meter(lambda: [psutil.Process(loop.pid) for loop in loops])
    return Contestant("bare loop: network and encoder, nothing stored", meter, load, single, images)


def _say(loop: "subprocess.Popen[str]", first: int, count: int) -> None:
    assert loop.stdin
    loop.stdin.write(f"{first} {count}\n")


def _hear(loop: "subprocess.Popen[str]") -> None:
    assert loop.stdout
    if not loop.stdout.readline():
        raise RuntimeError("the bare loop has ended")


def celery(environ: dict[str, str], stack: ExitStack, folder: Path, images: int) -> Iterator[Contestant]:
    """Plain Celery over Valkey, with one image a task and with 256. A task writes its images as files."""
    broker = stack.enter_context(quick_server(folder / "celery-valkey"))
    (folder / "celery").mkdir()
    environ = environ | {"SERVED_BROKER": broker.url(), "SERVED_OUT": str(folder / "celery")}
    pid = stack.enter_context(process([*CELERY, "-c", str(CORES)], environ, folder / "celery.log"))
    app = Celery("served", broker=broker.url(), backend=broker.url())
    stack.callback(app.close)

    def make(first: int, count: int, size: int) -> None:
        starts = range(first, first + count, size)
        tasks = [app.send_task("served.make", (start, min(size, first + count - start))) for start in starts]
        for task in tasks:
            task.get(timeout=600)

    for size in (1, 256):
        make(0, 2 * size, size)
        yield Contestant(
            f"plain Celery, {size} image{'s' * (size > 1)} a task, local files",
            Meter(lambda: family(pid)),
            lambda first, count, size=size: make(first, count, size),
            lambda index: make(index, 1, 1),
            images if size > 1 else images // 4,  # a task an image is slow
        )


def bentoml(environ: dict[str, str], stack: ExitStack, folder: Path, envs: Path, images: int) -> Contestant:
    """BentoML, in its own environment."""
    python, port = prepare(BENTOML, envs), free_port()
    command = [str(python), "-m", "bentoml", "serve", "served_bento:Images", "--host", "127.0.0.1", "--port"]
    http = Http(port, "/image", lambda index: b'{"indices": [%d]}' % index)
    name = "BentoML, adaptive batching, answers over HTTP"
    return _server(name, [*command, str(port)], environ, http, stack, folder / "bento.log", images)


def litserve(environ: dict[str, str], stack: ExitStack, folder: Path, envs: Path, images: int) -> Contestant:
    """LitServe, in its own environment."""
    python, port = prepare(LITSERVE, envs), free_port()
    http = Http(port, "/predict", lambda index: b'{"index": %d}' % index)
    command, environ = [str(python), "served_lit.py"], environ | {"SERVED_PORT": str(port)}
    name = "LitServe, dynamic batches, answers over HTTP"
    return _server(name, command, environ, http, stack, folder / "lit.log", images)


def _server(
    name: str,
    command: list[str],
    environ: dict[str, str],
    http: Http,
    stack: ExitStack,
    log: Path,
    images: int,
) -> Contestant:
    """A server of a peer, once it has made an image."""
    pid = stack.enter_context(process(command, environ, log))

    def ready() -> bool:
        if not family(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            raise Unavailable(f"{name} did not start: {log.read_text()[-300:]}")
        with suppress(OSError, EOFError, RuntimeError, IndexError):
            return bool(http.load(0, 1, 1))
        return False

    wait_until(ready, f"{name} makes no image", START_SECONDS)
    http.load(0, 256)
    return Contestant(
        name, Meter(lambda: family(pid)), http.load, lambda index: http.load(index, 1, 1), images
    )
