"""Checks that two processes make together: torchrun's ``-m tests.training.check_collectives FOLDER``."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from prodgen.catalog.catalogue import Catalogue, digest
from prodgen.errors import NotFound, ProdgenError
from prodgen.training.distributed import collectives, world
from prodgen.training.distributed.batch_norm import SyncBatchNorm2d, sync_batch_norm
from prodgen.training.distributed.shared_catalogue import FOLDER, read_shared


def assert_close(a: Tensor, b: Tensor, tolerance: float = 1e-5) -> None:
    assert (a.float() - b.float()).abs().max() <= tolerance * max(1.0, float(b.float().abs().max()))


def normalisation_is_by_the_whole_batch(precision: torch.dtype, tolerance: float) -> None:
    torch.manual_seed(0)
    whole = torch.randn(12, 6, 4, 4) * torch.rand(1, 6, 1, 1) + 3 * torch.randn(1, 6, 1, 1)
    wanted = torch.randn(12, 6, 4, 4)
    plain = nn.Sequential(nn.BatchNorm2d(6), nn.Conv2d(6, 6, 3), nn.BatchNorm2d(6, affine=False), nn.ReLU())
    nn.init.normal_(plain[0].weight)
    split = nn.Sequential(nn.BatchNorm2d(6), nn.Conv2d(6, 6, 3), nn.BatchNorm2d(6, affine=False), nn.ReLU())
    split.load_state_dict(plain.state_dict())
    sync_batch_norm(split)
    assert isinstance(split[2], SyncBatchNorm2d)
    assert split.state_dict().keys() == plain.state_dict().keys()

    def trained(network: nn.Module, x: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        x = x.clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == torch.bfloat16):
            y = network(x.to(precision))
        assert y.dtype == precision
        (y.float() - target[:, :, 1:-1, 1:-1]).square().mean().backward()
        return y, x.grad

    y, gradient = trained(plain, whole, wanted)
    shard, shard_gradient = trained(split, world.shard(whole), world.shard(wanted))
    collectives.average_gradients([p.grad for p in split.parameters()])
    assert_close(shard, world.shard(y), tolerance)
    assert_close(shard_gradient / world.world_size(), world.shard(gradient), tolerance)
    for p, q in zip(split.parameters(), plain.parameters(), strict=True):
        assert_close(p.grad, q.grad, tolerance)
    for name, state in split.state_dict().items():
        assert_close(state, plain.state_dict()[name], tolerance)
    assert_close(split.eval()(whole), plain.eval()(whole), tolerance)


def second_gradients_are_those_of_the_whole_batch() -> None:
    torch.manual_seed(1)
    whole, wanted = torch.randn(2, 12, 6, 4, 4, dtype=torch.float64)
    plain, split = (nn.BatchNorm2d(6, affine=False).double() for _ in range(2))
    sync_batch_norm(nn.Sequential(split))

    def penalised(network: nn.Module, x: Tensor, target: Tensor) -> Tensor:
        x = x.clone().requires_grad_()
        [slope] = torch.autograd.grad((network(x) * target).sum(), x, create_graph=True)
        slope.pow(4).sum().backward()
        return x.grad

    gradient = penalised(plain, whole, wanted)
    assert gradient.abs().max() > 1e-3
    assert_close(penalised(split, world.shard(whole), world.shard(wanted)), world.shard(gradient), 1e-6)


def every_process_gets_the_values_of_rank_zero(folder: Path) -> None:
    rank = world.rank()
    assert collectives.any_rank(rank == 1, False) == [True, False]
    assert collectives.on_rank_zero(lambda: [rank, 0.1, float("inf")]) == [0, 0.1, float("inf")]
    own = folder / f"{rank}"
    own.mkdir()
    if rank == 0:
        (own / "file").write_bytes(b"words")
        (own / "empty").touch()
    assert collectives.read_on_rank_zero(own / "file") == b"words"
    assert collectives.read_on_rank_zero(own / "empty") == b""
    assert collectives.read_on_rank_zero(own / "none") is None
    tensors = [torch.full((2, 3), float(rank)).t(), torch.tensor(rank)]
    collectives.broadcast(tensors)
    assert all(bool((t == 0).all()) for t in tensors)
    gradients = [torch.full((2, 3), float(rank)).t(), torch.tensor([rank * 2.0])]
    collectives.average_gradients(gradients)
    assert [t.unique().tolist() for t in gradients] == [[0.5], [1.0]]


def an_error_on_one_process_is_raised_on_all() -> None:
    def fail(rank: int) -> None:
        if world.rank() == rank:
            raise NotFound("there is none", param="data")

    with pytest.raises(ProdgenError, match="there is none") as caught:
        collectives.on_rank_zero(lambda: fail(0))
    assert caught.value.param == "data"
    with pytest.raises(ProdgenError, match="there is none" if world.rank() else "another node"):
        collectives.on_all_ranks(lambda: fail(1))


def a_catalogue_is_decoded_once(folder: Path) -> None:
    images = np.arange(3 * 2 * 2, dtype=np.uint8).reshape(3, 2, 2, 1)
    labels = {"kind of thing": np.array([1, -1, 0])}
    whole = Catalogue(
        images, labels, {"kind of thing": ("bag", "hat")}, {"colour": np.ones((3, 3), np.float32)}
    )
    readers: list[int] = []

    def read() -> Catalogue:
        readers.append(world.rank())
        return whole

    got = read_shared(read, folder)
    assert readers == [0] * (world.rank() == 0)
    assert isinstance(got.images, np.memmap)
    assert digest(got) == digest(whole)
    assert got.values == whole.values

    on_disk = np.load(folder / FOLDER / "images.npy", mmap_mode="c")
    mapped = Catalogue(on_disk, labels, whole.values)
    collectives.any_rank(False)  # a barrier: the file must stay until all have mapped it
    assert read_shared(lambda: mapped, folder) is mapped
    assert not (folder / FOLDER).exists()

    def fail() -> Catalogue:
        raise NotFound("there is none")

    with pytest.raises(ProdgenError, match="another node" if world.rank() else "there is none"):
        read_shared(fail, folder)


if __name__ == "__main__":
    world.join()
    normalisation_is_by_the_whole_batch(torch.float32, 1e-5)
    normalisation_is_by_the_whole_batch(torch.bfloat16, 0.03)
    second_gradients_are_those_of_the_whole_batch()
    every_process_gets_the_values_of_rank_zero(Path(sys.argv[1]))
    an_error_on_one_process_is_raised_on_all()
    a_catalogue_is_decoded_once(Path(sys.argv[1]))
    world.leave()
