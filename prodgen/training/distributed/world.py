"""The processes that train one model together: which of them this is, and which rows of a batch are its own.

Each draws the random numbers of the whole batch and keeps every ``size()``-th row of them, so that a run
gives the same numbers whatever the number of its processes. Alone, nothing here changes anything.
"""

import os
from collections.abc import Callable
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor

from prodgen.errors import ProdgenError
from prodgen.training.distributed.rendezvous import meet

PATIENCE = timedelta(hours=1)
"""For how long they wait for each other: the first may be training its judge, or judging. A process that dies
is noticed at once."""


def join() -> str:
    """Meet the others as torchrun's environment says -> the device of this process: ``cpu``, ``cuda:1``.

    Raises ProdgenError if there is no device for it.
    """
    local, device = int(os.environ.get("LOCAL_RANK", 0)), "cpu"
    if torch.cuda.is_available():
        there, wanted = torch.cuda.device_count(), neighbours()
        if wanted > there:
            raise ProdgenError(f"{wanted} processes need as many GPUs; this machine has {there}")
        torch.cuda.set_device(local)
        device = f"cuda:{local}"
    if int(os.environ.get("WORLD_SIZE", 1)) > 1:
        # What is on the CPU (flags, files) goes by gloo in either case, and never waits for a GPU.
        backend = "gloo" if device == "cpu" else "cpu:gloo,cuda:nccl"
        place, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
        store = meet(os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), place, size)
        dist.init_process_group(backend, timeout=PATIENCE, store=store, rank=place, world_size=size)
    return device


def leave() -> None:
    """Part from the others, once all that was to be done together is done."""
    if _together():
        dist.destroy_process_group()


def rank() -> int:
    """This process's number, 0 for the first of all."""
    return dist.get_rank() if _together() else 0


def size() -> int:
    """How many there are."""
    return dist.get_world_size() if _together() else 1


def neighbours() -> int:
    """How many of them are on this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", 1))


def writes() -> bool:
    """Whether it writes the run's folder: the first process of each node does, and nobody else."""
    return int(os.environ.get("LOCAL_RANK", 0)) == 0


def mine(whole: Tensor) -> Tensor:
    """This process's rows of a tensor that was made for the whole batch.

    Strided, so that the parts of a batch hold the same rows in every world, and so do two batches of equal
    size one after the other.
    """
    return whole[rank() :: size()]


def drawn(draw: Callable[..., Tensor], rows: int, *shape: int, device: torch.device | str) -> Tensor:
    """This process's rows, (``rows``, *``shape``), of random numbers that are drawn for all (torch.randn)."""
    return mine(draw(rows * size(), *shape, device=device))


def _together() -> bool:
    return dist.is_available() and dist.is_initialized()
