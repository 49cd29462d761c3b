"""Who runs the service sets tenants and keys over HTTP, and nobody else sees that other tenants exist."""

from collections.abc import Iterator

import pytest

from prodgen.tenants import Grant, grants
from tests.gateway.running import Client, Gateway


@pytest.fixture
def operator(gateway: Gateway) -> Iterator[Client]:
    with gateway.client("operators", ["operate"]) as operator:
        yield operator


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/tenants"),
        ("GET", "/v1/tenants/operators"),
        ("PATCH", "/v1/tenants/operators"),
        ("GET", "/v1/keys"),
        ("POST", "/v1/keys"),
        ("POST", "/v1/keys/0123456789ab/revoke"),
    ],
)
def test_a_tenants_administrator_is_no_operator(gateway: Gateway, method: str, path: str) -> None:
    with gateway.client("admins", ["admin"]) as admin:
        status, error = admin.error(method, path)
        assert (status, error["message"]) == (403, "this needs an API key with the scope operate")


def test_a_key_is_created_shown_once_used_and_revoked(
    operator: Client, gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "prodgen.operators")
    wish = {"tenant": "new-shop", "scopes": ["generate"], "label": "the web shop"}
    answer = operator.post("/v1/keys", json=wish)
    assert answer.status_code == 201
    made = answer.json()
    secret = made.pop("key")
    assert made.items() >= wish.items()
    listed = operator.get("/v1/keys", params={"tenant": "new-shop"})
    assert listed.json()["data"] == [made]
    headers = {"Authorization": f"Bearer {secret}"}
    assert operator.get("/v1/jobs", headers=headers).status_code == 200
    revoked = operator.post(f"/v1/keys/{made['id']}/revoke").json()
    assert revoked["revoked"]
    assert operator.get("/v1/jobs", headers=headers).status_code == 401
    assert "new-shop" in [one["tenant"] for one in operator.get("/v1/tenants").json()["data"]]
    own = [key.id for key in gateway.keys.list() if key.tenant == "operators"]
    created, ended = caplog.messages
    assert created.split()[1] == ended.split()[1] in own
    assert created.endswith(f"created key {made['id']} of tenant new-shop for generate")
    assert ended.endswith(f"revoked key {made['id']} of tenant new-shop")
    assert secret not in caplog.text + listed.text


@pytest.mark.parametrize(
    ("wish", "status", "param"),
    [
        ({"tenant": "shop", "scopes": ["operate"]}, 403, None),
        ({"tenant": "shop", "scopes": ["generate", "unmarked"]}, 403, None),
        ({"tenant": "../shop"}, 400, "tenant"),
        ({"tenant": "shop", "scopes": []}, 400, "scopes"),
        ({"tenant": "shop", "scopes": ["root"]}, 400, "scopes.1"),
        ({}, 400, "tenant"),
    ],
)
def test_a_key_that_may_not_be_is_refused(
    operator: Client, wish: dict[str, object], status: int, param: str | None
) -> None:
    found, error = operator.error("POST", "/v1/keys", json=wish)
    assert (found, error["param"]) == (status, param)


def test_an_operator_sets_limits_and_takes_them_away(operator: Client, gateway: Gateway) -> None:
    url = "/v1/tenants/big-shop"
    assert operator.get(url).json()["weight"] == 1.0
    view = operator.patch(url, json={"weight": 2, "images_per_day": 1000, "keep": "30d"}).json()
    assert (view["tenant"], view["weight"], view["images_per_day"]) == ("big-shop", 2.0, 1000)
    assert operator.patch(url, json={"images_per_day": None}).json() == {**view, "images_per_day": None}
    assert grants(gateway.store)["big-shop"] == Grant(weight=2.0, keep="30d")
    assert operator.error("PATCH", url, json={"weight": 0})[1]["param"] == "weight"
    assert operator.error("PATCH", url, json={"size": 1})[1]["param"] == "size"
    assert operator.error("PATCH", url, json={})[0] == 400
    assert operator.error("PATCH", "/v1/tenants/..shop", json={"weight": 2})[1]["param"] == "tenant"


def test_pages_of_keys_and_tenants_are_complete(operator: Client) -> None:
    for tenant in ("page-a", "page-b"):
        for _ in range(2):
            operator.post("/v1/keys", json={"tenant": tenant})
    for path, name in (("/v1/keys", "id"), ("/v1/tenants", "tenant")):
        whole = [one[name] for one in operator.get(path, params={"limit": 1000}).json()["data"]]
        found, after = [], dict[str, str]()
        while True:
            page = operator.get(path, params={"limit": 2, **after}).json()
            found += [one[name] for one in page["data"]]
            if page["next"] is None:
                break
            after = {"after": page["next"]}
        assert found == whole
