"""Programs written for OpenAI's Images API order from prodgen: only the address and the key change."""

import asyncio
import base64
import io
from typing import Any

import httpx
import openai
import pytest
from PIL import Image

from prodgen.bundled import bundled_photographs
from prodgen.spec.provenance import read_provenance
from tests.servers.process import wait_until
from tests.servers.up import Up


@pytest.fixture
def client(up: Up) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{up.url}/v1", api_key=up.ready["api_key"], max_retries=0)


def opened(text: str | None) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(text or "")))


def test_a_client_of_openai_generates_images_in_words(client: openai.OpenAI, up: Up) -> None:
    assert "clothing" in [model.id for model in client.models.list()]
    assert client.models.retrieve("clothing").owned_by == "shared"

    made = client.images.generate(
        model="clothing",
        prompt="a navy dress",
        n=2,
        size="128x128",
        background="transparent",
        output_format="webp",
        output_compression=80,
        user="customer 7",
        extra_body={"seed": 7},
    )

    assert made.data
    pictures = [opened(item.b64_json) for item in made.data]
    assert [(p.format, p.mode, p.size) for p in pictures] == [("WEBP", "RGBA", (128, 128))] * 2
    assert made.data[0].revised_prompt == "read: colour #1f2a44 (navy), category dress"
    assert (made.size, made.output_format, made.background) == ("128x128", "webp", "transparent")
    with up.client() as own:
        job = own.job(next(own.jobs())["id"])
    assert (job["state"], job["priority"]) == ("succeeded", "interactive")
    assert job["request"]["title"] == "a navy dress"


def test_links_and_opaque_images_at_the_models_own_size(client: openai.OpenAI) -> None:
    made = client.images.generate(
        model="fashion-mnist", prompt="两双运动鞋", size="auto", response_format="url", quality="hd"
    )

    assert made.data
    assert (len(made.data), made.size) == (2, "28x28")
    files = [httpx.get(item.url or "", timeout=60).content for item in made.data]
    assert [Image.open(io.BytesIO(file)).size for file in files] == [(28, 28)] * 2
    assert made.data[0].b64_json is None


def test_asynchronous_and_streaming_clients(client: openai.OpenAI) -> None:
    async def generate() -> str | None:
        later = openai.AsyncOpenAI(base_url=client.base_url, api_key=client.api_key, max_retries=0)
        async with later:
            made = await later.images.generate(model="fashion-mnist", prompt="a handbag")
        return made.data[0].b64_json if made.data else None

    streamed = client.images.generate(
        model="fashion-mnist", prompt="a handbag", stream=True, partial_images=2
    )
    events = list(streamed)

    assert [event.type for event in events] == ["image_generation.completed"]
    assert events[0].b64_json == asyncio.run(generate())


