"""Images as OpenAI's clients order them: an interactive order whose answer is the images themselves."""

import re
from functools import partial
from math import prod
from typing import Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request

from api_gateway.answers import Answer, Order
from api_gateway.auth import Generator
from api_gateway.deployment import Deployment, DeploymentDep
from api_gateway.forms import describe_form, read_form, store_picture
from api_gateway.images import EditWish, PicturesView, Wish
from api_gateway.requests import IdempotencyKey, StrictRoute
from api_gateway.routes import jobs
from prodgen import logs
from prodgen.access import ApiKey
from prodgen.errors import ProdgenError
from prodgen.jobs.mattes import Mattes
from prodgen.registry.versions import resolve
from prodgen.spec.attributes import MATERIAL
from prodgen.spec.finish import Finish, Output
from prodgen.spec.model_config import STUDIO, ModelConfig, studio_config
from prodgen.spec.order import JobSpec
from prodgen.spec.photograph import ORIGINAL
from prodgen.spec.prompt import read_prompt
from prodgen.spec.reading import Reading

router = APIRouter(prefix="/v1/images", tags=["images"], route_class=StrictRoute)

TITLE = 100
"""Largest number of characters in a job's title. The title is the beginning of the prompt."""
MOST_PIXELS = 1 << 25
"""Largest number of pixels in a response with base64 images, all images together: 32 images of 1024x1024."""
_SIZE = re.compile(r"(\d{1,5})x(\d{1,5})")


@router.post(
    "/generations",
    summary="Generate images as OpenAI's API does",
    response_model=PicturesView,
    response_model_exclude_none=True,
)
async def generate(
    wish: Wish,
    caller: Generator,
    deployment: DeploymentDep,
    request: Request,
    idempotency_key: IdempotencyKey,
) -> Any:
    """Order images at priority `interactive`, wait until they are made, and answer with them.

    If the client disconnects or five minutes pass, the order is cancelled. With `stream`, each image is an
    event `image_generation.completed`.
    """
    logs.bind(user=wish.user)
    order = await run_sync(_place, wish, None, caller, deployment, request, idempotency_key)
    return order.stream("image_generation") if wish.stream else await order.respond(request)


@router.post(
    "/edits",
    summary="Edit photographs as OpenAI's API does",
    response_model=PicturesView,
    response_model_exclude_none=True,
    openapi_extra=describe_form(EditWish),
)
async def edit(
    caller: Generator, deployment: DeploymentDep, request: Request, idempotency_key: IdempotencyKey
) -> Any:
    """Order pictures of photographs in other colours and scenes, and answer with them when they are made.

    The body is a form: the fields of an `EditWish`, and one file `image` or several files `image[]`, of at
    most 64 MiB in all. The model must make pictures of photographs, such as `studio`. What is transparent in
    a file `mask` is replaced by the scene; the rest of the first image is its product. With `stream`, each
    picture is an event `image_edit.completed`.
    """
    takes = {name: partial(store_picture, deployment, caller.tenant, name) for name in ("image", "mask")}
    wish, files = await read_form(request, deployment, caller.tenant, EditWish, takes)
    logs.bind(user=wish.user)
    order = await run_sync(_place, wish, files, caller, deployment, request, idempotency_key)
    return order.stream("image_edit") if wish.stream else await order.respond(request)


def _place(
    wish: Wish,
    files: dict[str, list[str]] | None,
    caller: ApiKey,
    deployment: Deployment,
    request: Request,
    idempotency_key: str,
) -> Order:
    """Place the order that a wish asks for, and return it.

    Without ``files``, the model generates images. With ``files``, it makes pictures of the uploads with the
    digests ``files["image"]``, and ``files["mask"]`` has the mask of the first, if any. Raises ProdgenError;
    ``param`` names the field of the wish.
    """
    config, photos = resolve(deployment.store, wish.model, caller.tenant).config, files and files["image"]
    if (config.family == STUDIO) != (photos is not None):
        instead = (
            "generates images; name a model that makes pictures of photographs, such as studio"
            if photos
            else "makes pictures of photographs; send one to /v1/images/edits"
        )
        raise ProdgenError(f"{wish.model} {instead}", param="model")
    reading = read_prompt(wish.prompt, config, wish.model)
    combinations = prod(len(values) for values in reading.attributes.values())
    count = _count(wish, combinations) or reading.count or 1
    if photos and count != 1:
        raise ProdgenError("each photograph makes one picture of each combination; leave n out", param="n")
    finish = Finish(size=side_of(wish.size), background=_background(wish, config, reading))
    answer = _answer(wish, config.side(finish), config.channels == 4 and finish.background is None)
    check_pixels(answer, count * combinations * len(photos or [""]))
    spec: dict[str, Any] = {
        "model": wish.model,
        "prompt": wish.prompt,
        "count": count,
        "seed": wish.seed,
        "finish": finish,
        "output": Output(format="png" if answer.quality is not None else wish.output_format),
        "priority": "interactive",
        "title": wish.prompt[:TITLE],
    }
    if photos and files:
        spec["items"] = [{"sku": f"image-{k}", "photo": photo} for k, photo in enumerate(photos, 1)]
        for mask in files["mask"]:
            _check_mask(deployment, caller.tenant, config, reading, photos[0], mask)
            spec["items"][0]["matte"] = mask
    record, _ = jobs.place(JobSpec.model_validate(spec), caller, deployment, request, idempotency_key)
    deployment.ring(record.spec.priority, record.cells)
    return Order(record, caller, deployment, answer)


