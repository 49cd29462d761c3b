"""Waiting images are taken tenant by tenant, and an image that no client waits for is not made."""

import pytest
import redis

from prodgen.errors import ProdgenError, TooManyRequests
from prodgen.ledger.changes import changes
from prodgen.ledger.entries import JobEntry
from prodgen.ledger.ledger import Ledger
from prodgen.ledger.renders import MAKE_SECONDS, MOST_WAITING, SEARCH_SECONDS, Asked, Renders
from prodgen.spec.formula import Formula
from prodgen.spec.order import Mix
from prodgen.spec.redrawing import Picture


@pytest.fixture
def renders(ledger: Ledger) -> Renders:
    return Renders(ledger)


def image(tenant: str, index: int) -> Asked:
    return Asked(tenant, Formula(model="shoes@1", seed=7, index=index, format="png", attributes={}))


def test_a_small_tenant_does_not_wait_for_a_large_one(renders: Renders) -> None:
    for index in range(MOST_WAITING):
        assert renders.ask(image("large", index), 1.0)
    with pytest.raises(TooManyRequests):
        renders.ask(image("large", 99), 1.0)
    assert not renders.ask(image("large", 0), 1.0), "the image waits already"
    for index in range(4):
        renders.ask(image("small", index), 1.0)
    taken = renders.take("w", 8)
    assert [asked.tenant for asked in taken].count("small") == 4
    assert taken[0] == image("large", 0)
    assert renders.ledger.backlog("interactive").models == {"shoes@1": MOST_WAITING + 4 - 8}


def morph(tenant: str, index: int, steps: int = 32) -> Asked:
    fields = {**image(tenant, index).formula.model_dump(), "mix": Mix(seed=9, draw=3), "steps": steps}
    return Asked(tenant, Formula.model_validate(fields))


def test_a_morph_waits_and_is_taken_as_all_of_its_images(renders: Renders) -> None:
    asked = [morph("ada", 0), morph("ada", 1, 30), image("ada", 2), image("ada", 3)]
    for one in asked:
        assert renders.ask(one, 1.0)
    assert renders.ledger.backlog("interactive").images == 64
    with pytest.raises(TooManyRequests):
        renders.ask(image("ada", 4), 1.0)
    assert [renders.take("w", count) for count in (8, 31, 64)] == [asked[:1], asked[1:3], asked[3:]]
    assert renders.ledger.backlog("interactive").images == 0


def edit(tenant: str, index: int) -> Asked:
    picture = Picture(sha256="0" * 64)
    return Asked(tenant, image(tenant, index).formula.model_copy(update={"picture": picture}))


def test_searches_for_pictures_are_taken_two_at_a_time_and_held_for_longer(
    renders: Renders, client: redis.Redis
) -> None:
    asked = [edit("ada", 0), edit("ada", 1), edit("ada", 2), image("ada", 3)]
    for one in asked:
        assert renders.ask(one, 1.0)
    assert renders.ledger.backlog("interactive").images == 4
    assert [renders.take("w", 64) for _ in range(2)] == [asked[:2], asked[2:]]
    key = f"prodgen:render:ada:{asked[0].formula.digest}"
    assert MAKE_SECONDS < client.ttl(key) <= SEARCH_SECONDS


