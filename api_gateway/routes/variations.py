"""Variations of a picture as OpenAI's clients order them: other seeds with the attributes of its recipe."""

import hashlib
import io
from typing import Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request
from pydantic import BaseModel, Field, ValidationError

from api_gateway.answers import Answer, Order
from api_gateway.auth import Generator
from api_gateway.deployment import Deployment, DeploymentDep
from api_gateway.forms import describe_form, read_form
from api_gateway.images import PicturesView, VariationWish
from api_gateway.requests import IdempotencyKey, StrictRoute
from api_gateway.routes import jobs
from api_gateway.routes.images import TITLE, check_pixels, side_of
from prodgen import logs
from prodgen.access import ApiKey
from prodgen.errors import ProdgenError
from prodgen.registry.versions import resolve
from prodgen.spec.attributes import Value
from prodgen.spec.finish import Finish
from prodgen.spec.order import JobSpec
from prodgen.spec.provenance import read_provenance
from prodgen.spec.random_streams import MAX_SEED
from prodgen.spec.validation_errors import explain

router = APIRouter(prefix="/v1/images", tags=["images"], route_class=StrictRoute)


class Recipe(BaseModel):
    """The recipe in the marks of a generated picture; see `prodgen.generation.request.xmp_packets`."""

    model: str = Field(min_length=1, max_length=200)
    attributes: dict[str, Value]
    seed: int = Field(ge=0, le=MAX_SEED)
    draw: int = Field(ge=0, le=MAX_SEED)
    attempt: int = Field(default=0, ge=0, le=MAX_SEED)
    truncation: float = Field(default=1.0, gt=0, le=1)
    finish: Finish = Finish()

    @property
    def other_seed(self) -> int:
        """The seed for variations, computed from the recipe. The same picture always gets the same seed."""
        text = f"variations of {self.seed} {self.draw} {self.attempt}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6])


@router.post(
    "/variations",
    summary="Vary an image as OpenAI's API does",
    response_model=PicturesView,
    response_model_exclude_none=True,
    openapi_extra=describe_form(VariationWish),
)
async def vary(
    caller: Generator, deployment: DeploymentDep, request: Request, idempotency_key: IdempotencyKey
) -> Any:
    """Order images with the attributes of an image that prodgen generated, and other seeds.

    The body is a form: the fields of a `VariationWish`, and one file `image`, whose marks hold its recipe.
    """
    takes = {"image": read_recipe}
    wish, files = await read_form(request, deployment, caller.tenant, VariationWish, takes)
    logs.bind(user=wish.user)
    recipes = files["image"]
    if len(recipes) > 1:
        raise ProdgenError("variations are of one image; send the others by themselves", param="image")
    order = await run_sync(_place, wish, recipes[0], caller, deployment, request, idempotency_key)
    return await order.respond(request)


def read_recipe(number: int, data: bytes) -> Recipe:
    """Return the recipe in the marks of the picture file ``data``. Ignores ``number``.

    Raises ProdgenError if prodgen did not generate the picture, or made it of a photograph.
    """
    try:
        recipe = read_provenance(io.BytesIO(data)).recipe
    except ProdgenError:
        raise ProdgenError("image is no picture that can be read", param="image") from None
    if recipe is None:
        raise ProdgenError(
            "image has no recipe of prodgen; send an image that prodgen generated, with its marks",
            param="image",
        )
    if "seed" not in recipe:
        raise ProdgenError(
            "image was made of a photograph; send the photograph to /v1/images/edits", param="image"
        )
    try:
        return Recipe.model_validate(recipe)
    except ValidationError as error:
        raise ProdgenError(
            f"the recipe in image is none of prodgen: {explain(error, 'it')}", param="image"
        ) from None


def _place(
    wish: VariationWish,
    recipe: Recipe,
    caller: ApiKey,
    deployment: Deployment,
    request: Request,
    idempotency_key: str,
) -> Order:
    """Place the order for variations and return it. Raises ProdgenError whose ``param`` names the field."""
    model = wish.model or recipe.model
    try:
        config = resolve(deployment.store, model, caller.tenant).config
        config.attributes.parse(recipe.attributes)
    except ProdgenError as error:
        error.param = "model" if wish.model else "image"
        raise
    finish = recipe.finish
    if side := side_of(wish.size):
        finish = finish.model_copy(update={"size": side})
    answer = Answer(
        json=wish.response_format != "url",
        url=wish.response_format != "b64_json",
        format="png",
        quality=None,
        side=config.side(finish),
        transparent=config.channels == 4 and finish.background is None,
    )
    check_pixels(answer, wish.n)
    spec = JobSpec(
        model=model,
        attributes={**recipe.attributes},
        count=wish.n,
        seed=recipe.other_seed if wish.seed is None else wish.seed,
        truncation=recipe.truncation,
        finish=finish,
        priority="interactive",
        title=", ".join(["variations", *recipe.attributes.values()])[:TITLE],
    )
    record, _ = jobs.place(spec, caller, deployment, request, idempotency_key)
    deployment.ring(record.spec.priority, record.cells)
    return Order(record, caller, deployment, answer)
