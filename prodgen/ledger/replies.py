"""Converts between the types of the ledger and the arguments and answers of its scripts."""

from typing import Any

from prodgen.ledger.entries import Event, JobEntry, Lease, Progress
from prodgen.spec.order import CELL, count_cells


def identity(entry: JobEntry) -> tuple[str, str, str, int, float, float, int]:
    """Return a job's fields in the order that the scripts expect."""
    return entry.id, entry.tenant, entry.queue, entry.total, entry.weight, entry.created, entry.lease_cells


def lease(fields: list[Any]) -> Lease:
    """Convert the list token, job, tenant, first, cells, alone."""
    token, job, tenant, first, count, alone = fields
    return Lease(token, job, tenant, first, count, alone=bool(alone))


def progress(id: str, flat: list[str], dead: list[str]) -> Progress:
    """Convert a job's hash (``flat``: name, value, name, value …) and its dead cells."""
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
    """Convert an entry of a job's event stream."""
    data = {**fields, "done": int(fields["done"]), "total": int(fields["total"])}
    return Event(id, fields["type"], data)


def images(chosen: set[int], total: int) -> int:
    """Return the number of images in the chosen cells of a job."""
    return sum(min(CELL, total - cell * CELL) for cell in chosen)


def bitmap(chosen: set[int], total: int) -> bytes:
    """Return one bit a cell, in the bit order of Redis: cell 0 is the highest bit of the first byte."""
    bits = bytearray(-(-count_cells(total) // 8))
    for cell in chosen:
        bits[cell // 8] |= 0x80 >> cell % 8
    return bytes(bits)
