"""A tenant changes the aliases of its own models only, one change at a time."""

import itertools
import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from prodgen.client import Client as OurClient
from prodgen.errors import ProdgenError
from prodgen.ledger.locks import lock
from prodgen.registry.publish import publish
from tests.gateway.running import Client, Gateway
from tests.sample_models import scored, write_model

Published = Callable[..., str]
_tenants = itertools.count(1)


@pytest.fixture
def promoter(gateway: Gateway) -> Iterator[Client]:
    """Return a client with a key that may promote versions and order images."""
    with gateway.client(f"promoter-{next(_tenants)}", ["promote", "generate"]) as client:
        yield client


@pytest.fixture
def published(promoter: Client, gateway: Gateway, tmp_path: Path) -> Published:
    """Return a function that publishes a version of the promoter's hats with a FID, and returns it."""
    numbers = itertools.count()

    def publish_one(fid: float | None, *aliases: str, **taken: str) -> str:
        number = next(numbers)
        folder = write_model(tmp_path / f"{number}", str(number).encode())
        scored(folder, fid, **taken)
        return publish(gateway.store, folder, "hats", promoter.tenant, aliases).version

    return publish_one


def promote(client: Client, version: str, alias: str = "production", **more: Any) -> dict[str, Any]:
    """Promote a version of the hats, and return the change."""
    response = client.post(f"/v1/models/hats/aliases/{alias}", json={"version": version, **more})
    assert response.status_code == 200, response.text
    move: dict[str, Any] = response.json()
    return move


def test_a_better_version_takes_the_place_and_gives_it_back(promoter: Client, published: Published) -> None:
    old, new = published(5.0), published(4.0, "staging")
    assert promote(promoter, old)["replaced"] is None

    move = promote(promoter, "staging")

    assert (move["name"], move["alias"], move["version"], move["replaced"]) == (
        "hats",
        "production",
        new,
        old,
    )
    assert promoter.order(model="hats@production")["model"] == f"hats@{new}"
    back = promoter.post("/v1/models/hats/aliases/production/rollback").json()
    assert (back["version"], back["replaced"], back["rollback"]) == (old, new, True)
    assert promoter.order(model="hats")["model"] == f"hats@{old}"

    shown = promoter.get("/v1/models/hats").json()
    assert [m["version"] for m in shown["history"] if m["alias"] == "production"] == [old, new, old]
    assert len({m["by"] for m in shown["history"]} - {None}) == 1
    assert shown["figure"]["fid"] == 5.0
    assert shown["lineage"] is None


def test_a_worse_version_is_refused_and_can_be_forced(promoter: Client, published: Published) -> None:
    good, worse, other = published(5.0), published(6.0), published(4.0, judge="abcdef")
    promote(promoter, good)
    for version, why in (
        (worse, "a Fréchet distance of 6.000 against 5.000, lower is better"),
        (other, "cannot be compared"),
    ):
        refused = promoter.error("POST", "/v1/models/hats/aliases/production", json={"version": version})
        assert (refused[0], refused[1]["code"]) == (409, "conflict")
        assert why in refused[1]["message"]
    assert promoter.get("/v1/models/hats").json()["version"] == good

    move = promote(promoter, worse, force=True)

    assert (move["forced"], move["figures"]["current"]["fid"]) == (True, 5.0)
    assert promoter.get("/v1/models/hats").json()["version"] == worse


def test_a_promotion_needs_the_scope(client: Client, gateway: Gateway) -> None:
    with gateway.client(client.tenant, ["generate", "train"]) as trainer:
        for path, body in (("production", {"version": "staging"}), ("production/rollback", None)):
            status, error = trainer.error("POST", f"/v1/models/hats/aliases/{path}", json=body)
            assert (status, error["code"]) == (403, "forbidden")
            assert "scope promote" in error["message"]


def test_aliases_of_shared_models_cannot_be_changed(promoter: Client) -> None:
    for path, body in (("spring", {"version": "production"}), ("production/rollback", None)):
        status, error = promoter.error("POST", f"/v1/models/shoes/aliases/{path}", json=body)
        assert (status, error["code"]) == (403, "forbidden")
        assert error["message"].startswith("shoes@production is shared by all tenants")
    assert promoter.get("/v1/models/shoes").json()["aliases"] == ["production"]


def test_another_tenants_model_is_not_found(promoter: Client, published: Published, gateway: Gateway) -> None:
    first, second = published(5.0), published(4.0)
    promote(promoter, first)
    with gateway.client("strange-promoters", ["promote"]) as stranger:
        for path, body in (("production", {"version": second}), ("production/rollback", None)):
            status, error = stranger.error("POST", f"/v1/models/hats/aliases/{path}", json=body)
            assert (status, error["message"]) == (404, "there is no model 'hats'; there are shoes")
    assert promoter.get("/v1/models/hats").json()["version"] == first


