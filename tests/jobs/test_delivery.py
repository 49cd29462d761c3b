"""A person sees images in order, and never a cell, a token or a gap."""

import pytest

from prodgen.jobs.delivery import images, page
from prodgen.jobs.record import JobRecord
from prodgen.ledger.ledger import Ledger
from tests.jobs.workshop import new_record, order, work, work_off
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
    assert len(read) <= 3


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
