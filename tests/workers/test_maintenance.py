"""A maintenance worker is small: it starts without torch, and rebuilds the ledger by itself."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import redis

from tests.servers.process import wait_until
from tests.servers.valkey import ValkeyServer

CELERY = (sys.executable, "-m", "celery", "-A", "workers.app")
MEBIBYTE = 1 << 20
DATABASE = 11
"""The number of a database of the shared server that no other test uses."""


def test_maintenance_needs_no_torch_and_little_memory(valkey_server: ValkeyServer, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "PRODGEN_REDIS_URL": valkey_server.url(DATABASE),
        "PRODGEN_STORE_URL": f"file://{tmp_path / 'store'}",
        "PRODGEN_READY_FILE": str(tmp_path / "ready"),
        "PRODGEN_TICK_SECONDS": "0.5",
    }
    command = (*CELERY, "worker", "-Q", "maintenance", "--pool", "threads", "-c", "2")
    beat = (*CELERY, "beat", "--schedule", str(tmp_path / "beat"), "--pidfile", "")
    log = (tmp_path / "log").open("wb")
    processes = [
        subprocess.Popen(words, env=environment, stdout=log, stderr=log) for words in (command, beat)
    ]
    try:
        wait_until(lambda: (tmp_path / "ready").exists(), f"maintenance is not ready; see {log.name}")
        client = redis.Redis.from_url(valkey_server.url(DATABASE))
        wait_until(lambda: client.exists("prodgen:epoch"), f"the ledger was not rebuilt; see {log.name}")
        worker = psutil.Process(processes[0].pid)
        assert not [part.path for part in worker.memory_maps() if "torch" in part.path]
        assert worker.memory_info().rss < 150 * MEBIBYTE

        def listening() -> int:
            return sum(c["db"] == str(DATABASE) and c["psub"] != "0" for c in client.client_list())

        wait_until(lambda: listening() > 0, "it listens to no commands")
        assert listening() == 1, "it listens to gossip of other workers"
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(100)
        log.close()
