"""A real S3 server that pip installs: OpenStack Swift with its s3api."""

import getpass
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.process import Process, free_port

BACKENDS = ("account", "container", "object")

_SWIFT = """\
[swift-hash]
swift_hash_path_prefix = tests
swift_hash_path_suffix = tests
[storage-policy:0]
name = gold
default = yes
"""

_BACKEND = """\
[DEFAULT]
{common}
devices = {folder}
mount_check = false
disable_fallocate = true
# A nearly full disk is no reason to refuse a test its few bytes (507).
fallocate_reserve = 0
[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
# Nothing repairs a listing later, so a put must wait for it.
container_update_timeout = 10
[{kind}-replicator]
[{kind}-updater]
[{kind}-auditor]
"""

# Short pages make a listing of a few objects cross from one page to the next.
_PROXY = """\
[DEFAULT]
{common}
[pipeline:main]
pipeline = {filters} proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
{plain}
[filter:cache]
use = egg:swift#memcache
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
max_bucket_listing = 10
[filter:tempauth]
use = egg:swift#tempauth
user_prodgen_admin = {secret} .admin
"""

_FILTERS = (
    "catch_errors gatekeeper cache listing_formats s3api tempauth copy dlo slo symlink versioned_writes"
)


class S3Server:
    """Four processes; every put is on the disk before it is answered, so data survives `kill`."""

    region = "us-east-1"
    access_key = "prodgen:admin"
    secret_key = "a-secret-that-no-message-may-hold"

    def __init__(self, folder: Path) -> None:
        (folder / "d1").mkdir(parents=True)
        (folder / "swift.conf").write_text(_SWIFT)
        self.folder = folder
        self._processes = [self._configure(folder, kind) for kind in (*BACKENDS, "proxy")]
        self.endpoint = f"http://127.0.0.1:{self._processes[-1].port}"

    def start(self) -> None:
        """Start what does not run; return once it answers."""
        for process in self._processes:
            process.start()
        for process in self._processes:
            process.wait()

    def kill(self) -> None:
        """``kill -9`` all of it."""
        for process in reversed(self._processes):
            process.kill()

    def stop(self) -> None:
        """An orderly end."""
        for process in reversed(self._processes):
            process.stop()

    @contextmanager
    def down(self) -> Iterator[None]:
        """Killed for a while; it always comes back, for the next test."""
        self.kill()
        try:
            yield
        finally:
            self.start()

    def _configure(self, folder: Path, kind: str) -> Process:
        port = free_port()
        common = (
            f"bind_ip = 127.0.0.1\nbind_port = {port}\nworkers = 0\n"
            f"user = {getpass.getuser()}\nswift_dir = {folder}\n"
        )
        if kind == "proxy":
            plain = set(_FILTERS.split()) - {"cache", "s3api", "tempauth"}
            text = _PROXY.format(
                common=common,
                filters=_FILTERS,
                plain="\n".join(f"[filter:{name}]\nuse = egg:swift#{name}" for name in plain),
                secret=self.secret_key,
            )
        else:
            text = _BACKEND.format(common=common, folder=folder, kind=kind)
            _write_ring(folder / f"{kind}.ring.gz", port)
        config = folder / f"{kind}.conf"
        config.write_text(text)
        program = Path(sys.executable).with_name(f"swift-{kind}-server")
        return Process([sys.executable, program, config], port, folder / f"{kind}.log")


def _write_ring(path: Path, port: int) -> None:
    with warnings.catch_warnings(action="ignore"):  # eventlet calls itself deprecated
        from swift.common.ring import RingBuilder

    builder = RingBuilder(part_power=4, replicas=1, min_part_hours=1)
    builder.add_dev(
        {"id": 0, "region": 1, "zone": 1, "ip": "127.0.0.1", "port": port, "device": "d1", "weight": 1.0}
    )
    builder.rebalance()
    builder.get_ring().save(str(path))