def mask(size: tuple[int, int]) -> bytes:
    """Return the file of a mask that keeps a band across the middle."""
    band, file = Image.new("RGBA", size), io.BytesIO()
    band.paste((0, 0, 0, 255), (0, size[1] // 3, size[0], size[1] // 2))
    band.save(file, "PNG")
    return file.getvalue()


def test_photographs_are_recoloured_and_put_into_scenes(client: openai.OpenAI) -> None:
    photographs = [path.open("rb") for path in bundled_photographs()[:2]]

    made = client.images.edit(
        model="studio-grabcut", image=photographs, prompt="in crimson on #eeeeee", size="256x256"
    )

    assert made.data
    pictures = [opened(item.b64_json) for item in made.data]
    assert [(picture.size, picture.getpixel((2, 2))) for picture in pictures] == [
        ((256, 256), (238,) * 3)
    ] * 2
    assert str(made.data[0].revised_prompt).startswith("read: colour #a3112a (crimson), scene #eeeeee")
    one = bundled_photographs()[0]
    (event,) = client.images.edit(
        model="studio-grabcut", image=one, prompt="in crimson on #eeeeee", size="256x256", stream=True
    )
    assert (event.type, event.b64_json) == ("image_edit.completed", made.data[0].b64_json)
    (kept,) = (
        client.images.edit(
            model="studio-grabcut",
            image=one,
            mask=mask(Image.open(one).size),
            prompt="on #008080",
            size="256x256",
        ).data
        or []
    )
    shown = opened(kept.b64_json)
    assert [shown.getpixel((128, y)) == (0, 128, 128) for y in (10, 128, 245)] == [True, False, True]
    for field, bad in (
        ("model", {"model": "clothing"}),
        ("image", {"image": b"no picture"}),
        ("mask", {"mask": one}),
        ("mask", {"mask": mask((9, 9)), "prompt": "on #008080"}),
        ("mask", {"mask": mask(Image.open(one).size)}),
        ("n", {"n": 3}),
    ):
        options: dict[str, Any] = {"model": "studio-grabcut", "image": one, "prompt": "in navy", **bad}
        with pytest.raises(openai.BadRequestError) as refused:
            client.images.edit(**options)
        assert refused.value.param == field


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")  # OpenAI has retired its own
def test_an_image_is_varied_by_its_own_recipe(client: openai.OpenAI, up: Up) -> None:
    (first,) = client.images.generate(model="clothing", prompt="a navy dress", size="64x64").data or []
    image = base64.b64decode(first.b64_json or "")

    made = client.images.create_variation(image=image, n=2, user="customer 7")

    assert made.data
    varied = [base64.b64decode(item.b64_json or "") for item in made.data]
    assert len({image, *varied}) == 3

    def recipe_in(file: bytes) -> dict[str, Any]:
        return read_provenance(io.BytesIO(file)).recipe or {}

    recipes = [recipe_in(file) for file in (image, *varied)]
    assert len({(recipe["model"], str(recipe["attributes"])) for recipe in recipes}) == 1
    assert (made.size, opened(made.data[0].b64_json).size) == ("64x64", (64, 64))
    (again,) = client.images.create_variation(image=image, response_format="b64_json").data or []
    assert recipe_in(base64.b64decode(again.b64_json or "")) == recipes[1]
    (larger,) = (
        client.images.create_variation(
            image=varied[0], model="clothing", size="256x256", extra_body={"seed": 3}, response_format="url"
        ).data
        or []
    )
    assert Image.open(io.BytesIO(httpx.get(larger.url or "", timeout=60).content)).size == (256, 256)

    (edited,) = (
        client.images.edit(model="studio-grabcut", image=bundled_photographs()[0], prompt="in navy").data
        or []
    )
    for field, bad in (
        ("image", {"image": bundled_photographs()[0]}),
        ("image", {"image": base64.b64decode(edited.b64_json or "")}),
        ("image", {"image": b"no picture"}),
        ("model", {"model": "dall-e-2"}),
        ("model", {"model": "fashion-mnist"}),
        ("n", {"n": 65}),
        ("size", {"size": "1024x1536"}),
    ):
        options: dict[str, Any] = {"image": image, **bad}
        with pytest.raises((openai.BadRequestError, openai.NotFoundError)) as refused:
            client.images.create_variation(**options)
        assert refused.value.param == field


def test_errors_have_the_form_that_clients_know(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        client.images.generate(model="dall-e-3", prompt="a dress")
    assert missing.value.code == "not_found"
    with pytest.raises(openai.BadRequestError, match="fashion-mnist makes no skirt") as refused:
        client.images.generate(model="fashion-mnist", prompt="a red skirt", stream=True)
    assert (refused.value.param, refused.value.type) == ("prompt", "invalid_request_error")
    with pytest.raises(openai.BadRequestError, match="square"):
        client.images.generate(model="fashion-mnist", prompt="a bag", size="1024x1536")
    with pytest.raises(openai.BadRequestError, match="too large to be in the answer"):
        client.images.generate(model="fashion-mnist", prompt="64 bags", size="1024x1024")
    with pytest.raises(openai.BadRequestError, match="n must be at most 64"):
        client.images.generate(model="fashion-mnist", prompt="a bag", n=65)
    with pytest.raises(openai.BadRequestError, match="makes images without transparency"):
        client.images.generate(model="fashion-mnist", prompt="a bag", background="transparent")
    with pytest.raises(openai.AuthenticationError) as unknown:
        client.with_options(api_key="pg_wrong").models.list()
    assert unknown.value.type == "authentication_error"


def test_a_client_that_goes_cancels_its_order(client: openai.OpenAI, up: Up) -> None:
    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=1.0).images.generate(
            model="clothing", prompt="64 dresses", size="1024x1024", response_format="url"
        )

    with up.client() as own:

        def newest() -> dict[str, Any]:
            return own.job(next(own.jobs())["id"])

        wait_until(lambda: newest()["request"]["title"] == "64 dresses", "the order is not placed")
        *_, last = own.watch(newest()["id"])
    assert last["state"] == "cancelled"
