"""Fuzz a gateway over its whole description: ``python -m tests.gateway.fuzz --seed 1 --examples 40``.

Schemathesis sends valid and faulty requests of every operation that openapi.json describes. It fails on a
status of 500 and above, on a status, a type or a body that the description does not name, and on an answer
that takes longer than `SECONDS`.
"""

import argparse
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from prodgen.access import SCOPES
from prodgen.registry.publish import publish
from prodgen.settings import Settings
from tests.gateway.running import Gateway
from tests.gateway.test_renders import Worker
from tests.sample_models import write_model
from tests.servers.process import free_port
from tests.servers.valkey import quick_server

SECONDS = 20
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


def fuzz(gateway: Gateway, folder: Path, seed: int, examples: int, *options: str) -> bool:
    """Send up to ``examples`` random requests of each operation, first about anything, then about one order.

    Returns whether all answers were right.
    """
    with gateway.client("ada", SCOPES) as client:
        job, other = (client.order(count=70)["id"] for _ in range(2))
        gateway.work("ada", job)
        url, key = gateway.settings.public_url, client.key
    known = folder / "known.toml"
    known.write_text(
        f"[parameters]\njob = '{job}'\nother = '{other}'\nref = 'shoes'\nmodel = 'shoes'\nindex = 3\n"
    )
    program = str(Path(sys.executable).with_name("schemathesis"))
    run = ["run", f"{url}/openapi.json", "--header", f"Authorization: Bearer {key}", "--no-color"]
    run += ["--checks", CHECKS, "--request-timeout", str(SECONDS), "--continue-on-failure"]
    run += ["--seed", str(seed), "--max-examples", str(examples), *options]
    passes = (
        [program, *run, "--phases", "examples,coverage,fuzzing"],
        [program, "--config-file", str(known), *run, "--phases", "fuzzing", "--exclude-method", "DELETE"],
    )
    with Worker(gateway).running():  # for images by their addresses, for which a request waits
        failed = [
            command for command in passes if subprocess.run(command, cwd=folder, check=False).returncode
        ]
    return not failed


def main() -> int:
    """Fuzz a gateway of its own, with a Valkey server and a local store."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--examples", type=int, default=40, help="random requests of each operation")
    options, rest = parser.parse_known_args()
    with TemporaryDirectory() as name, quick_server(Path(name) / "node") as server:
        folder = Path(name)
        settings = Settings(
            store_url=f"file://{folder / 'store'}",
            redis_url=server.url(),
            public_url=f"http://127.0.0.1:{free_port()}",
        )
        with Gateway(settings).running() as gateway:
            publish(gateway.store, write_model(folder / "shoes"), "shoes", None)
            return not fuzz(gateway, folder, options.seed, options.examples, *rest)


if __name__ == "__main__":
    sys.exit(main())
