"""Latents depend on the seed and the index alone."""

import hashlib

import torch

from prodgen.generation.forward import latents


def test_latents_are_the_same_as_in_every_earlier_version():
    z = latents(7, range(1000), 128)
    assert z.dtype == torch.float32
    digest = hashlib.sha256(z.numpy().astype("<f4").tobytes()).hexdigest()
    assert digest == "c9f6c27a4b3e154cbf1c25b4e9c4374d7cbdb1a6ccc628d7540b13916f6c9f17"
    assert [value.hex() for value in z[999, :3].tolist()] == [
        "0x1.d800420000000p-1", "0x1.acaeee0000000p-1", "0x1.16b3920000000p-1",
    ]  # fmt: skip


def test_latents_are_the_same_bits_in_any_batch_and_order():
    whole = latents(7, range(100), 12)
    assert torch.equal(torch.cat([latents(7, range(37), 12), latents(7, range(37, 100), 12)]), whole)
    shuffled = torch.randperm(100, generator=torch.Generator().manual_seed(0)).tolist()
    assert torch.equal(latents(7, shuffled, 12), whole[shuffled])
    assert torch.equal(torch.cat([latents(7, [k], 12) for k in range(100)]), whole)


def test_seeds_and_attempts_may_be_mixed_in_a_batch():
    mixed = latents([7, 8, 7], [5, 5, 5], 12, [0, 0, 1])
    assert torch.equal(mixed[0], latents(7, [5], 12)[0])
    assert torch.equal(mixed[1], latents(8, [5], 12)[0])
    assert torch.equal(mixed[2], latents(7, [5], 12, [1])[0])
    assert len({row.numpy().tobytes() for row in mixed}) == 3
