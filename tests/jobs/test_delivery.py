"""A person sees images in order, and never a cell, a token or a gap."""

import json
from collections import Counter
from collections.abc import Sequence
from random import Random

import pytest

from prodgen.jobs import delivery
from prodgen.jobs.delivery import images, page, search
from prodgen.jobs.record import JobRecord
from prodgen.ledger.ledger import Ledger
from prodgen.storage import keys
from tests.jobs.workshop import LINE, new_record, order, work, work_off
from tests.ledger.memory import MemoryStore

TOTAL = 1000


@pytest.fixture
def record(ledger: Ledger, memory: MemoryStore) -> JobRecord:
    record = order(memory, ledger, new_record("j", TOTAL))
    work_off(memory, ledger, record, images=192)
    return record


@pytest.mark.parametrize("limit", [1, 63, 64, 100, 999, 1000, 5000])
def test_pages_put_together_are_the_whole_order(memory: MemoryStore, record: JobRecord, limit: int) -> None:
    seen: list[int] = []
    after: int | None = -1
    while after is not None:
        lines, after = page(memory, record, after, limit)
        assert len(lines) == limit or after is None
        seen += [line.index for line in lines]
    assert seen == list(range(TOTAL))


def test_a_search_finds_all_that_fit_in_bounded_pages(
    memory: MemoryStore, record: JobRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "SCAN", 150)
    for limit in (2, 100):
        seen, pages, after = list[int](), 0, -1
        while after is not None:
            lines, after = search(memory, record, lambda line: line.index % 7 == 0, after, limit)  # type: ignore[assignment]
            assert len(lines) <= limit
            seen += [line.index for line in lines]
            pages += 1
        assert seen == list(range(0, TOTAL, 7))
        assert pages >= TOTAL / 150


def test_a_page_may_begin_anywhere(memory: MemoryStore, record: JobRecord) -> None:
    for after in (-1, 0, 62, 63, 64, 191, 192, 500, 998):
        lines, _ = page(memory, record, after, 5)
        assert [line.index for line in lines] == list(range(after + 1, min(after + 6, TOTAL)))
    assert page(memory, record, 999, 5) == ([], None)


def test_a_page_of_a_million_images_reads_few_manifests(ledger: Ledger, memory: MemoryStore) -> None:
    record = order(memory, ledger, new_record("large", 64 * 500))
    work_off(memory, ledger, record, images=64)
    read: list[str] = []
    memory.before = lambda method, key: read.append(key) if method == "get" else None
    lines, after = page(memory, record, 64 * 400 + 10, 100)
    assert [line.index for line in lines] == list(range(64 * 400 + 11, 64 * 400 + 111))
    assert after == 64 * 400 + 110
    assert len(set(read)) <= 2
    assert len(read) <= 4  # with short reads that look for the first line


def test_a_page_finds_the_middle_of_the_longest_lease(ledger: Ledger, memory: MemoryStore) -> None:
    record = order(memory, ledger, new_record("large", 64 * 600))
    work_off(memory, ledger, record, images=1_000_000)
    for after in (64 * 255, 64 * 256 - 2, 64 * 256 - 1, 64 * 511):
        lines, _ = page(memory, record, after, 1)
        assert [line.index for line in lines] == [after + 1]


def test_a_running_order_shows_what_there_is(ledger: Ledger, memory: MemoryStore) -> None:
    record = order(memory, ledger, new_record("j", 256))
    leases = [ledger.lease("bulk", f"w{n}", 64) for n in range(4)]
    for lease in (leases[1], leases[3]):
        assert lease
        work(memory, ledger, record, lease)
    assert [line.index for line in images(memory, record)] == [*range(64, 128), *range(192, 256)]
    lines, after = page(memory, record, -1, 64)
    assert (lines[0].index, after) == (64, 127)
    assert [line.index for line in page(memory, record, 127, 64)[0]] == list(range(192, 256))


def long_manifest(memory: MemoryStore, sizes: Sequence[int]) -> JobRecord:
    """Write the published manifest of one lease, whose lines have a field of each of these sizes."""
    record = new_record("long", len(sizes))
    lines = (json.dumps({**LINE, "index": n, "file": "f", "sku": "s" * size}) for n, size in enumerate(sizes))
    memory.put(keys.manifest("ada", "long", 0), "\n".join([*lines, ""]).encode())
    return record


class CountingStore(MemoryStore):
    """Counts the requests for content and the bytes that they return."""

    requests = returned = 0

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        data = super().get(key, offset, length)
        self.requests += 1
        self.returned += len(data)
        return data


@pytest.mark.parametrize("limit", [1, 100, 1000])
def test_a_page_reads_little_more_than_it_returns(limit: int) -> None:
    store = CountingStore()
    record = long_manifest(store, [20] * 64 * 256)
    whole = len(store.objects[keys.manifest("ada", "long", 0)])
    for after in (-1, 10, 5_000, 11_111, 64 * 256 - 2):
        store.requests = store.returned = 0
        lines, _ = page(store, record, after, limit)
        assert [line.index for line in lines] == list(range(after + 1, min(after + 1 + limit, 64 * 256)))
        returned = sum(len(line.to_json()) + 1 for line in lines)
        assert store.returned < 2 * returned + 40_000 < whole / 5
        assert store.requests <= 6


@pytest.mark.parametrize("seed", range(20))
def test_a_page_finds_its_lines_however_long_they_are(seed: int) -> None:
    random, store = Random(seed), CountingStore()
    shapes = [lambda n: random.randrange(200), lambda n: n // 10, lambda n: 200 - n // 10]
    shapes += [lambda n: 6000 * (n % 700 == 5), lambda n: 10_000 * (n > 1500)]
    total = random.randrange(1, 2000)
    record = long_manifest(store, [shapes[seed % len(shapes)](n) for n in range(total)])
    for _ in range(10):
        after, limit = random.randrange(-1, total + 5), random.randrange(1, 50)
        lines, following = page(store, record, after, limit)
        assert [line.index for line in lines] == list(range(after + 1, min(after + 1 + limit, total)))
        assert following == (after + limit if after + 1 + limit < total else None)


def test_replacements_of_one_order_are_read_together(ledger: Ledger, memory: MemoryStore) -> None:
    """A page of a hundred replaced images must not take a hundred times the reads of a plain page."""
    records = [order(memory, ledger, new_record(job, total)) for job, total in (("j", 300), ("k", 128))]
    work_off(memory, ledger, *records)
    for place in range(200):  # the order k makes 128 of them only
        memory.put(keys.replacement("ada", "j", 50 + place, 1, "k", place), b"")
    reads = Counter[str]()
    memory.before = lambda method, key: reads.update([method])
    lines, following = delivery.page(memory, records[0], 49, 100, newest=True)
    assert reads["get"] < 20
    assert [line.index for line in lines] == list(range(50, 150))
    assert all("/jobs/k/" in (line.object or "") for line in lines)
    assert following == 149
    rest, _ = delivery.page(memory, records[0], 149, 100, newest=True)
    assert reads["get"] < 40
    assert ["/jobs/k/" in (line.object or "") for line in rest] == [True] * 28 + [False] * 72
