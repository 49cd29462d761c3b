"""Machines that are none: network namespaces on a bridge, each with an address and a cable of its own."""

import os
import shutil
import subprocess
from contextlib import suppress
from typing import Self


def can_make_namespaces() -> bool:
    """Whether this machine lets us."""
    if os.geteuid() or not shutil.which("ip"):
        return False
    name = f"probe{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True).returncode == 0
    if made:
        subprocess.run(["ip", "netns", "delete", name], check=True)
    return made


class Network:
    """``machines`` of the addresses .11, .12, …, and this one at .1."""

    def __init__(self, machines: int) -> None:
        self._subnet = free_subnet()
        self.address = f"{self._subnet}.1"
        self.names = [f"pg{os.getpid()}n{k}" for k in range(machines)]
        self._bridge = f"pg{os.getpid()}"

    def __enter__(self) -> Self:
        ip("link", "add", self._bridge, "type", "bridge")
        ip("address", "add", f"{self.address}/24", "dev", self._bridge)
        ip("link", "set", self._bridge, "up")
        for number, name in enumerate(self.names):
            ip("netns", "add", name)
            cable = self._cable(number)
            ip("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", name)
            ip("link", "set", cable, "master", self._bridge, "up")
            ip("-n", name, "address", "add", f"{self._subnet}.{11 + number}/24", "dev", "eth0")
            ip("-n", name, "link", "set", "eth0", "up")
            ip("-n", name, "link", "set", "lo", "up")
        return self

    def __exit__(self, *_: object) -> None:
        for name in self.names:
            with suppress(subprocess.CalledProcessError):
                ip("netns", "delete", name)
        with suppress(subprocess.CalledProcessError):
            ip("link", "delete", self._bridge)

    def inside(self, number: int) -> tuple[str, ...]:
        """What a command begins with to run on a machine."""
        return ("ip", "netns", "exec", self.names[number])

    def cut(self, number: int) -> None:
        """Pull a machine's cable."""
        ip("link", "set", self._cable(number), "down")

    def mend(self, number: int) -> None:
        """Plug it in again."""
        ip("link", "set", self._cable(number), "up")

    def _cable(self, number: int) -> str:
        return f"{self._bridge}c{number}"


def free_subnet() -> str:
    """Return the first three numbers of a network that this machine has no address in.

    A test that was killed leaves its bridge behind. A second bridge with the same network would
    never be reached, because the machine would send everything to the first.
    """
    taken = ip("-4", "-o", "address")
    return next(subnet for k in range(256) if f" {(subnet := f'10.213.{k}')}." not in taken)


def ip(*words: str) -> str:
    """Run an ``ip`` command and return what it prints; raises CalledProcessError."""
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout
