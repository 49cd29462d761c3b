"""Batches are the same on a GPU, where they are read ahead, as on a CPU."""

import threading

import pytest
import torch

from prodgen.training.batches import Prefetcher


def test_batches_that_are_read_ahead_come_in_order_with_the_same_content(make_trainer):
    batches = make_trainer(transform="flip", drop=0.3).state.batches
    numbers = [*range(15), 3, 4]  # over the end of an epoch, and back as after a divergence
    torch.manual_seed(5)
    expected = [batches[number] for number in numbers]

    batches._fetch = Prefetcher(batches._read)
    torch.manual_seed(5)
    got = [batches[number] for number in numbers]

    for one, other in zip(expected, got, strict=True):
        assert torch.equal(one.real, other.real)
        assert torch.equal(one.condition, other.condition)


def test_the_next_number_is_read_while_the_caller_is_busy():
    started = {number: threading.Event() for number in range(3)}

    def read(number):
        started[number].set()
        return number

    fetch = Prefetcher(read)
    assert fetch(0) == 0
    assert started[1].wait(100)
    assert not started[2].is_set()
    assert fetch(1) == 1


def test_an_error_while_reading_ahead_is_raised_for_its_own_number():
    fetch = Prefetcher(lambda number: 1 // (2 - number))
    assert fetch(1) == 1
    with pytest.raises(ZeroDivisionError):
        fetch(2)
