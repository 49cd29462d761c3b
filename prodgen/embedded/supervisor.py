"""Start the stack, keep it running, and stop all of its processes."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress

from prodgen.access import KeyRing
from prodgen.connections import connect_ledger
from prodgen.embedded.data_folder import write_private
from prodgen.embedded.service import Service
from prodgen.embedded.stack import Stack
from prodgen.errors import Unavailable
from prodgen.files import DISK_FULL
from prodgen.recovery import ensure
from prodgen.registry.publish import publish_bundled
from prodgen.settings import Settings
from prodgen.storage import connect

START_SECONDS = 120.0
_POLL, _ROOM_POLL = 0.1, 1.0


class Supervisor:
    """Runs a `Stack` until the event `stop` is set. Calls ``notify`` with messages for the user.

    While the disk of the data folder is full, starts no dead service again, because most services need free
    space to start.
    """

    def __init__(self, stack: Stack, notify: Callable[[str], None]) -> None:
        self.stack, self.folder, self.notify = stack, stack.folder, notify
        self.stop = threading.Event()
        self._is_full = False

    def run(self, on_ready: Callable[[], None]) -> None:
        """Run the stack until `stop` is set. Call ``on_ready`` once every service is ready.

        Raises Unavailable with the reason if a service does not start.
        """
        try:
            self._start([self.stack.broker])
            self._seed()
            self._start(self.stack.dependents)
            if self.stop.is_set():
                return
            self._write_ready()
            on_ready()
            while not self.stop.wait(_POLL):
                self._keep_running()
        finally:
            self.folder.ready_file.unlink(missing_ok=True)
            self._stop_all()

    def _start(self, services: list[Service]) -> None:
        for service in services:
            service.start()
        deadline = time.monotonic() + START_SECONDS
        for service in services:
            while not service.is_ready():
                if self.stop.is_set():
                    return
                if service.pid is None or time.monotonic() > deadline:
                    raise Unavailable(
                        f"{service.name} did not start: {service.last_log_line()} (see {service.log})"
                    )
                time.sleep(_POLL)

    def _seed(self) -> None:
        """Publish the bundled models, create an API key if none is valid, and rebuild a lost ledger."""
        settings = Settings.model_validate(
            {k.removeprefix("PRODGEN_").lower(): v for k, v in self.stack.environment.items()}
        )
        store = connect(settings)
        publish_bundled(store)
        ring, key = KeyRing(store), self.folder.find_secret("api_key")
        if key is None or ring.lookup(key) is None:
            secret, _ = ring.create("default", ["generate", "train", "promote", "admin"], "prodgen up")
            self.folder.set_secret("api_key", secret)
        ensure(store, connect_ledger(settings))

    def _keep_running(self) -> None:
        """Rotate logs and start dead services again. If the disk is full, tell the user once and wait."""
        try:
            for service in self.stack.services:
                service.rotate_log()
            due = [service for service in self.stack.services if service.is_due()]
            if due or self._is_full:
                self.folder.check_room()
                self._restart(due)
        except OSError as error:
            if error.errno not in DISK_FULL:
                raise
            if not self._is_full:
                self._is_full = True
                self._say(
                    f"the disk of {self.folder.root} is full: make room, and the service continues by itself"
                )
            self.stop.wait(_ROOM_POLL)

    def _restart(self, dead: list[Service]) -> None:
        for service in dead:
            service.start()
        self._write_ready()
        if self._is_full:
            self._is_full = False
            self._say("the disk has room again")
        if dead:
            self._say(f"started again: {', '.join(service.name for service in dead)}")

    def _say(self, sentence: str) -> None:
        with suppress(OSError):  # the output may be a file on the same full disk
            self.notify(sentence)

    def _write_ready(self) -> None:
        write_private(
            self.folder.ready_file,
            {
                "gateway": self.stack.gateway,
                "docs": f"{self.stack.gateway}/docs",
                "flower": self.stack.flower,
                "api_key": self.folder.find_secret("api_key"),
                "data_dir": str(self.folder.root),
                "pids": {service.name: service.pid for service in self.stack.services},
            },
        )

    def _stop_all(self) -> None:
        """Stop all services except the broker at the same time, then the broker, which they need."""
        threads = [threading.Thread(target=service.stop) for service in self.stack.dependents]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.stack.broker.stop()
