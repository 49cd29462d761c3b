"""A tick of maintenance does a bounded amount of work, and no job waits for the end of a large one."""

import threading
from types import SimpleNamespace

import pytest

from prodgen.jobs import ending
from prodgen.jobs.machines import ShutOut, all_shut_out
from prodgen.jobs.record import load_state
from prodgen.jobs.renders import TENANTS, trim_renders
from prodgen.ledger.ledger import Ledger
from prodgen.storage import keys
from tests.jobs.workshop import MONDAY, new_record, order, work_off
from tests.ledger.memory import MemoryStore
from tests.servers.process import wait_until
from workers import maintain


def test_no_job_waits_for_the_end_of_a_large_one(
    ledger: Ledger, memory: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ending, "LARGE", 200)
    small, large = (order(memory, ledger, new_record(f"j{total}", total)) for total in (100, 300))
    work_off(memory, ledger, large, small)
    read = threading.Event()

    def wait(method: str, key: str) -> None:
        if key.startswith(keys.job("ada", large.id, "manifest/")):
            read.wait()

    memory.before = wait
    here = SimpleNamespace(store=memory, ledger=ledger, settings=SimpleNamespace(audit_share=0))
    try:
        assert [record.id for record, _ in maintain._settle(here)] == ["j100"]  # type: ignore[arg-type]
        assert maintain._settle(here) == []  # type: ignore[arg-type]
        assert load_state(memory, large) is None
    finally:
        read.set()
    wait_until(lambda: ledger.finishing() == [], "the large job was not settled")
    assert load_state(memory, large)


def test_a_look_at_the_images_by_their_addresses_is_bounded_and_comes_to_all_tenants() -> None:
    memory = MemoryStore()
    for number in range(2 * TENANTS):
        memory.put(keys.render(f"t{number}", "07" + "0" * 62), b"old")
        memory.put(keys.upload(f"t{number}", "0" * 64), b"kept")
    looks = [trim_renders(memory, budget=0, days=1, look=look) for look in (12, 14, 15, 16)]  # type: ignore[arg-type]
    assert looks == [0, TENANTS, TENANTS, 0]


def test_a_machine_that_is_readmitted_meanwhile_is_left_out(memory: MemoryStore) -> None:
    for machine in ("aaaaaaaa", "bbbbbbbb"):
        found = ShutOut(machine=machine, job="j", why="a fault", since=MONDAY)
        memory.put(f"{keys.SHUT_OUT}{machine}.json", found.model_dump_json().encode())

    def readmit(method: str, key: str) -> None:
        if key.endswith("aaaaaaaa.json"):
            memory.objects.pop(key, None)

    memory.before = readmit
    assert [one.machine for one in all_shut_out(memory)] == ["bbbbbbbb"]
