"""Start the stack, keep it running, and end it leaving nothing behind."""

import threading
import time
from collections.abc import Callable

from prodgen.access import KeyRing
from prodgen.connections import connect_ledger
from prodgen.embedded.place import write_private
from prodgen.embedded.service import Service
from prodgen.embedded.stack import Stack
from prodgen.errors import Unavailable
from prodgen.recovery import ensure
from prodgen.registry import seed
from prodgen.settings import Settings
from prodgen.storage import connect

START_SECONDS = 120.0
_POLL = 0.1


class Supervisor:
    """Runs a `Stack` until ``stop`` is set; ``say`` hears what a person should know."""

    def __init__(self, stack: Stack, say: Callable[[str], None]) -> None:
        self.stack, self.place, self.say = stack, stack.place, say
        self.stop = threading.Event()

    def run(self, on_ready: Callable[[], None]) -> None:
        """Raises ProdgenError with the reason if a service does not come up."""
        try:
            self._start([self.stack.broker])
            self._seed()
            self._start(self.stack.others)
            if self.stop.is_set():
                return
            self._write_ready()
            on_ready()
            while not self.stop.wait(_POLL):
                self._watch()
        finally:
            self.place.ready_file.unlink(missing_ok=True)
            self._end()

    def _start(self, services: list[Service]) -> None:
        for service in services:
            service.start()
        deadline = time.monotonic() + START_SECONDS
        for service in services:
            while not service.ready():
                if self.stop.is_set():
                    return
                if service.pid is None or time.monotonic() > deadline:
                    raise Unavailable(
                        f"{service.name} did not start: {service.last_words()} (see {service.log})"
                    )
                time.sleep(_POLL)

    def _seed(self) -> None:
        """Bundled models, the first key, and the ledger rebuilt from the store if it was lost."""
        settings = Settings.model_validate(
            {k.removeprefix("PRODGEN_").lower(): v for k, v in self.stack.environment.items()}
        )
        store = connect(settings)
        seed(store)
        ring, key = KeyRing(store), self.place.kept("api_key")
        if key is None or ring.lookup(key) is None:
            secret, _ = ring.create("default", ["generate", "train", "promote", "admin"], "prodgen up")
            self.place.keep("api_key", secret)
        ensure(store, connect_ledger(settings))

    def _watch(self) -> None:
        revived = [service.name for service in self.stack.services if service.revive()]
        if revived:
            self.say(f"started again: {', '.join(revived)}")
            self._write_ready()

    def _write_ready(self) -> None:
        write_private(
            self.place.ready_file,
            {
                "gateway": self.stack.gateway,
                "docs": f"{self.stack.gateway}/docs",
                "flower": self.stack.flower,
                "api_key": self.place.kept("api_key"),
                "data_dir": str(self.place.root),
                "pids": {service.name: service.pid for service in self.stack.services},
            },
        )

    def _end(self) -> None:
        """Workers finish what they hold, all at once; the broker goes last, for they report to it."""
        threads = [threading.Thread(target=service.stop) for service in self.stack.others]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.stack.broker.stop()