def test_a_change_that_makes_no_sense_is_refused_in_one_sentence(
    promoter: Client, published: Published
) -> None:
    version = published(5.0)
    for path, body, status in (
        ("hats/aliases/production", {"version": "spring"}, 404),
        ("hats/aliases/production", {"version": "../x"}, 400),
        ("hats/aliases/production", {}, 400),
        ("hats/aliases/production", {"version": version, "forced": True}, 400),
        ("hats/aliases/0123456789ab", {"version": version}, 400),
        ("hats@x/aliases/production", {"version": version}, 400),
        ("hats/aliases/production/rollback", None, 404),
        ("hats/aliases/production/rollback", {"version": 1}, 400),
    ):
        assert promoter.error("POST", f"/v1/models/{path}", json=body)[0] == status, (path, body)
    promote(promoter, version)
    status, error = promoter.error("POST", "/v1/models/hats/aliases/production/rollback")
    expected = f"hats@production is {version}, and there is no earlier version to go back to"
    assert (status, error["message"]) == (409, expected)


def test_no_change_is_lost_when_many_come_at_once(promoter: Client, published: Published) -> None:
    version = published(5.0)
    names = [f"alias-{n}" for n in range(6)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda alias: promote(promoter, version, alias), names))
    shown = promoter.get(f"/v1/models/hats@{version}").json()
    assert shown["aliases"] == names
    assert sorted(move["alias"] for move in shown["history"]) == names


def test_a_second_request_learns_why_it_has_to_wait(
    promoter: Client, published: Published, gateway: Gateway
) -> None:
    version = published(5.0)
    with lock(gateway.ledger, f"aliases:{promoter.tenant}:hats"):
        status, error = promoter.error(
            "POST", "/v1/models/hats/aliases/production", json={"version": version}
        )
    assert (status, error["message"]) == (
        503,
        "another request is changing an alias of hats; try again in a moment",
    )


def test_a_client_rolls_back_the_version_that_it_saw(promoter: Client, published: Published) -> None:
    first, second, third = published(5.0), published(4.0), published(3.0)
    key = promoter.key
    with OurClient(str(promoter.base_url), key) as client:
        for version in (first, second, third):
            client.promote("hats", version, "production")
        assert client.rollback("hats", "production")["version"] == second
        with pytest.raises(ProdgenError, match="scores worse"):
            client.promote("hats", first, "production")
    seen = {"version": third}
    again = promoter.post("/v1/models/hats/aliases/production/rollback", json=seen).json()
    assert again["version"] == second, "a request that is sent twice goes back once"


def test_listed_versions_show_the_figure_that_decides(promoter: Client, published: Published) -> None:
    fids = {published(5.0): 5.0, published(None): None}
    for model in promoter.get("/v1/models").json()["data"]:
        if model["name"] == "hats":
            assert (model["figure"] or {"fid": None})["fid"] == fids.pop(model["version"])
    assert fids == {}


def test_a_version_is_removed_once_nothing_needs_it(
    published: Published, promoter: Client, gateway: Gateway
) -> None:
    old, new = published(4.0, "production"), published(3.0)
    url = f"/v1/models/hats@{old}"
    message = promoter.error("DELETE", url)[1]["message"]
    assert message == f"hats@{old} is hats@production; promote another version first"
    job = promoter.order(model="hats", count=3)["id"]
    promote(promoter, new)
    assert promoter.error("DELETE", url)[1]["message"].startswith(f"job {job} needs hats@{old}; cancel it")
    gateway.work(promoter.tenant, job)
    assert promoter.delete(url).json()["removed"] == [f"hats@{old}"]
    assert not list(gateway.store.list(f"tenants/{promoter.tenant}/models/hats/{old}/"))
    assert promoter.error("DELETE", url)[0] == 404
    assert len(promoter.get(f"/v1/jobs/{job}/images").json()["data"]) == 3
    status, error = promoter.error("POST", "/v1/models/hats/aliases/production/rollback")
    assert (status, error["message"]) == (409, f"hats@{old}, which hats@production was before, is removed")


def test_a_removal_that_broke_off_is_completed_by_the_next_request(
    published: Published, promoter: Client, gateway: Gateway
) -> None:
    version = published(4.0)
    folder = f"tenants/{promoter.tenant}/models/hats/{version}"
    gateway.store.delete([f"{folder}/config.json"])  # the first step of a removal
    assert promoter.error("DELETE", f"/v1/models/hats@{version}")[0] == 404, "it may be a publication"
    for info in gateway.store.list(folder + "/"):
        os.utime(gateway.settings.store_url.removeprefix("file://") + "/" + info.key, (0, 0))
    assert promoter.delete(f"/v1/models/hats@{version}").status_code == 200
    assert not list(gateway.store.list(folder))


def test_a_version_that_another_was_trained_from_is_not_removed(
    published: Published, promoter: Client, gateway: Gateway
) -> None:
    source, child = (f"hats@{published(fid)}" for fid in (4.0, 3.0))
    lineage = {"run": "r", "recipe": {}, "data": {"name": "d", "digest": "0"}, "prodgen": "1"}
    lineage |= {"created": "2026-01-01T00:00:00Z", "begun_from": source}
    folder = f"tenants/{promoter.tenant}/models/{child.replace('@', '/')}"
    gateway.store.put(f"{folder}/lineage.json", json.dumps(lineage).encode())
    status, error = promoter.error("DELETE", f"/v1/models/{source}")
    assert (status, error["message"]) == (409, f"{child} was trained from {source}; remove {child} first")
    for ref in (child, source):
        assert promoter.delete(f"/v1/models/{ref}").status_code == 200
