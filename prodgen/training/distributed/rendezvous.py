"""Where the processes that torchrun started find each other, and none finds the addresses of the dead.

When torchrun starts its processes again, it keeps the store in which those before them wrote where they
listen, and whoever reads first calls a closed port (https://github.com/pytorch/pytorch/issues/135712). So the
first process welcomes each by a word that only the living can know, and all go on under a new prefix.
"""

import json
import os
import secrets
import time
from collections.abc import Callable
from datetime import timedelta

import torch.distributed as dist

PATIENCE = timedelta(minutes=10)
"""torchrun starts all of them at once."""
PAUSE = 0.02


def meet(host: str, port: int, rank: int, size: int) -> dist.Store:
    """A store that nobody but these ``size`` processes has written to; raises TimeoutError without them."""
    hosted = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"  # by torchrun itself
    store = dist.TCPStore(host, port, is_master=rank == 0 and not hosted, timeout=PATIENCE)
    prefix = _welcome(store, size) if rank == 0 else _arrive(store, rank)
    return dist.PrefixStore(prefix, store)


def _welcome(store: dist.Store, size: int) -> str:
    prefix = secrets.token_hex(8)

    def all_heard() -> bool:
        words = [store.get(f"hello-{rank}").decode() for rank in range(1, size)]  # some perhaps of the dead
        store.set("welcome", json.dumps([prefix, words]))
        return store.check([f"{prefix}-{word}" for word in words])

    _wait(all_heard)
    return prefix


def _arrive(store: dist.Store, rank: int) -> str:
    word = secrets.token_hex(8)
    store.set(f"hello-{rank}", word)
    prefix, words = "", []

    def am_welcome() -> bool:
        nonlocal prefix, words
        prefix, words = json.loads(store.get("welcome"))
        return word in words

    _wait(am_welcome)
    store.set(f"{prefix}-{word}", "heard")
    return prefix


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE.total_seconds()
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("not all processes of this training have come")
        time.sleep(PAUSE)
