"""The processes that train one model together: their number, their ranks, and their shards of a batch.

Every process draws the random numbers of the whole batch and keeps every ``world_size()``-th row, its shard.
So a training has the same random numbers with any number of processes. Without torchrun there is one process.
"""

import json
import os
import secrets
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor

from prodgen.errors import ProdgenError

TIMEOUT = timedelta(hours=1)
"""Longest wait for another process. It is long, because rank 0 may train the judge meanwhile.

If another process crashes, the wait ends at once.
"""
START_TIMEOUT = timedelta(minutes=10)
"""Longest wait for another process to start: torchrun starts all processes at once."""
POLL_SECONDS = 0.02


def join() -> str:
    """Join the process group that torchrun's environment variables describe; return this process's device.

    The device is ``cpu``, or a GPU such as ``cuda:1``. Raises ProdgenError if this machine has fewer GPUs
    than processes.
    """
    device = "cpu"
    if torch.cuda.is_available():
        gpus, processes = torch.cuda.device_count(), local_world_size()
        if processes > gpus:
            raise ProdgenError(f"{processes} processes need as many GPUs; this machine has {gpus}")
        torch.cuda.set_device(local_rank())
        device = f"cuda:{local_rank()}"
    world_size = int(os.environ.get("WORLD_SIZE", 1))
    if world_size > 1:
        # CPU tensors (flags, files) always travel by gloo and never wait for a GPU.
        backend = "gloo" if device == "cpu" else "cpu:gloo,cuda:nccl"
        rank = int(os.environ["RANK"])
        store = _rendezvous(os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), rank, world_size)
        dist.init_process_group(backend, timeout=TIMEOUT, store=store, rank=rank, world_size=world_size)
    return device


def leave() -> None:
    """Leave the process group of torch.distributed."""
    if _is_distributed():
        dist.destroy_process_group()


def rank() -> int:
    """Return the number of this process among the processes of all nodes, from 0."""
    return dist.get_rank() if _is_distributed() else 0


def world_size() -> int:
    """Return the number of processes on all nodes."""
    return dist.get_world_size() if _is_distributed() else 1


def local_rank() -> int:
    """Return this process's number on its node, from 0. Only local rank 0 writes to the node's folder."""
    return int(os.environ.get("LOCAL_RANK", 0))


def local_world_size() -> int:
    """Return the number of processes on this node."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", 1))


def shard(whole: Tensor) -> Tensor:
    """Return this process's rows of a whole batch: every ``world_size()``-th row.

    Because of this choice, each part of a batch (`Batch.split`) holds the same images for any number of
    processes.
    """
    return whole[rank() :: world_size()]


def own_batches(count: int, batch: int) -> Iterator[slice]:
    """Divide ``count`` rows into batches of ``batch`` rows, and yield the batches of this process as slices.

    The processes take the batches in turn, by rank.
    """
    for start in range(rank() * batch, count, world_size() * batch):
        yield slice(start, min(start + batch, count))


def draw_shard(draw: Callable[..., Tensor], rows: int, *shape: int, device: torch.device | str) -> Tensor:
    """Call ``draw``, such as torch.randn, for the whole batch; return this process's rows, (rows, *shape)."""
    return shard(draw(rows * world_size(), *shape, device=device))


def _is_distributed() -> bool:
    return dist.is_available() and dist.is_initialized()


def _rendezvous(host: str, port: int, rank: int, world_size: int) -> dist.Store:
    """Wait until ``world_size`` living processes have met; return a store that only they use.

    Raises TimeoutError if a process is missing.

    A process that torchrun has restarted finds the same TCP store, with the addresses of dead processes in it
    (https://github.com/pytorch/pytorch/issues/135712). So rank 0 collects a random id from each living
    process, and these processes then use only keys with a new prefix in the store.
    """
    agent_hosts_store = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    store = dist.TCPStore(host, port, is_master=rank == 0 and not agent_hosts_store, timeout=START_TIMEOUT)
    prefix = _announce_prefix(store, world_size) if rank == 0 else _receive_prefix(store, rank)
    return dist.PrefixStore(prefix, store)


def _announce_prefix(store: dist.Store, world_size: int) -> str:
    """Publish a new prefix with the ids of all processes; return the prefix.

    Repeats this with the ids in the store until every process of the published ids has confirmed the prefix.
    """
    prefix = secrets.token_hex(8)

    def all_confirmed() -> bool:
        ids = [store.get(f"id-{rank}").decode() for rank in range(1, world_size)]  # may be of dead processes
        store.set("announcement", json.dumps([prefix, ids]))
        return store.check([f"{prefix}-{own_id}" for own_id in ids])

    _wait_until(all_confirmed)
    return prefix


def _receive_prefix(store: dist.Store, rank: int) -> str:
    """Publish an id, wait for an announcement with this id, confirm it, and return the announced prefix."""
    own_id = secrets.token_hex(8)
    store.set(f"id-{rank}", own_id)
    prefix, ids = "", []

    def is_announced() -> bool:
        nonlocal prefix, ids
        prefix, ids = json.loads(store.get("announcement"))
        return own_id in ids

    _wait_until(is_announced)
    store.set(f"{prefix}-{own_id}", "confirmed")
    return prefix


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_TIMEOUT.total_seconds()
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("some processes of this training have not started")
        time.sleep(POLL_SECONDS)
