"""Collective operations: every process must call the same operations, in the same order.

Nothing is pickled: numbers are sent as tensors, everything else as JSON or bytes. With one process, nothing
is sent, and each operation returns its input or its own result.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from prodgen.errors import ProdgenError
from prodgen.files import replacing
from prodgen.training.distributed.world import local_rank, rank, world_size

T = TypeVar("T")


def world_mean(tensor: Tensor) -> Tensor:
    """Return the mean of a tensor over all processes. Gradients pass through the mean."""
    return _AllReduceSum.apply(tensor) / world_size() if world_size() > 1 else tensor


def world_sum(tensor: Tensor) -> Tensor:
    """Replace a tensor by its sum over all processes, in place; return it."""
    if world_size() > 1:
        dist.all_reduce(tensor)
    return tensor


@torch.no_grad()
def average_gradients(gradients: Sequence[Tensor]) -> None:
    """Replace gradients of one dtype by their means over all processes, in place and in one message."""
    if world_size() == 1 or not gradients:
        return
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    flat /= world_size()
    for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(part.view_as(gradient))


@torch.no_grad()
def broadcast(tensors: Iterable[Tensor]) -> None:
    """Overwrite ``tensors`` on every process with their values on rank 0."""
    if world_size() > 1:
        for tensor in tensors:
            sent = tensor.contiguous()
            dist.broadcast(sent, 0)
            tensor.copy_(sent)


def any_rank(*flags: bool) -> list[bool]:
    """Return for each flag whether it is true on at least one process."""
    if world_size() == 1:
        return list(flags)
    maxima = torch.tensor(flags, dtype=torch.int32)
    dist.all_reduce(maxima, dist.ReduceOp.MAX)
    return maxima.bool().tolist()


def on_rank_zero(compute: Callable[[], T]) -> T:
    """Call ``compute`` on rank 0 only; return its result, which must be valid JSON, on every process.

    If ``compute`` raises ProdgenError, every process raises it.
    """
    if world_size() == 1:
        return compute()
    message = None
    if rank() == 0:
        try:
            message = json.dumps({"value": compute()}).encode()
        except ProdgenError as error:
            message = json.dumps({"error": str(error), "param": error.param}).encode()
    received = json.loads(_broadcast_bytes(message) or b"")
    if "error" in received:
        raise ProdgenError(received["error"], param=received["param"])
    return received["value"]


def on_all_ranks(compute: Callable[[], T]) -> T:
    """Call ``compute`` on every process; return this process's result.

    If ``compute`` raises ProdgenError on one process, every process raises a ProdgenError.
    """
    try:
        result, problem = compute(), None
    except ProdgenError as error:
        problem = error
    if any_rank(problem is not None)[0]:
        raise problem or ProdgenError("another node cannot train; its own message says why")
    return result


def read_on_rank_zero(path: Path) -> bytes | None:
    """Return the content of rank 0's file ``path`` on every process, or None if rank 0 has no such file."""
    content = path.read_bytes() if rank() == 0 and path.exists() else None
    return content if world_size() == 1 else _broadcast_bytes(content)


def copy_to_nodes(path: Path) -> None:
    """Copy rank 0's file to the ``path`` of each other node. Delete these files if rank 0 has no file."""
    if world_size() == 1:
        return
    content = read_on_rank_zero(path)
    if rank() == 0 or local_rank() != 0:
        return
    if content is None:
        path.unlink(missing_ok=True)
        return
    with replacing(path) as partial:
        partial.write_bytes(content)


class _AllReduceSum(torch.autograd.Function):
    """Sum over all processes. Every process's loss uses every input, so the gradients are summed too."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        parts = tensor.new_empty(world_size() * tensor.numel())
        # One message each way, where all_reduce takes two.
        dist.all_gather_into_tensor(parts, tensor.flatten())
        return parts.view(world_size(), *tensor.shape).sum(0)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _AllReduceSum.apply(gradient)


def _broadcast_bytes(content: bytes | None) -> bytes | None:
    """Return the ``content`` of rank 0 on every process."""
    length = torch.tensor(-1 if content is None else len(content))
    dist.broadcast(length, 0)
    if length < 0:
        return None
    data = torch.empty(int(length), dtype=torch.uint8)
    if content:
        data = torch.frombuffer(bytearray(content), dtype=torch.uint8)
    dist.broadcast(data, 0)
    return data.numpy().tobytes()