def test_a_formula_of_a_later_version_costs_no_tenant_another_image(
    renders: Renders, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    renders.ask(image("ada", 0), 1.0)
    with monkeypatch.context() as later:
        later.setattr(Formula, "model_dump_json", lambda self: '{"hologram": true}')
        renders.ask(image("eve", 0), 1.0)
    renders.ask(image("ida", 0), 1.0)
    assert renders.take("w", 8) == [image("ada", 0), image("ida", 0)]
    assert renders.look(image("eve", 0)) == "waiting", "it is asked for again later"


def test_other_counts_of_older_versions_are_forgotten_once_nothing_waits(
    renders: Renders, client: redis.Redis
) -> None:
    for drift in (31, -31):
        renders.ask(image("ada", drift + 31), 1.0)
        client.hincrby("prodgen:queue:interactive", "owed", drift)
        client.hincrby("prodgen:queue:interactive:models", "shoes@1", drift)
        assert len(renders.take("w", 8)) == 1
        backlog = renders.ledger.backlog("interactive")
        assert (backlog.images, backlog.models) == (0, {})
    renders.ledger.submit(JobEntry(id="j", tenant="ada", queue="interactive", total=64))
    renders.ask(image("ada", 1), 1.0)
    assert len(renders.take("w", 8)) == 1
    assert renders.ledger.backlog("interactive").images == 64, "an order is still owed"


def test_an_image_whose_client_has_gone_is_dropped(renders: Renders, client: redis.Redis) -> None:
    for index in range(3):
        renders.ask(image("ada", index), 1.0)
    client.delete(f"prodgen:render:ada:{image('ada', 1).formula.digest}")
    assert renders.take("w", 8) == [image("ada", 0), image("ada", 2)]
    assert renders.ledger.backlog("interactive").images == 0


def test_an_image_is_given_up_until_a_worker_takes_it_and_then_costs_nothing(renders: Renders) -> None:
    for index in range(MOST_WAITING):
        renders.ask(image("ada", index), 1.0)
    [taken] = renders.take("w", 1)
    renders.drop(taken)
    assert renders.look(taken) == "waiting", "a worker makes it, so it is worth keeping"
    for index in range(1, MOST_WAITING):
        renders.drop(image("ada", index))
    assert renders.take("w", 64) == []
    assert renders.ledger.backlog("interactive").images == 0
    assert renders.ask(image("ada", 1), 1.0)
    assert renders.ledger.admit("ada", "j", 1, 2, None), "both images count, those that were given up do not"
    assert renders.ledger.admit("ada", "j", 1, 3, None) is None


def test_clients_get_a_small_image_before_it_is_in_the_store(renders: Renders) -> None:
    renders.ask(image("ada", 0), 1.0)
    [taken] = renders.take("w", 1)
    heard = changes(renders.ledger)
    assert next(heard) == "", "what changed before was missed"
    renders.end(taken, 4, file=b"\x89PNG")
    assert next(name for name in heard if name) == taken.name
    assert renders.look(taken) == b"\x89PNG"
    renders.ask(taken, 1.0)
    assert renders.take("w", 1) == [], "it is not made again"


def test_a_user_of_redis_who_may_not_publish_still_has_whole_scripts(
    renders: Renders, client: redis.Redis
) -> None:
    client.acl_setuser(
        "silent", enabled=True, nopass=True, keys=["*"], commands=["+@all"], reset_channels=True
    )
    renders.ask(image("ada", 0), 1.0)
    [taken] = renders.take("w", 1)
    server = {name: client.connection_pool.connection_kwargs[name] for name in ("host", "port", "db")}
    with redis.Redis(**server, username="silent", password="any", decode_responses=True) as silent:
        Renders(Ledger(silent)).end(taken, 4, file=b"\x89PNG")
    client.acl_deluser("silent")
    assert renders.look(taken) == b"\x89PNG"


def test_an_image_lost_with_its_worker_is_asked_for_again(renders: Renders) -> None:
    renders.ask(image("ada", 0), 1.0)
    [taken] = renders.take("w", 1)
    assert renders.look(taken) == "waiting"
    renders.end(taken)  # the worker could not make it
    assert renders.look(taken) is None
    assert renders.ask(taken, 1.0)
    renders.end(taken, error="the colour is too bright")
    with pytest.raises(ProdgenError, match="too bright"):
        renders.look(taken)


def test_a_machine_that_is_shut_out_makes_no_images_by_their_addresses(
    renders: Renders, ledger: Ledger
) -> None:
    ledger.submit(JobEntry(id="j", tenant="ada", queue="bulk", total=64))
    lease = ledger.lease("bulk", "gpu-1-77-a0b1c2", 64)
    assert lease
    renders.ask(image("ada", 0), 1.0)
    ledger.shut_out([lease.token.rpartition("-")[2]])
    assert renders.take("gpu-1-78-ffffff", 8) == []
    assert renders.take("gpu-2-77-a0b1c2", 8) == [image("ada", 0)]


def test_an_image_that_no_worker_takes_waits_and_counts_once(renders: Renders, client: redis.Redis) -> None:
    asked = image("ada", 0)
    for _ in range(3):
        assert renders.ask(asked, 1.0)
        client.delete(f"prodgen:render:ada:{asked.formula.digest}")  # ten seconds pass
    assert client.hget("prodgen:ordered:ada", "images") == "1"
    assert renders.ledger.backlog("interactive").images == 1
    assert renders.ask(asked, 1.0)
    assert renders.take("w", 8) == [asked]


@pytest.mark.parametrize("tenant", ["weights", "indexed"])
def test_no_name_of_a_tenant_is_that_of_another_key(renders: Renders, tenant: str) -> None:
    for name in (tenant, "ada"):
        renders.ledger.submit(JobEntry(id=f"{name}-j", tenant=name, queue="bulk", total=64))
        assert renders.ask(image(name, 0), 1.0)
        assert renders.ledger.unended(name) == [f"{name}-j"]
    assert len(renders.take("w", 8)) == 2
