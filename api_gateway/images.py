"""The requests and answers of OpenAI's Images API, as the gateway accepts and sends them."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints

from prodgen.jobs.limits import INTERACTIVE_IMAGES
from prodgen.spec.random_streams import MAX_SEED


class Wish(BaseModel, extra="forbid", use_attribute_docstrings=True):
    """An order in the fields of OpenAI's Images API, and ``seed``."""

    model: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    """A model of `GET /v1/models`."""
    prompt: Annotated[str, StringConstraints(min_length=1, max_length=1000)]
    """The wish in words, English or Chinese; see `POST /v1/prompts`."""
    n: int | None = Field(default=None, ge=1, le=INTERACTIVE_IMAGES)
    """Images in all, at most 64; if missing, as many as the prompt names, or 1."""
    size: Annotated[str, StringConstraints(max_length=20)] | None = None
    """``auto`` (the model's own size) or a square such as ``512x512``."""
    response_format: Literal["b64_json", "url"] | None = None
    """The images themselves or links to them; both if missing."""
    output_format: Literal["png", "webp", "jpeg"] = "png"
    """The format of the image files."""
    output_compression: int | None = Field(default=None, ge=0, le=100)
    """The quality of WebP and JPEG; if missing, the quality of every other order."""
    background: Literal["auto", "opaque", "transparent"] | None = None
    """``transparent`` needs a model whose images have alpha, and PNG or WebP."""
    stream: bool | None = None
    """Whether each image comes as an event. There are no partial images."""
    partial_images: int | None = Field(default=None, ge=0, le=3)
    """Without effect: an image is made in one pass."""
    seed: int = Field(default=0, ge=0, le=MAX_SEED)
    """The number that chooses the images; not of OpenAI's API (``extra_body``)."""
    user: Annotated[str, StringConstraints(max_length=64)] | None = None
    """Written into the log lines of the request."""
    quality: Literal["auto", "standard", "hd", "low", "medium", "high", "xhigh", "max"] | None = None
    """Without effect: a model has one quality."""
    moderation: Literal["auto", "low"] | None = None
    """Without effect."""


class EditWish(Wish):
    """An order of pictures of photographs, in the fields of OpenAI's Images API."""

    input_fidelity: Literal["low", "high"] | None = None
    """Without effect: a product keeps its shape and its texture."""


class VariationWish(BaseModel, extra="forbid", use_attribute_docstrings=True):
    """An order of variations of a picture, in the fields of OpenAI's Images API, and ``seed``."""

    model: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    """Another model that draws them; if missing, the version that made the picture."""
    n: int = Field(default=1, ge=1, le=INTERACTIVE_IMAGES)
    """Images, at most 64."""
    size: Annotated[str, StringConstraints(max_length=20)] | None = None
    """``auto`` (the picture's own size) or a square such as ``512x512``."""
    response_format: Literal["b64_json", "url"] | None = None
    """The images themselves or links to them; both if missing."""
    seed: int | None = Field(default=None, ge=0, le=MAX_SEED)
    """The number that chooses the images; if missing, it is computed from the picture."""
    user: Annotated[str, StringConstraints(max_length=64)] | None = None
    """Written into the log lines of the request."""


class PictureView(BaseModel):
    """An image: its file as base64, a link to it, and how the prompt was read."""

    b64_json: str | None = None
    url: str | None = None
    revised_prompt: str | None = None


class PicturesView(BaseModel):
    """The images of an order, in the form of OpenAI's Images API."""

    created: int
    data: list[PictureView]
    background: Literal["transparent", "opaque"]
    output_format: Literal["png", "webp", "jpeg"]
    size: str
