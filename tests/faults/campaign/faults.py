"""The faults of a campaign, by name. Each lasts for some seconds and is over when its function returns."""

import subprocess
import time
from collections.abc import Callable
from random import Random

from tests.faults.campaign.orders import SIZES, Customer
from tests.faults.campaign.world import WORKERS, World
from tests.servers.process import wait_until
from tests.servers.proxy import Mode, Proxy

Fault = Callable[[World, Random, Customer], None]


def kill(*names: str) -> Fault:
    """``kill -9`` one of some processes."""
    return lambda world, chance, _: world.kill(chance.choice(names))


def kill_redis(world: World, chance: Random, _: Customer) -> None:
    world.redis.kill()
    time.sleep(chance.uniform(0, 3))
    world.redis.start()


def wipe(world: World, *_: object) -> None:
    world.ledger.client.flushall()


def stop_worker(world: World, chance: Random, _: Customer) -> None:
    """Stop a worker for longer than a lease."""
    name = chance.choice(WORKERS)
    world.freeze(name, stopped=True)
    time.sleep(chance.uniform(4, 8))
    world.freeze(name, stopped=False)


def lose_power(world: World, chance: Random, _: Customer) -> None:
    """Lose what Redis, the workers, the gateway and a local store have not flushed."""
    with world.down():
        world.disk.lose_power(chance)


def half_open_redis(world: World, *_: object) -> None:
    world.to_redis.half_open()


def half_open_s3(world: World, *_: object) -> None:
    _s3(world).half_open()


def redis_mode(mode: Mode, shortest: float, longest: float) -> Fault:
    """Let the connections to Redis be ``mode`` for some seconds."""

    def fault(world: World, chance: Random, _: Customer) -> None:
        with world.to_redis.being(mode):
            time.sleep(chance.uniform(shortest, longest))

    return fault


def s3_mode(mode: Mode) -> Fault:
    """Let the S3 server be ``mode`` for some seconds."""

    def fault(world: World, chance: Random, _: Customer) -> None:
        with _s3(world).being(mode):
            time.sleep(chance.uniform(2, 10))

    return fault


def read_only(world: World, chance: Random, _: Customer) -> None:
    """Make the store's folder read-only."""
    _remount(world, "ro")
    time.sleep(chance.uniform(1, 6))
    _remount(world, "rw")


def wrong_clock(world: World, chance: Random, _: Customer) -> None:
    """Let the clock of a worker, of maintenance or of the gateway be minutes wrong."""
    name = chance.choice((*WORKERS, "maintenance", "gateway"))
    with world.changed(name, skew=chance.choice((-1, 1)) * chance.randrange(60, 600)):
        time.sleep(chance.uniform(3, 8))


def lose_doorbells(world: World, chance: Random, _: Customer) -> None:
    """Remove the messages that wait."""
    end = time.monotonic() + chance.uniform(2, 6)
    while time.monotonic() < end:
        world.ledger.client.delete("bulk", "interactive", "maintenance", "training")
        time.sleep(0.02)


def double_doorbells(world: World, chance: Random, _: Customer) -> None:
    """Repeat each message that waits ten times."""
    client, end = world.ledger.client, time.monotonic() + chance.uniform(2, 6)
    while time.monotonic() < end:
        for queue in ("bulk", "interactive", "maintenance", "training"):
            if message := client.lindex(queue, 0):
                client.lpush(queue, *[message] * 10)
        time.sleep(0.1)


def cancel(world: World, chance: Random, customer: Customer) -> None:
    """Place a large order, and cancel it after a while."""
    order = customer.order(chance, "images", max(SIZES))
    time.sleep(chance.uniform(0, 2))
    order.cancelled = True
    customer.repeat(lambda: customer.clients[order.tenant].cancel(order.id))


BOTH: dict[str, Fault] = {
    "a worker is killed": kill(*WORKERS),
    "maintenance is killed": kill("maintenance", "beat"),
    "the gateway is killed": kill("gateway"),
    "a training node is killed": kill("training"),
    "Redis is killed": kill_redis,
    "Redis is wiped": wipe,
    "a worker is stopped": stop_worker,
    "the power is lost": lose_power,
    "connections to Redis are half open": half_open_redis,
    "Redis is silent": redis_mode("silent", 4, 10),
    "Redis is slow": redis_mode("slow", 2, 8),
    "a clock is minutes wrong": wrong_clock,
    "doorbells are lost": lose_doorbells,
    "doorbells are repeated": double_doorbells,
    "an order is cancelled": cancel,
}
LOCAL: dict[str, Fault] = {"the store is read-only": read_only}
S3: dict[str, Fault] = {
    "connections to S3 are half open": half_open_s3,
    "S3 is silent": s3_mode("silent"),
    "S3 is slow": s3_mode("slow"),
    "S3 cuts uploads": s3_mode("cut"),
    "S3 answers 503": s3_mode("busy"),
    "S3 is full": s3_mode("full"),
}


def _s3(world: World) -> Proxy:
    assert world.to_s3
    return world.to_s3


def _remount(world: World, mode: str) -> None:
    """Remount read-only or writable. While a file is open for writing the first fails, and is tried again."""
    command = ("mount", "-o", f"remount,bind,{mode}", world.data / "store")
    wait_until(lambda: subprocess.run(command, capture_output=True).returncode == 0, f"not {mode}")
