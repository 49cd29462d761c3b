"""Connect the processes that torchrun has started, or has restarted after a crash.

A restarted process finds the same TCP store, with the addresses of dead processes in it, and may connect to a
closed port (https://github.com/pytorch/pytorch/issues/135712). So rank 0 collects a random id from each
living process, and these processes then use only keys with a new prefix in the store.
"""

import json
import os
import secrets
import time
from collections.abc import Callable
from datetime import timedelta

import torch.distributed as dist

TIMEOUT = timedelta(minutes=10)
"""Longest wait for another process to start: torchrun starts all processes at once."""
POLL_SECONDS = 0.02


def rendezvous(host: str, port: int, rank: int, world_size: int) -> dist.Store:
    """Wait for ``world_size`` processes; return their own store. Raises TimeoutError if one is missing."""
    agent_hosts_store = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    store = dist.TCPStore(host, port, is_master=rank == 0 and not agent_hosts_store, timeout=TIMEOUT)
    prefix = _announce_prefix(store, world_size) if rank == 0 else _receive_prefix(store, rank)
    return dist.PrefixStore(prefix, store)


def _announce_prefix(store: dist.Store, world_size: int) -> str:
    """Publish a new prefix with the ids of all processes until each one confirms it; return the prefix."""
    prefix = secrets.token_hex(8)

    def all_confirmed() -> bool:
        ids = [store.get(f"id-{rank}").decode() for rank in range(1, world_size)]  # may be of dead processes
        store.set("announcement", json.dumps([prefix, ids]))
        return store.check([f"{prefix}-{own_id}" for own_id in ids])

    _wait_until(all_confirmed)
    return prefix


def _receive_prefix(store: dist.Store, rank: int) -> str:
    """Publish an id, wait for an announcement with this id, confirm it, and return the announced prefix."""
    own_id = secrets.token_hex(8)
    store.set(f"id-{rank}", own_id)
    prefix, ids = "", []

    def is_announced() -> bool:
        nonlocal prefix, ids
        prefix, ids = json.loads(store.get("announcement"))
        return own_id in ids

    _wait_until(is_announced)
    store.set(f"{prefix}-{own_id}", "confirmed")
    return prefix


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT.total_seconds()
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("some processes of this training have not started")
        time.sleep(POLL_SECONDS)
