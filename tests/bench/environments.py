"""Virtual environments for the peers, one each: none is ever a dependency of this project."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import torch


class Unavailable(Exception):
    """A peer cannot take part; the message says why."""


@dataclass(frozen=True)
class Environment:
    """``packages`` come with what they need, ``bare`` without; ``check``: a line of Python that must run."""

    name: str
    packages: tuple[str, ...]
    check: str
    bare: tuple[str, ...] = ()


PYTHAE = Environment("pythae", ("pythae==0.1.2",), "import pythae.pipelines")
MIMICRY = Environment(
    "mimicry", ("numpy", "scikit-image", "tensorboard"), "import mimicry", bare=("torch-mimicry==0.1.16",)
)
_SERVING = ("numpy", "pillow", "isal", "pydantic")
BENTOML = Environment("bentoml", ("bentoml==1.4.40", *_SERVING), "import bentoml, isal")
LITSERVE = Environment("litserve", ("litserve==0.2.17", *_SERVING), "import litserve, isal")
PEERS = Path(__file__).parent / "peers"


def prepare(environment: Environment, folder: Path) -> Path:
    """The environment's Python, made under ``folder`` if it isn't there; raises Unavailable."""
    place = folder / environment.name
    python, ready = place / "bin" / "python", place / "ready"
    if ready.exists():
        return python
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    pinned = f"torch=={torch.__version__.partition('+')[0]}"
    run([sys.executable, "-m", "venv", str(place)])
    run([*pip, pinned])
    run([*pip, pinned, *environment.packages])
    if environment.bare:
        run([*pip, "--no-deps", *environment.bare])
    run([str(python), "-c", environment.check])
    ready.touch()
    return python


def run(command: list[str], log: Path | None = None, environ: dict[str, str] | None = None) -> None:
    """Run it among the peers' scripts; all it says goes to ``log``. Raises Unavailable with its last line."""
    try:
        done = subprocess.run(command, cwd=PEERS, env=environ, capture_output=True, text=True, check=False)
    except OSError as error:  # there is no such program
        raise Unavailable(str(error)) from None
    if log:
        log.write_text(done.stdout + done.stderr)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or [f"exit status {done.returncode}"]
        raise Unavailable(said[-1])
