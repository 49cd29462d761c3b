"""A shop hears how its order ended, although maintenance is killed and Redis wiped at that moment."""

from tests.faults.whole import ORDER
from tests.servers.process import wait_until
from tests.servers.receiver import Receiver
from tests.servers.up import PATIENCE, Up


def test_a_webhook_survives_a_death_of_maintenance_and_a_wiped_redis(up: Up) -> None:
    receiver = Receiver()  # its port is open, and no answer comes yet
    with up.client() as client:
        job = client.submit({**ORDER, "count": 8, "webhook": receiver.url})["id"]
        for _ in client.watch(job):
            pass
        up.kill("maintenance")
        up.ledger().client.flushall()

        with receiver.serving():
            wait_until(lambda: receiver.requests, "the webhook is lost", PATIENCE)
            secret = client.webhook_secret()
        messages = receiver.verified(secret)

    assert {message["data"]["id"] for message in messages} == {job}
    assert len({headers["webhook-id"] for headers, _ in receiver.requests}) == 1
