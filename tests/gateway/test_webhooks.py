"""Over HTTP, a shop learns what became of its webhooks, and gets the secret that verifies them."""

from datetime import UTC, datetime, timedelta

import pytest

from prodgen.jobs.webhook_delivery import Sender
from tests.gateway.running import Client, Gateway

URL = "https://shop.invalid/hooks"
"""A URL whose host does not exist."""


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://shop.example/", "https://"),
        ("https://127.0.0.1/", "no public address"),
        ("https://user:secret@shop.example/", "neither a user nor a fragment"),
    ],
)
def test_an_order_with_a_webhook_that_is_never_sent_is_refused(client: Client, url: str, said: str) -> None:
    status, error = client.error("POST", "/v1/jobs", json={"model": "shoes", "webhook": url})
    assert (status, error["param"]) == (400, "webhook")
    assert said in error["message"]


def test_a_message_that_failed_is_shown_given_up_and_replayed(client: Client, gateway: Gateway) -> None:
    job = client.order(webhook=URL)
    assert job["request"]["webhook"] == URL
    path = f"/v1/webhooks/{job['id']}"
    assert client.error("GET", path)[0] == 404
    assert client.error("POST", f"{path}/replay")[0] == 409
    client.post(f"/v1/jobs/{job['id']}/cancel")
    now = datetime.now(UTC) + timedelta(seconds=2)
    Sender(gateway.store, gateway.ledger, now=now).send_due()
    shown = client.get(path).json()
    assert (shown["state"], shown["attempts"], shown["url"]) == ("waiting", 1, URL)
    assert shown["error"] == "the host shop.invalid is not known"
    Sender(gateway.store, gateway.ledger, now=now + timedelta(days=1)).send_due()
    assert client.get("/v1/webhooks").json()["data"] == [{**client.get(path).json(), "state": "dead"}]
    answer = client.post(f"{path}/replay")
    assert answer.status_code == 202
    assert (answer.json()["state"], answer.json()["attempts"]) == ("waiting", 0)
    assert answer.json()["message"] == shown["message"]
    assert client.get("/v1/webhooks").json()["data"] == []


def test_only_an_administrator_of_the_tenant_sees_its_secret(client: Client, gateway: Gateway) -> None:
    assert client.error("GET", "/v1/webhooks/secret")[0] == 403
    with gateway.client(client.tenant, ["admin"]) as admin, gateway.client("other", ["admin"]) as other:
        secret = admin.get("/v1/webhooks/secret").json()["secret"]
        assert secret.startswith("whsec_")
        assert admin.get("/v1/webhooks/secret").json()["secret"] == secret
        assert other.get("/v1/webhooks/secret").json()["secret"] != secret
        assert admin.post("/v1/webhooks/secret/rotate").json()["secret"] != secret


def test_a_message_of_another_tenant_is_not_found(client: Client, stranger: Client, gateway: Gateway) -> None:
    job = client.order(webhook=URL)["id"]
    client.post(f"/v1/jobs/{job}/cancel")
    assert stranger.error("GET", f"/v1/webhooks/{job}")[0] == 404
    assert stranger.error("POST", f"/v1/webhooks/{job}/replay")[0] == 404


def test_a_long_list_of_messages_that_were_given_up_has_pages(client: Client, gateway: Gateway) -> None:
    jobs = [client.order(webhook=URL)["id"] for _ in range(3)]
    for job in jobs:
        client.post(f"/v1/jobs/{job}/cancel")
    now = datetime.now(UTC) + timedelta(seconds=2)
    for days in range(2):
        Sender(gateway.store, gateway.ledger, now=now + timedelta(days=days)).send_due()
    first = client.get("/v1/webhooks?limit=2").json()
    second = client.get(f"/v1/webhooks?limit=2&after={first['next']}").json()
    assert [one["job"] for one in first["data"] + second["data"]] == sorted(jobs)
    assert second["next"] is None
