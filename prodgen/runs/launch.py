"""torchrun, as a process of its own: started, asked to stop, made to end."""

import fcntl
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from prodgen.orphans import die_with_parent
from prodgen.runs.files import tail
from prodgen.runs.record import RunRecord
from prodgen.runs.roster import Part

_ERROR = re.compile(r"^(\[rank\d+\]: *)?\w*(Error|Exception)\b: ")
"""The last line of a traceback, in which torch names the rank."""
_SIOCGIFADDR = 0x8915
WAIT = 86_400
"""Seconds for which the members of a gang wait for each other."""
RESTARTS = 3
"""Times that torchrun itself starts its processes again when one of them dies."""
STOP_SECONDS = 120.0
"""For which a run that was asked to stop may end its step, or evaluation, and write its checkpoint."""


class Torchrun:
    """The processes of one node, and their files in ``folder``: those of the run, and log.txt, lease,
    progress.json and result.json."""

    def __init__(
        self,
        part: Part,
        record: RunRecord,
        folder: Path,
        *,
        hosts: bool,
        address: str,
        data: Path,
        source: Path | None,
    ) -> None:
        (folder / "recipe.json").write_text(json.dumps(record.recipe))
        (folder / "result.json").unlink(missing_ok=True)
        self.folder, self._asked = folder, 0.0
        processes = record.spec.procs_per_node
        elastic = {
            "nnodes": part.nodes,
            "nproc-per-node": processes,
            "max-restarts": RESTARTS,
            "shutdown-timeout": int(STOP_SECONDS),
            "rdzv-backend": "c10d",
            "rdzv-endpoint": f"{part.address}:{part.port}",
            # Members may still be fetching the data; those that are lost are noticed by their leases.
            "rdzv-conf": f"is_host={str(hosts).lower()},read_timeout={WAIT},join_timeout={WAIT}",
            "rdzv-id": f"{part.run}-{part.token}",
            "local-addr": address,
        }
        run = {"recipe": folder / "recipe.json", "data": data, "out": folder, "lease": folder / "lease"}
        if source:
            run["from"] = source
        command = [sys.executable, "-m", "torch.distributed.run", *_options(elastic)]
        command += ["-m", "prodgen.training.node", *_options(run)]
        environment = dict(os.environ)
        if interface := interface_of(address):
            for backend in ("GLOO", "NCCL"):  # else each asks what the host is called
                environment.setdefault(f"{backend}_SOCKET_IFNAME", interface)
        environment.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # a node may have other work
        environment.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // processes)))
        with (folder / "log.txt").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                preexec_fn=die_with_parent,
            )

    def ended(self) -> bool:
        """Whether all of it has ended; one that was asked to stop, and does not, is killed."""
        if self._process.poll() is not None:
            return True
        if self._asked and time.monotonic() - self._asked > STOP_SECONDS + 10:
            self.kill()
        return False

    @property
    def was_asked(self) -> bool:
        """Whether it was asked to stop."""
        return bool(self._asked)

    def ask_to_stop(self) -> None:
        """Let it write a checkpoint and end."""
        if not self._asked and self._process.poll() is None:
            self._asked = time.monotonic()
            self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End all its processes now."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def result(self) -> dict[str, Any] | None:
        """outcome, step and message of a run that ended by itself; None if it broke off."""
        with suppress(OSError, ValueError):
            told: dict[str, Any] = json.loads((self.folder / "result.json").read_text())
            return told
        return None

    def progress(self) -> dict[str, Any]:
        """How far it is, with what it scored last."""
        with suppress(OSError, ValueError):
            told: dict[str, Any] = json.loads((self.folder / "progress.json").read_text())
            lines = tail(self.folder / "metrics.jsonl", 1 << 16).splitlines()
            scores = [json.loads(line) for line in lines[1:] if b'"domain_fid"' in line]
            return {**told, "metrics": scores[-1] if scores else {}}
        return {}

    def last_words(self) -> str:
        """Of the log, for the one who asks why: the last error, or whatever came last."""
        text = tail(self.folder / "log.txt", 1 << 16).decode(errors="replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        errors = [line for line in lines if _ERROR.search(line)]
        return (errors or lines or ["it wrote nothing"])[-1]


def interface_of(address: str) -> str | None:
    """The network interface that has an IPv4 address; None if none is found."""
    if sys.platform != "linux":
        return None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            with suppress(OSError):  # one without an address
                answer = fcntl.ioctl(probe, _SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
                if socket.inet_ntoa(answer[20:24]) == address:
                    return name
    return None


def _options(given: dict[str, Any]) -> list[str]:
    return [f"--{name}={value}" for name, value in given.items()]
