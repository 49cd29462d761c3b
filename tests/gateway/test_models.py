"""A caller sees the models that it may use, and the attributes that each one accepts."""

import hashlib
from pathlib import Path

import httpx
import pytest

from prodgen.registry.publish import publish
from prodgen.spec.model_config import folder_version
from tests.gateway.running import Client, Gateway
from tests.sample_models import write_model


@pytest.fixture
def own(client: Client, gateway: Gateway, tmp_path: Path) -> str:
    """Publish two versions of a model of the client's own, and return the newer version."""
    publish(gateway.store, write_model(tmp_path / "old", b"old"), "hats", client.tenant)
    return publish(gateway.store, write_model(tmp_path / "new", b"new"), "hats", client.tenant).version


def test_models_are_listed_as_openai_clients_expect(client: Client) -> None:
    body = client.get("/v1/models").json()
    assert body["object"] == "list"
    (shoes,) = body["data"]
    assert (shoes["id"], shoes["object"], shoes["owned_by"]) == ("shoes", "model", "shared")
    assert isinstance(shoes["created"], int)


def test_a_model_lists_its_attributes(client: Client) -> None:
    model = client.get("/v1/models/shoes").json()
    (category,) = model["attributes"]
    assert category["name"] == "category"
    assert category["values"] == ["t-shirt", "sneaker", "bag"]
    assert (model["size"], model["channels"], model["tolerance"]) == (28, 1, 1)
    assert model["metrics"] == {"fid": 17.5}
    assert model["card"] == "# shoes\n\nIt is a sample."
    assert "production" in model["aliases"]
    assert client.get(f"/v1/models/shoes@{model['version']}").json()["version"] == model["version"]


def test_every_listed_model_can_be_ordered(client: Client, own: str) -> None:
    ids = [model["id"] for model in client.get("/v1/models").json()["data"]]
    assert ids[0:1] != ["shoes"]
    assert sorted(ids)[-1] == "shoes"
    assert "hats" in ids
    assert len(ids) == 3
    for model in ids:
        assert client.order(model=model)["model"].startswith(model)


def test_another_tenant_sees_no_model_of_mine(client: Client, stranger: Client, own: str) -> None:
    assert client.get("/v1/models/hats").json()["version"] == own
    status, error = stranger.error("GET", "/v1/models/hats")
    assert (status, error["message"]) == (404, "there is no model 'hats'; there are shoes")
    assert stranger.error("GET", f"/v1/models/hats@{own}")[0] == 404
    assert [model["id"] for model in stranger.get("/v1/models").json()["data"]] == ["shoes"]


def test_the_files_of_a_version_have_digests_and_links_and_strangers_see_none(
    client: Client, stranger: Client, anyone: httpx.Client, own: str, tmp_path: Path
) -> None:
    listed = client.get("/v1/models/hats@latest/files"), client.get(f"/v1/models/hats@{own}/files")
    files = listed[1].json()["data"]
    assert listed[0].status_code == 404
    assert [file["name"] for file in files] == ["card.md", "config.json", "metrics.json", "model.safetensors"]
    for file in files:
        content = anyone.get(file["url"]).content
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file["size"], file["sha256"])
        (tmp_path / file["name"]).write_bytes(content)
    assert folder_version(tmp_path) == own
    for ref in ("hats", f"hats@{own}"):
        assert stranger.error("GET", f"/v1/models/{ref}/files")[0] == 404
    assert client.get("/v1/models/shoes/files").status_code == 200


@pytest.mark.parametrize("ref", ["hats", "shoes@beta", "..%2Fshoes", "%2e%2e", "shoes@"])
def test_an_unknown_model_is_refused_in_one_sentence(client: Client, ref: str) -> None:
    response = client.get(f"/v1/models/{ref}")
    assert response.status_code in (200, 400, 404)
    if ref != "shoes@":
        assert response.json()["error"]["message"]
