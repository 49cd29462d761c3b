"""Turns what the ledger's scripts answer into entries, and entries into what the scripts take."""

from typing import Any

from prodgen.ledger.entries import Event, JobEntry, Lease, Progress
from prodgen.spec.order import CELL, cells


def identity(entry: JobEntry) -> tuple[str, str, str, int, float, float, int]:
    """A job's fields in the scripts' order."""
    return entry.id, entry.tenant, entry.queue, entry.total, entry.weight, entry.created, entry.lease_cells


def lease(fields: list[Any]) -> Lease:
    """From token, job, tenant, first, cells, alone."""
    token, job, tenant, first, count, alone = fields
    return Lease(token, job, tenant, first, count, alone=bool(alone))


def progress(id: str, flat: list[str], dead: list[str]) -> Progress:
    """From a job's record (``flat``: names and values by turns) and its dead cells."""
    record: dict[str, Any] = dict(zip(flat[::2], flat[1::2], strict=True))
    return Progress(
        id=id,
        tenant=record["tenant"],
        queue=record["queue"],
        state=record["state"],
        total=int(record["total"]),
        done=int(record["done"]),
        dead=sorted(map(int, dead)),
        error=record.get("error"),
        created=float(record["created"]),
        updated=float(record["updated"]),
    )


def event(id: str, fields: dict[str, Any]) -> Event:
    """From an entry of a job's stream."""
    data = {**fields, "done": int(fields["done"]), "total": int(fields["total"])}
    return Event(id, fields["type"], data)


def images(chosen: set[int], total: int) -> int:
    """The number of images in these cells of a job."""
    return sum(min(CELL, total - cell * CELL) for cell in chosen)


def bitmap(chosen: set[int], total: int) -> bytes:
    """One bit a cell, the first cell's the highest of the first byte, as Redis counts them."""
    bits = bytearray(-(-cells(total) // 8))
    for cell in chosen:
        bits[cell // 8] |= 0x80 >> cell % 8
    return bytes(bits)
