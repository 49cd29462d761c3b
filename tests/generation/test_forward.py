"""An image is the same in another batch and under other settings of the machine."""

import dataclasses
import random

import numpy as np
import pytest
import torch

from prodgen.errors import ProdgenError
from prodgen.generation.forward import MAX_SECONDS, Forward
from prodgen.spec.finish import Augment, Finish
from tests.generation.asking import images, pixels, worst
from tests.toys import toy_model

EVERYTHING = Finish(
    size=24,
    background="white",
    augment=Augment(flip=0.5, rotation=20, crop=0.2, brightness=0.3, contrast=0.3, perspective=0.1),
)


@pytest.mark.parametrize(("finish", "count"), [(Finish(), 64), (EVERYTHING, 24)], ids=["plain", "finished"])
def test_pixels_agree_within_a_level_whatever_the_batch_and_the_memory_format(folder, finish, count):
    model = toy_model(folder)
    asked = images(model, range(count))
    made = {}
    for name, memory_format in (
        ("contiguous", torch.contiguous_format),
        ("channels_last", torch.channels_last),
    ):
        model.generator.to(memory_format=memory_format)
        made[name, count] = pixels(model, asked, finish)
        made[name, 1] = np.concatenate([pixels(model, [image], finish) for image in asked])
    expected = made.pop(("contiguous", count))
    assert expected.std() > 20
    for how, got in made.items():
        assert worst(got, expected) <= 1, how


def test_an_image_does_not_depend_on_the_rest_of_its_batch(toy):
    asked = images(toy, range(16))
    others = images(toy, range(1000, 1016), seed=3, category="dress")
    forward = Forward("cpu")
    alike = forward(toy, asked, [1.0] * 16)
    mixed = forward(toy, [*asked[:8], *others[:8]], [1.0] * 8 + [0.3] * 8)
    assert torch.equal(alike[:8], mixed[:8])
    for part in (slice(0, 8), slice(0, 1), slice(3, 5)):
        whole = forward.finish(toy, alike, EVERYTHING, asked).numpy()
        assert worst(forward.finish(toy, alike[part], EVERYTHING, asked[part]).numpy(), whole[part]) <= 1


def test_the_global_random_state_is_neither_read_nor_changed(toy):
    made = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        np.random.seed(seed)
        random.seed(seed)
        before = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()
        made.append(pixels(toy, images(toy, range(8)), EVERYTHING))
        after = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()
        assert torch.equal(before[0], after[0])
        assert before[1:] == after[1:]
    assert np.array_equal(*made)


def test_tuning_does_not_change_the_random_state(toy):
    before = torch.get_rng_state()
    Forward("cpu").tune(toy, seconds=0.0)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_same_pass_twice_gives_the_same_bytes(toy):
    asked = images(toy, range(32))
    assert np.array_equal(pixels(toy, asked, EVERYTHING), pixels(toy, asked, EVERYTHING))


def test_truncation_pulls_each_image_towards_the_mean_by_its_own_factor(toy):
    asked = images(toy, range(32), category="bag", pattern="plain")
    forward = Forward("cpu")
    free, near = (forward(toy, asked, [t] * 32) for t in (1.0, 0.1))
    assert near.var(0).mean() < 0.2 * free.var(0).mean()
    mixed = forward(toy, asked, [1.0, 0.1] * 16)
    assert torch.equal(mixed[0::2], free[0::2])
    assert torch.equal(mixed[1::2], near[1::2])


def test_another_attempt_is_another_image_of_the_same_attributes(toy):
    [image] = images(toy, [5])
    again = type(image)(image.index, image.seed, image.draw, image.attributes, attempt=1)
    assert worst(pixels(toy, [image]), pixels(toy, [again])) > 20


class Clockwork(Forward):
    """Each pass takes the time that a table gives, and none of the test's."""

    def __init__(self, rates: dict[tuple[str, int], float]) -> None:
        super().__init__("cpu")
        self.rates = rates

    def _seconds(self, model, z, condition):
        weight = model.generator.to_pixels.weight
        last = weight.is_contiguous(memory_format=torch.channels_last)
        return len(z) / self.rates["channels_last" if last else "contiguous", len(z)]


def table(**rates: list[float]) -> dict[tuple[str, int], float]:
    return {(name, b): r for name, row in rates.items() for b, r in zip((16, 32, 64, 128), row, strict=True)}


@pytest.mark.parametrize(
    ("rates", "best", "tried"),
    [
        (table(channels_last=[900, 1500, 1100, 9000], contiguous=[300] * 4), 32, 4),
        (table(channels_last=[200] * 4, contiguous=[700, 710, 720, 800]), 128, 5),
        (table(channels_last=[100, 100, 9000, 9000], contiguous=[50] * 4), 16, 2),
        (table(channels_last=[1e4, 2e4, 4e4, 8e4], contiguous=[1e4] * 4), 128, 5),
    ],
    ids=["peak", "contiguous", "slow", "fast"],
)
def test_tuning_chooses_the_fastest_batch_that_does_not_block_the_device_for_long(folder, rates, best, tried):
    model = toy_model(folder)
    forward = Clockwork(rates)
    measured = forward.tune(model)
    assert forward.batch(model) == best
    assert len(measured) == tried
    assert best / max(measured.values()) <= MAX_SECONDS
    assert all(measured[key] == pytest.approx(rates[key]) for key in measured)


def test_a_model_that_was_never_tuned_works(toy):
    assert Forward("cpu").batch(toy) == 32


class Cramped(Forward):
    """A device whose memory holds ``most`` images."""

    def __init__(self, most: int) -> None:
        super().__init__("cpu")
        self.most = most

    def _seconds(self, model, z, condition):
        if len(z) > self.most:
            raise torch.OutOfMemoryError
        return 0.01


@pytest.mark.parametrize(("most", "chosen"), [(16, 16), (15, 4), (1, 1)])
def test_a_batch_that_does_not_fit_into_memory_is_not_chosen(toy, most, chosen):
    forward = Cramped(most)
    rates = forward.tune(toy)
    assert forward.batch(toy) == chosen
    assert max(rates.values()) == 100 * chosen


def test_a_model_too_large_for_the_device_is_refused_in_one_sentence(toy):
    weights = sum(p.numel() * 4 for p in toy.generator.parameters()) >> 20
    with pytest.raises(ProdgenError, match=f"{toy.id} is too large for the device cpu: .* {weights} MiB"):
        Cramped(0).tune(toy)


def test_another_error_than_a_full_memory_is_not_taken_for_one(toy, monkeypatch):
    def fail(*_):
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    forward = Forward("cpu")
    monkeypatch.setattr(forward, "_seconds", fail)
    with pytest.raises(RuntimeError, match="illegal memory access"):
        forward.tune(toy)


def test_the_rate_is_measured_on_real_passes(toy):
    assert Forward("cpu").rate(toy, 4, 0.001) > 0


def test_half_precision_is_used_only_where_a_version_declares_it(toy):
    config = toy.config.model_copy(update={"precision": "bf16", "tolerance": 16})
    fast = dataclasses.replace(toy, config=config)
    asked = images(toy, range(8))
    difference = worst(pixels(toy, asked), pixels(fast, asked))
    assert 0 < difference <= 40
