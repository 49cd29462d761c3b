"""Start the processes of a run on one node: torchrun for a training, one process for any other run."""

import fcntl
import json
import os
import socket
import struct
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from prodgen.ledger.run_entries import Assignment
from prodgen.runs.inputs import Inputs
from prodgen.runs.processes import STOP_SECONDS, Processes
from prodgen.runs.record import EvaluationSpec, PreparationSpec, RunRecord

_SIOCGIFADDR = 0x8915
WAIT = 86_400
"""Seconds for which the members of an attempt wait for each other."""
RESTARTS = 3
"""How often torchrun restarts its processes when one of them dies."""


def launch(
    assignment: Assignment, record: RunRecord, inputs: Inputs, folder: Path, address: str, is_host: bool
) -> Processes:
    """Start a run's processes on this node, and return them. ``address``: the IP address of this node.

    ``folder``: the run's folder on this node. ``is_host``: whether this node is the run's host. The processes
    find the id of the request that queued the run in the environment variable PRODGEN_REQUEST_ID.
    """
    spec = record.spec
    options: dict[str, object] = {"data": inputs.data, "out": folder, "lease": folder / "lease"}
    environment = {"PRODGEN_REQUEST_ID": record.request_id} if record.request_id else {}
    if isinstance(spec, PreparationSpec):
        module = ["prodgen.runs.preparer"]
        options |= {"size": spec.size, "drop": ",".join(spec.drop), "merge": json.dumps(spec.merge)}
        if spec.cutter:
            options["cutter"] = spec.cutter
    elif isinstance(spec, EvaluationSpec):
        module = ["prodgen.runs.evaluator", *(["--resize"] if spec.resize else [])]
        options |= {"model": inputs.source, "name": record.source, "judges": inputs.judges}
        if spec.count:
            options["count"] = spec.count
    else:
        module = _torchrun(assignment, spec.procs_per_node, address, is_host)
        environment |= _torch_environment(spec.procs_per_node, address)
        options["recipe"] = folder / "recipe.json"
        (folder / "recipe.json").write_text(json.dumps(record.recipe))
        if inputs.source:
            options["from"] = inputs.source
    return Processes([sys.executable, "-m", *module, *_flags(options)], folder, environment)


def _torchrun(assignment: Assignment, processes: int, address: str, is_host: bool) -> list[str]:
    options = {
        "nnodes": assignment.nodes,
        "nproc-per-node": processes,
        "max-restarts": RESTARTS,
        "shutdown-timeout": int(STOP_SECONDS),
        "rdzv-backend": "c10d",
        "rdzv-endpoint": f"{assignment.address}:{assignment.port}",
        # Members may download the data for hours. Their leases tell when one is lost.
        "rdzv-conf": f"is_host={str(is_host).lower()},read_timeout={WAIT},join_timeout={WAIT}",
        "rdzv-id": f"{assignment.run}-{assignment.token}",
        "local-addr": address,
    }
    return ["torch.distributed.run", *_flags(options), "-m", "prodgen.training.process"]


def _torch_environment(processes: int, address: str) -> dict[str, str]:
    """Return the environment variables that torch needs, by name. Leaves out variables already set."""
    defaults = {
        "OMP_WAIT_POLICY": "PASSIVE",  # the node may have other work
        "OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // processes)),
    }
    if interface := interface_of(address):  # else gloo and NCCL resolve the host's name, which may not work
        defaults |= {"GLOO_SOCKET_IFNAME": interface, "NCCL_SOCKET_IFNAME": interface}
    return {name: value for name, value in defaults.items() if name not in os.environ}


def interface_of(address: str) -> str | None:
    """Return the name of the network interface with the IPv4 address ``address``; None if none is found.

    Always returns None on systems other than Linux.
    """
    if sys.platform != "linux":
        return None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            with suppress(OSError):  # an interface without an address
                answer = fcntl.ioctl(probe, _SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
                if socket.inet_ntoa(answer[20:24]) == address:
                    return name
    return None


def _flags(options: Mapping[str, object]) -> list[str]:
    return [f"--{name}={value}" for name, value in options.items()]