def _check_mask(
    deployment: Deployment, tenant: str, config: ModelConfig, reading: Reading, photo: str, mask: str
) -> None:
    """Raise ProdgenError if the mask does not fit the photograph, or the prompt changes what the mask keeps.

    ``photo`` and ``mask``: the digests of the uploads.
    """
    studio = studio_config(config)
    if studio and (fault := Mattes(deployment.store, tenant, studio.photo_side).fault(photo, mask)):
        raise ProdgenError(f"mask {fault}", param="mask")
    for name in ("colour", MATERIAL):
        if any(value != ORIGINAL for value in reading.attributes.get(name, ())):
            raise ProdgenError(
                f"the mask keeps what is opaque, but the prompt changes its {name}; leave one of them out",
                param="mask",
            )


def _count(wish: Wish, combinations: int) -> int | None:
    """Return the number of images for each combination of attributes, so that there are ``wish.n`` in all.

    Returns None if the wish has no ``n``. Raises ProdgenError if ``n`` is no multiple of ``combinations``.
    """
    if wish.n is None:
        return None
    if wish.n % combinations:
        raise ProdgenError(
            f"the prompt asks for {combinations} images; n must be a multiple of that, not {wish.n}",
            param="n",
        )
    return wish.n // combinations


def check_pixels(answer: Answer, images: int) -> None:
    """Raise ProdgenError if the answer is to be base64 and would have more than `MOST_PIXELS` pixels.

    ``images`` is the number of images.
    """
    if answer.json and answer.side**2 * images > MOST_PIXELS:
        raise ProdgenError(
            "the images are too large to be in the answer together; ask for response_format url, for fewer "
            "or for smaller ones",
            param="response_format",
        )


def side_of(size: str | None) -> int | None:
    """Return the side of an image in pixels, such as 512 for ``512x512``, or None for the model's own side.

    Raises ProdgenError if ``size`` is not a square from 8x8 to 2048x2048.
    """
    if size in (None, "auto"):
        return None
    match = _SIZE.fullmatch(size)
    side = int(match[1]) if match else 0
    if match is None or match[1] != match[2] or not 8 <= side <= 2048:
        raise ProdgenError(f"size must be auto or a square from 8x8 to 2048x2048, not {size!r}", param="size")
    return side


def _background(wish: Wish, config: ModelConfig, reading: Reading) -> str | None:
    """Return the background for the finish, or None for the background that the model makes.

    Raises ProdgenError if the wish asks for a transparent background and the model or the format has no
    transparency, or the prompt asks for a background.
    """
    if wish.background == "transparent":
        for fault, so in (
            (config.channels != 4, f"{wish.model} makes images without transparency"),
            (wish.output_format == "jpeg", "jpeg has no transparency; order png or webp"),
            (reading.background is not None, "the prompt asks for a background of a colour"),
        ):
            if fault:
                raise ProdgenError(f"background cannot be transparent: {so}", param="background")
    if wish.background == "opaque" and config.channels == 4 and reading.background is None:
        return "#ffffff"
    return reading.background


def _answer(wish: Wish, side: int, transparent: bool) -> Answer:
    """Return how the response sends the images. Raises ProdgenError if fields of the wish exclude each other.

    ``side``: the side of an image in pixels. ``transparent``: the images of the order are transparent.
    """
    quality = wish.output_compression if wish.output_format != "png" else None
    if wish.output_format == "png" and wish.output_compression not in (None, 100):
        raise ProdgenError(
            "output_compression is for webp and jpeg; png has none", param="output_compression"
        )
    if wish.response_format == "url" and quality is not None:
        raise ProdgenError(
            "output_compression needs the response_format b64_json", param="output_compression"
        )
    return Answer(
        json=wish.response_format != "url" or bool(wish.stream),
        url=wish.response_format != "b64_json" and quality is None and not wish.stream,
        format=wish.output_format,
        quality=quality,
        side=side,
        transparent=transparent and wish.output_format != "jpeg",
    )
