"""Faults that an audit finds when an order has ended: bit rot in the store, and a worker that lies."""

import json
from hashlib import sha1
from random import Random

from prodgen.client import Client
from prodgen.errors import ProdgenError
from prodgen.jobs.machines import all_shut_out, readmit
from prodgen.storage import keys
from tests.faults.campaign.orders import Customer, Order
from tests.faults.campaign.world import World
from tests.faults.whole import manifest


def rot(world: World, chance: Random, order: Order, customer: Customer) -> str:
    """Change a bit of an image or of a manifest. Returns what a reader and the audit did, or a defect."""
    line = chance.choice(manifest(world.store, order.id, order.tenant))
    key, at = str(line.object), line.offset or 0
    size = line.length or len(world.store.get(key))
    if chance.random() < 0.3:
        key = next(info.key for info in world.store.list(keys.job(order.tenant, order.id, "manifest/")))
        at, size = 0, len(world.store.get(key))
    data, place = bytearray(world.store.get(key)), at + chance.randrange(size)
    data[place] ^= 1 << chance.randrange(8)
    world.store.put(key, bytes(data))
    what = f"{'manifest' if '/manifest/' in key else 'image'}, bit of byte {place - at} of {size}"
    seen = read_all(customer.clients[order.tenant], order, customer)
    return f"{what}; a reader: {seen}; {audit(world, order, customer)[0]}"


def read_all(client: Client, order: Order, customer: Customer) -> str:
    """Return the error of a download of the whole order, or how many files it gave."""
    folder = customer.folder / f"read-{order.id}"
    folder.mkdir(exist_ok=True)
    try:
        return f"{len([*client.download(order.id, folder)])} files"
    except ProdgenError as error:
        return str(error)


def audit(world: World, order: Order, customer: Customer) -> tuple[str, int]:
    """Audit all images of an order, let the faulty ones be made again, and return a note and their number."""
    words = ("audit", order.id, "--sample", order.total, "--seed", "campaign", "--remake", "--json")
    done = world.cli(order.tenant, *words)
    if done.returncode not in (0, 1) or not done.stdout:
        return f"DEFECT: the audit ended with {done.returncode}: {done.stderr[-500:]}", 0
    found = json.loads(done.stdout)
    order.view = {}
    said = done.stderr.strip().replace("\n", "; ")
    faults = len(found["faults"])
    return f"the audit: {faults} faults, changed: {found['changed']}; {said}", faults


def readmit_all(world: World) -> list[str]:
    """Let all machines that are shut out work again. Returns their names."""
    found = [one.machine for one in all_shut_out(world.store)]
    for machine in found:
        readmit(world.store, world.ledger, machine)
    return found


def mend(
    world: World, chance: Random, orders: list[Order], customer: Customer, liar: str | None, rots: bool
) -> tuple[list[str], list[str]]:
    """Audit orders, if ``liar`` lied, then one of which a bit is changed, if ``rots``.

    Returns notes and defects.
    """
    notes, defects, lies = list[str](), list[str](), 0
    whole = [order for order in orders if order.kind == "images" and order.view["state"] == "succeeded"]
    for order in orders if liar else ():
        order.unaudited = order.view["state"] == "cancelled"
    for order in whole if liar else ():
        note, faults = audit(world, order, customer)
        notes.append(f"{order.id}: {note}")
        lies += faults
    late = customer.follow()
    if rots and not late:
        note = rot(world, chance, chance.choice(whole), customer)
        notes.append(note)
        if ": 0 faults, changed: None" in note:
            defects.append(note)
        late = customer.follow()
    defects += [f"order {order.id} has not ended after the audit: {order.view}" for order in late]
    shut = readmit_all(world)
    if lies and not shut:
        defects.append("no machine was shut out for its lies")
    guilty = sha1(liar.encode(), usedforsecurity=False).hexdigest()[:8] if liar else None  # as in leases.lua
    if honest := [machine for machine in shut if machine != guilty]:
        defects.append(f"{honest} did not lie and was shut out")
    defects += [note for note in notes if "DEFECT" in note]
    return [*notes, *(f"{machine} was shut out" for machine in shut)], defects
