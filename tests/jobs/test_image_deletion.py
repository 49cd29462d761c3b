"""A deleted image is gone for all readers, stays gone, and changes neither root nor usage of its order."""

import io
import tarfile
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from prodgen.errors import Conflict, NotFound
from prodgen.jobs.archive import Archive
from prodgen.jobs.control import withdraw
from prodgen.jobs.deletion import DeletedJobs
from prodgen.jobs.delivery import find_image, images, page
from prodgen.jobs.ending import settle_jobs
from prodgen.jobs.image_deletion import delete_image, delete_newest
from prodgen.jobs.manifests import merkle_root, published_whole
from prodgen.jobs.proofs import prove
from prodgen.jobs.record import JobRecord, load_state
from prodgen.ledger.ledger import Ledger
from prodgen.spec.manifest import read_lines
from prodgen.spec.merkle import root_of
from prodgen.storage import keys
from tests.jobs.test_deletion import killed_at, made
from tests.jobs.test_retry import counted, in_cells, partial, retry
from tests.jobs.workshop import ended, new_record, order, work_off
from tests.ledger.memory import MemoryStore


def soon() -> datetime:
    return datetime.now(UTC) + timedelta(minutes=2)


def files(memory: MemoryStore) -> set[int]:
    """The images whose files are in the store, by index."""
    return {int(key.rpartition("/")[2][:9]) for key in in_cells(memory) if key.endswith(".png")}


def shown(memory: MemoryStore, record: JobRecord) -> set[int]:
    return {line.index for line in page(memory, record, limit=1000)[0]}


def test_an_image_is_gone_for_all_readers_and_its_line_says_so(ledger: Ledger, memory: MemoryStore) -> None:
    record = made(memory, ledger)
    root, usage, proof = ended(memory, record).root, counted(memory, record), prove(memory, record, 70)
    tag, lines = Archive(memory, record).tag, list(images(memory, record))
    for _ in range(2):  # a second request changes nothing
        line = delete_image(memory, ledger, "ada", "j", 70)
    others = set(range(100)) - {70}
    assert (line.index, line.deleted) == (70, True)
    assert find_image(memory, record, 70) == line
    assert shown(memory, record) == files(memory) == others
    assert [one.index for one in page(memory, record, 68, 3, deleted=True)[0]] == [69, 70, 71]
    assert merkle_root(memory, published_whole(memory, record)) == root == ended(memory, record).root
    assert prove(memory, record, 70) == proof
    assert counted(memory, record) == usage

    archive = Archive(memory, record)
    data = b"".join(archive.read(0, archive.size))
    assert (len(data), archive.tag == tag) == (archive.size, False)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        *files_in_tar, manifest = tar.getnames()
        text = tar.extractfile(manifest)
        assert text
        found = [*read_lines(text.read())]
    assert {int(name[:9]) for name in files_in_tar} == others
    assert [one.index for one in found if one.deleted] == [70]
    assert root_of(found) == root_of(lines)


def test_what_cannot_be_deleted_says_why(ledger: Ledger, memory: MemoryStore) -> None:
    made(memory, ledger)
    order(memory, ledger, new_record("runs", 100, packaging="files"))
    order(memory, ledger, new_record("tars", 100))
    for tenant, job, index, error, why in (
        ("bob", "j", 0, NotFound, "there is no job 'j'"),
        ("ada", "j", 100, NotFound, "job j has no finished image 100"),
        ("ada", "runs", 0, Conflict, "job runs has not ended"),
        ("ada", "tars", 0, Conflict, "job tars packs its images into tars"),
    ):
        with pytest.raises(error, match=why):
            delete_image(memory, ledger, tenant, job, index)
    assert files(memory) == set(range(100))


def test_a_kill_before_any_write_leaves_the_image_whole_or_deleted(
    ledger: Ledger, memory: MemoryStore
) -> None:
    record = made(memory, ledger)
    whole, state, results = dict(memory.objects), load_state(memory, record), set()
    for writes in count():
        done = killed_at(memory, writes, lambda: delete_image(memory, ledger, "ada", "j", 5))
        ledger.client.delete(f"{ledger.prefix}turn:j")
        gone = 5 not in shown(memory, record)
        DeletedJobs(memory).sweep(ledger, soon())
        assert shown(memory, record) == files(memory) == set(range(100)) - ({5} if gone else set())
        assert load_state(memory, record) == state
        results.add(gone)
        memory.objects = dict(whole)
        if done:
            break
    assert results == {True, False}


def test_a_retry_neither_makes_nor_counts_a_deleted_image_again(ledger: Ledger, memory: MemoryStore) -> None:
    record = partial(memory, ledger)  # cell 2 has failed
    for index in [*range(64), 70]:  # all images of the first lease
        delete_image(memory, ledger, "ada", "j", index)
    retry(memory, ledger)
    work_off(memory, ledger, record)
    settle_jobs(memory, ledger)
    assert ended(memory, record).state == "succeeded"
    assert shown(memory, record) == files(memory) == set(range(71, 300)) | set(range(64, 70))
    assert counted(memory, record) == (1, 300, 300 * len(b"image"))


def test_an_audit_that_takes_a_lease_back_does_not_bring_a_deleted_image_back(
    ledger: Ledger, memory: MemoryStore
) -> None:
    record = made(memory, ledger)
    usage = counted(memory, record)
    delete_image(memory, ledger, "ada", "j", 70)
    withdraw(memory, ledger, record, [published_whole(memory, record)[-1].folder], "an audit")
    retry(memory, ledger)
    work_off(memory, ledger, record)
    settle_jobs(memory, ledger)
    assert shown(memory, record) == files(memory) == set(range(100)) - {70}
    assert counted(memory, record) == usage


def test_a_deleted_image_leaves_the_one_that_replaces_it_and_the_other_way_round(
    ledger: Ledger, memory: MemoryStore
) -> None:
    record, again = made(memory, ledger), made(memory, ledger, "again")
    memory.put(keys.replacement("ada", "j", 5, 1, "again", 0), b"")
    new = find_image(memory, again, 0)
    assert new

    def newest() -> list[str | None]:
        found = page(memory, record, 4, 1, newest=True)[0]
        archive = Archive(memory, record, newest=True)
        assert sum(map(len, archive.read(0, archive.size))) == archive.size
        return [line.object for line in found if line.index == 5]

    assert newest() == [new.object]
    delete_image(memory, ledger, "ada", "j", 5)
    assert newest() == [new.object]
    delete_image(memory, ledger, "ada", "again", 0)
    assert newest() == []


def test_an_image_is_deleted_with_all_that_replace_it_if_one_asks_so(
    ledger: Ledger, memory: MemoryStore
) -> None:
    record, again = made(memory, ledger), made(memory, ledger, "again")
    for attempt, job, place in ((1, "again", 0), (2, "gone", 0), (3, "again", 999)):
        memory.put(keys.replacement("ada", "j", 5, attempt, job, place), b"")
    memory.put(keys.replacement("ada", "j", 6, 1, "again", 1), b"")
    assert delete_newest(memory, ledger, "ada", "j", 5).deleted
    assert shown(memory, again) == set(range(100)) - {0}
    assert 5 not in {line.index for line in page(memory, record, limit=1000, newest=True)[0]}
