"""Prompts: show how a prompt is read, without an order."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, StringConstraints

from api_gateway.auth import Generator
from api_gateway.deployment import DeploymentDep
from api_gateway.requests import StrictRoute
from prodgen.registry.versions import resolve
from prodgen.spec.prompt import read_prompt
from prodgen.spec.reading import Reading

router = APIRouter(prefix="/v1/prompts", tags=["prompts"], route_class=StrictRoute)


class Prompt(BaseModel, extra="forbid"):
    """A wish in words, English or Chinese, and the model that would make its images."""

    model: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    prompt: Annotated[str, StringConstraints(min_length=1, max_length=1000)]


@router.post("", summary="Read a prompt")
def read(wish: Prompt, caller: Generator, deployment: DeploymentDep) -> Reading:
    """Read a prompt as attributes, a count and a background, and order nothing.

    An order with the same `prompt` has these values, unless it names its own.
    """
    return read_prompt(wish.prompt, resolve(deployment.store, wish.model, caller.tenant).config, wish.model)
