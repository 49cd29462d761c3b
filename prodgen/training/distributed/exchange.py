"""What the processes of one training tell each other. All of them must call each of these, in one order.

Nothing is pickled: numbers travel as tensors, all else as bytes. Alone, each is what it was.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from prodgen.errors import ProdgenError
from prodgen.training.distributed.world import rank, size, writes

T = TypeVar("T")


def mean(tensor: Tensor) -> Tensor:
    """The average over all processes of a tensor that each has, through which gradients pass."""
    return _Sum.apply(tensor) / size() if size() > 1 else tensor


@torch.no_grad()
def average(tensors: Sequence[Tensor]) -> None:
    """`mean` of many at once, in place; all of one type."""
    if size() == 1 or not tensors:
        return
    flat = torch.cat([tensor.flatten() for tensor in tensors])
    dist.all_reduce(flat)
    flat /= size()
    for tensor, part in zip(tensors, flat.split([t.numel() for t in tensors]), strict=True):
        tensor.copy_(part.view_as(tensor))


@torch.no_grad()
def share(tensors: Iterable[Tensor]) -> None:
    """Give all processes the tensors of the first, in place."""
    if size() > 1:
        for tensor in tensors:
            sent = tensor.contiguous()
            dist.broadcast(sent, 0)
            tensor.copy_(sent)


def any_of(*flags: bool) -> list[bool]:
    """Of each flag, whether it is raised anywhere."""
    if size() == 1:
        return list(flags)
    raised = torch.tensor(flags, dtype=torch.int32)
    dist.all_reduce(raised, dist.ReduceOp.MAX)
    return raised.bool().tolist()


def first(compute: Callable[[], T]) -> T:
    """What the first process, and no other, computes: anything that JSON can say, floats to the last bit.

    A ProdgenError that it raises is raised everywhere.
    """
    if size() == 1:
        return compute()
    said = None
    if rank() == 0:
        try:
            said = json.dumps({"value": compute()}).encode()
        except ProdgenError as error:
            said = json.dumps({"error": str(error), "param": error.param}).encode()
    heard = json.loads(_sent(said) or b"")
    if "error" in heard:
        raise ProdgenError(heard["error"], param=heard["param"])
    return heard["value"]


def together(compute: Callable[[], T]) -> T:
    """What each process computes for itself; a ProdgenError in one is an error of all."""
    try:
        result, problem = compute(), None
    except ProdgenError as error:
        problem = error
    if any_of(problem is not None)[0]:
        raise problem or ProdgenError("another node cannot train; its own message says why")
    return result


def read(path: Path) -> bytes | None:
    """The first process's file, None if it has none; the others need not have it."""
    content = path.read_bytes() if rank() == 0 and path.exists() else None
    return content if size() == 1 else _sent(content)


def mirror(path: Path) -> None:
    """Make a file of each node's folder what it is on the first: the same, or not there."""
    if size() == 1:
        return
    content = read(path)
    if rank() == 0 or not writes():
        return
    if content is None:
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    temporary.write_bytes(content)
    temporary.replace(path)


class _Sum(torch.autograd.Function):
    """Over all processes. Each one's part counts in the loss of all, whence the sum of their gradients."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        parts = tensor.new_empty(size() * tensor.numel())
        # One message each way, where all_reduce takes two.
        dist.all_gather_into_tensor(parts, tensor.flatten())
        return parts.view(size(), *tensor.shape).sum(0)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _Sum.apply(gradient)


def _sent(content: bytes | None) -> bytes | None:
    """The first process's bytes, on all."""
    length = torch.tensor(-1 if content is None else len(content))
    dist.broadcast(length, 0)
    if length < 0:
        return None
    data = torch.empty(int(length), dtype=torch.uint8)
    if content:
        data = torch.frombuffer(bytearray(content), dtype=torch.uint8)
    dist.broadcast(data, 0)
    return data.numpy().tobytes()
