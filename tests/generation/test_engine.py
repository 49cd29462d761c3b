"""Each caller of the engine gets the images of its own requests, and callers take turns."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import pytest

from prodgen.errors import ProdgenError
from prodgen.generation import engine as engine_module
from prodgen.generation import request as request_module
from prodgen.generation.engine import Engine
from prodgen.generation.forward import Forward
from prodgen.generation.request import Cancelled, Request, Response
from prodgen.spec.finish import Augment, Finish
from prodgen.spec.order import ImageRequest
from tests.generation.asking import images, opened, pixels, request, worst
from tests.toys import toy_model


class Watched(Forward):
    """Records the seeds of each batch, and blocks the device until the gate opens."""

    def __init__(self, batch: int) -> None:
        super().__init__("cpu")
        self.size = batch
        self.batches: list[list[int]] = []
        self.begun = threading.Event()
        self.gate = threading.Event()

    def batch(self, model):
        return self.size

    def __call__(self, model, images, truncation):
        self.batches.append([image.seed for image in images])
        self.begun.set()
        assert self.gate.wait(100)
        return super().__call__(model, images, truncation)


@pytest.fixture
def held(engine: Engine) -> Iterator[Callable[[int, Request], tuple[Watched, Response]]]:
    """An engine whose device is blocked in the first batch of its first request."""
    forwards = []

    def hold(batch: int, first: Request) -> tuple[Watched, Response]:
        engine.forward = Watched(batch)
        forwards.append(engine.forward)
        response = engine.submit(first)
        assert engine.forward.begun.wait(100)
        return engine.forward, response

    yield hold
    for forward in forwards:
        forward.gate.set()


def seeds(batches: Sequence[Sequence[int]]) -> list[dict[int, int]]:
    """The number of images of each seed in each batch."""
    return [{seed: batch.count(seed) for seed in batch} for batch in batches]


def test_everyone_gets_their_own_images_in_order(engine, toy):
    finishes = [Finish(), Finish(size=24), Finish(background="#c0392b"), Finish(augment=Augment(rotation=30))]
    orders = [
        Request(
            toy,
            images(toy, range(seed, seed + 5 + seed), seed),
            truncation=1.0 if seed % 3 else 0.5,
            finish=finishes[seed % 4],
            format=["png", "jpeg"][seed % 2],
            priority=seed % 2,
        )
        for seed in range(16)
    ]
    start = threading.Barrier(len(orders))

    def order(asked: Request) -> list[bytes]:
        start.wait(100)
        return list(engine.submit(asked))

    with ThreadPoolExecutor(len(orders)) as callers:
        results = list(callers.map(order, orders))
    for asked, files in zip(orders, results, strict=True):
        expected = pixels(toy, asked.images, asked.finish, asked.truncation)
        assert worst(opened(files), expected) <= (1 if asked.format == "png" else 60), asked.images[0].seed


def test_callers_share_a_batch(held, engine, toy):
    forward, first = held(8, request(toy, 1, seed=1))
    responses = [engine.submit(request(toy, 3, seed=seed)) for seed in (2, 3, 4)]
    forward.gate.set()
    for response in [first, *responses]:
        list(response)
    assert seeds(forward.batches) == [{1: 1}, {2: 3, 3: 3, 4: 2}, {4: 1}]


def test_a_request_of_higher_priority_goes_first_at_the_next_batch(held, engine, toy):
    forward, bulk = held(4, request(toy, 12, seed=1))
    urgent = engine.submit(request(toy, 3, seed=2, priority=1))
    forward.gate.set()
    assert len(list(urgent)) == 3
    assert len(list(bulk)) == 12
    assert seeds(forward.batches) == [{1: 4}, {2: 3, 1: 1}, {1: 4}, {1: 3}]


def test_low_priority_has_one_batch_in_five(held, engine, toy, folder):
    other = toy_model(folder, seed=9)
    forward, urgent = held(4, request(toy, 40, seed=1, priority=1))
    bulk = engine.submit(request(other, 8, seed=2))
    forward.gate.set()
    assert len(list(urgent)) == 40
    assert len(list(bulk)) == 8
    assert "".join(str(batch[0]) for batch in forward.batches) == "111121111211"


def test_tenants_take_turns_however_many_requests_they_have(held, engine, toy):
    forward, first = held(4, request(toy, 4, seed=1, tenant="greedy"))
    many = [engine.submit(request(toy, 8, seed=seed, tenant="greedy")) for seed in (2, 3, 4)]
    one = engine.submit(request(toy, 12, seed=9, tenant="modest"))
    forward.gate.set()
    for response in [first, *many, one]:
        list(response)
    assert "".join(str(batch[0]) for batch in forward.batches) == "1929394234"


def test_a_small_request_does_not_wait_for_a_huge_one_of_the_same_priority(held, engine, toy):
    forward, huge = held(4, request(toy, 16, seed=1))
    small = [engine.submit(request(toy, 5, seed=seed)) for seed in (2, 3)]
    forward.gate.set()
    for response in [huge, *small]:
        list(response)
    assert seeds(forward.batches)[:5] == [{1: 4}, {1: 4}, {2: 4}, {3: 4}, {1: 4}]


def test_two_models_take_turns(held, engine, toy, folder):
    other = toy_model(folder, seed=9)
    forward, first = held(4, request(toy, 8, seed=1))
    second = engine.submit(request(other, 8, seed=2))
    forward.gate.set()
    assert worst(opened(list(second)), pixels(other, second.request.images)) <= 1
    assert worst(opened(list(first)), pixels(toy, first.request.images)) <= 1
    assert all(len(set(batch)) == 1 for batch in forward.batches)
    assert seeds(forward.batches)[:3] == [{1: 4}, {1: 4}, {2: 4}]


def test_cancelled_images_are_not_made(held, engine, toy):
    forward, bulk = held(4, request(toy, 1000, seed=1))
    waiting = engine.submit(request(toy, 1000, seed=2))
    waiting.cancel()
    bulk.cancel()
    forward.gate.set()
    with pytest.raises(Cancelled):
        list(waiting)
    with pytest.raises(Cancelled):
        list(bulk)
    assert len(list(engine.submit(request(toy, 2, seed=3)))) == 2
    assert seeds(forward.batches) == [{1: 4}, {3: 2}]


def test_a_waiting_caller_gets_the_cancellation(held, engine, toy):
    _, bulk = held(4, request(toy, 8, seed=1))
    with ThreadPoolExecutor(1) as caller:
        waiting = caller.submit(list, bulk)
        bulk.cancel()
        with pytest.raises(Cancelled):
            waiting.result(100)


def test_a_caller_who_stops_iterating_stops_the_work(held, engine, toy):
    forward, bulk = held(4, request(toy, 20_000, seed=1))
    forward.gate.set()
    assert len(list(islice(bulk, 6))) == 6
    assert bulk.cancelled
    assert len(list(engine.submit(request(toy, 2, seed=2)))) == 2
    assert len(forward.batches) < 4000


def test_thousands_of_cancelled_requests_do_no_harm(held, engine, toy):
    forward, _ = held(4, request(toy, 1, seed=1))
    for _ in range(1500):
        engine.submit(request(toy, 1, seed=2)).cancel()
    forward.gate.set()
    assert len(list(engine.submit(request(toy, 1, seed=3)))) == 1


def unknown(toy) -> Request:
    return Request(toy, [ImageRequest(0, 2, 0, {"category": "hat", "pattern": "plain"})])


def test_a_bad_request_fails_alone(held, engine, toy):
    forward, first = held(8, request(toy, 1, seed=1))
    bad = engine.submit(unknown(toy))
    good = [engine.submit(request(toy, 3, seed=seed)) for seed in (3, 4)]
    forward.gate.set()
    with pytest.raises(ProdgenError, match="no category 'hat'"):
        list(bad)
    for response in [first, *good]:
        assert worst(opened(list(response)), pixels(toy, response.request.images)) <= 1
    assert len(list(engine.submit(request(toy, 2)))) == 2
    with pytest.raises(Cancelled):
        list(bad)


@pytest.mark.parametrize("options", [{"format": "bmp2"}, {"finish": "not a finish"}])
def test_a_request_that_fails_after_the_network_fails_alone(held, engine, toy, options):
    forward, first = held(8, request(toy, 1, seed=1))
    bad = Request(toy, images(toy, range(2), 2))
    for name, value in options.items():
        object.__setattr__(bad, name, value)
    if "finish" in options:
        object.__setattr__(bad, "finish", Finish().model_copy(update={"background": "blurple"}))
    responses = [engine.submit(bad), engine.submit(request(toy, 3, seed=3))]
    forward.gate.set()
    with pytest.raises((KeyError, ValueError)):
        list(responses[0])
    assert len(list(responses[1])) == 3
    assert len(list(first)) == 1


def test_closing_makes_the_queued_images(toy):
    engine = Engine("cpu")
    responses = [engine.submit(request(toy, 40, seed=seed)) for seed in range(3)]
    engine.close()
    for response in responses:
        assert worst(opened(list(response)), pixels(toy, response.request.images)) <= 1
    with pytest.raises(RuntimeError, match="closed"):
        engine.submit(request(toy, 1))
    engine.close()


def test_an_idle_engine_closes():
    with Engine("cpu"):
        pass


def test_a_request_without_images_ends_at_once(engine, toy):
    assert list(engine.submit(request(toy, 0))) == []


def test_a_caller_who_does_not_take_images_does_not_fill_the_memory(engine, toy, monkeypatch):
    monkeypatch.setattr(request_module, "MAX_AHEAD", 10 * 16 * 16)
    engine.forward = forward = Watched(4)
    forward.gate.set()
    slow = engine.submit(request(toy, 30, seed=1))
    for seed in range(2, 8):  # by the last one, only the bound can have held the first request back
        assert len(list(engine.submit(request(toy, 4, seed=seed)))) == 4
    assert sum(batch.count(1) for batch in forward.batches) == 10
    assert worst(opened(list(slow)), pixels(toy, slow.request.images)) <= 1


def test_closing_does_not_wait_for_a_caller_who_does_not_take(toy, monkeypatch):
    monkeypatch.setattr(request_module, "MAX_AHEAD", 4 * 16 * 16)
    engine = Engine("cpu")
    forgotten = engine.submit(request(toy, 50))
    engine.close()
    assert len(list(forgotten)) == 50


def test_large_images_are_finished_a_few_at_a_time(engine, toy, monkeypatch):
    monkeypatch.setattr(engine_module, "CHUNK_PIXELS", 3 * 32 * 32)
    finish = Finish(size=32, background="white")
    sizes = []

    class Counting(Forward):
        def finish(self, model, x, finish, images):
            sizes.append(len(x))
            return super().finish(model, x, finish, images)

    engine.forward = Counting("cpu")
    asked = request(toy, 10, finish=finish)
    assert worst(opened(list(engine.submit(asked))), pixels(toy, asked.images, finish)) <= 1
    assert sizes == [3, 3, 3, 1]


def test_an_image_larger_than_a_piece_is_made(engine, toy, monkeypatch):
    monkeypatch.setattr(engine_module, "CHUNK_PIXELS", 1)
    monkeypatch.setattr(request_module, "MAX_AHEAD", 1)
    assert len(list(engine.submit(request(toy, 3)))) == 3


def test_a_cancel_takes_effect_between_the_pieces_of_large_images(engine, toy, monkeypatch):
    monkeypatch.setattr(engine_module, "CHUNK_PIXELS", 32 * 32)
    finished: list[int] = []
    responses: list[Response] = []

    class Cancelling(Watched):
        def finish(self, model, x, finish, images):
            finished.append(images[0].index)
            responses[0].cancel()
            return super().finish(model, x, finish, images)

    engine.forward = Cancelling(8)
    responses.append(engine.submit(request(toy, 8, finish=Finish(size=32))))
    engine.forward.gate.set()
    with pytest.raises(Cancelled):
        list(responses[0])
    assert len(list(engine.submit(request(toy, 1)))) == 1
    assert finished == [0, 0]
