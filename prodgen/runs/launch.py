"""The commands by which a node works on a run."""

import fcntl
import json
import os
import socket
import struct
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from prodgen.ledger.run_entries import Assignment
from prodgen.runs.processes import STOP_SECONDS, Processes
from prodgen.runs.record import EvaluationSpec, PreparationSpec, RunRecord

_SIOCGIFADDR = 0x8915
WAIT = 86_400
"""Seconds for which the members of a gang wait for each other."""
RESTARTS = 3
"""Times that torchrun itself starts its processes again when one of them dies."""


class Node(NamedTuple):
    """Where a part is done: the run's ``folder`` there; ``hosts``: whether it speaks for the run."""

    folder: Path
    address: str
    hosts: bool


def start(
    part: Assignment, record: RunRecord, node: Node, data: Path, source: Path | None, judges: Path
) -> Processes:
    """What the run asks for, on this node; ``judges``: where evaluations keep theirs."""
    spec = record.spec
    if isinstance(spec, PreparationSpec):
        return _one("preparer", node, {"data": data, "size": spec.size, "drop": ",".join(spec.drop)})
    if isinstance(spec, EvaluationSpec):
        options: dict[str, object] = {"data": data, "model": source, "name": record.source, "judges": judges}
        if spec.count:
            options["count"] = spec.count
        return _one("evaluator", node, options, *(["--resize"] if spec.resize else []))
    return _torchrun(part, record, node, data, source)


def _torchrun(part: Assignment, record: RunRecord, node: Node, data: Path, source: Path | None) -> Processes:
    """One of ``part.nodes``."""
    folder, address = node.folder, node.address
    (folder / "recipe.json").write_text(json.dumps(record.recipe))
    processes = record.spec.procs_per_node
    elastic = {
        "nnodes": part.nodes,
        "nproc-per-node": processes,
        "max-restarts": RESTARTS,
        "shutdown-timeout": int(STOP_SECONDS),
        "rdzv-backend": "c10d",
        "rdzv-endpoint": f"{part.address}:{part.port}",
        # Members may still be fetching the data; those that are lost are noticed by their leases.
        "rdzv-conf": f"is_host={str(node.hosts).lower()},read_timeout={WAIT},join_timeout={WAIT}",
        "rdzv-id": f"{part.run}-{part.token}",
        "local-addr": address,
    }
    run = {"recipe": folder / "recipe.json", "data": data, "out": folder, "lease": folder / "lease"}
    if source:
        run["from"] = source
    command = [sys.executable, "-m", "torch.distributed.run", *_options(elastic)]
    command += ["-m", "prodgen.training.process", *_options(run)]
    environment = {
        "OMP_WAIT_POLICY": "PASSIVE",  # a node may have other work
        "OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // processes)),
    }
    if interface := interface_of(address):  # else each asks what the host is called
        environment |= {"GLOO_SOCKET_IFNAME": interface, "NCCL_SOCKET_IFNAME": interface}
    return Processes(command, folder, {k: v for k, v in environment.items() if k not in os.environ})


def _one(module: str, node: Node, options: dict[str, object], *flags: str) -> Processes:
    """One process, which does it alone."""
    given = _options({**options, "out": node.folder, "lease": node.folder / "lease"})
    return Processes([sys.executable, "-m", f"prodgen.runs.{module}", *given, *flags], node.folder, {})


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


def _options(given: Mapping[str, object]) -> list[str]:
    return [f"--{name}={value}" for name, value in given.items()]
