"""Compare two versions of a model: the same looks by both, their scores, and how they were trained."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from api_gateway.auth import Anyone
from api_gateway.deployment import DeploymentDep
from api_gateway.routes import models
from api_gateway.routes.models import ModelDetails
from api_gateway.studio.create import COLOURS
from api_gateway.studio.frame import PageRoute, render
from prodgen.errors import NotFound
from prodgen.registry.compare import compare
from prodgen.spec.attributes import Attribute, ContinuousColour
from prodgen.spec.model_config import STUDIO

router = APIRouter(include_in_schema=False, route_class=PageRoute)

TRAINED = {
    "domain_fid": ("Fréchet distance", "lower"),
    "agreement": ("Agreement of the judge", "higher"),
    "diversity": ("Diversity", "higher"),
}
"""For each score of a version without an evaluation: its title, and whether lower or higher is better."""


class Row(NamedTuple):
    """A row of the comparison: a score, or a key of the recipe, with its value in each of the two versions.

    ``better``: 0 or 1, the version with the better score; None if the scores do not tell.
    """

    title: str
    values: tuple[Any, Any]
    better: int | None = None


@router.get("/models/{name}")
def show(
    request: Request, name: str, caller: Anyone, deployment: DeploymentDep, left: str = "", right: str = ""
) -> Response:
    """Show the versions ``left`` and ``right`` of a model beside each other.

    By default, these are the version in production and the newest other version. For a model with only one
    version, leads to the list of models.
    """
    views = [one for one in models.index(caller, deployment).data if one.name == name]
    views = [one for one in views if one.owned_by != "shared"] or views
    views.sort(key=lambda one: ("production" not in one.aliases, -one.created))
    if not views:
        raise NotFound(f"there is no model {name!r}", param="model")
    if len(views) == 1:
        return RedirectResponse(f"/models#{name}@{views[0].version}", 303)
    first = next((one for one in views if one.version == left), views[0])
    others = [one for one in views if one is not first]
    second = next((one for one in others if one.version == right), others[0])
    pair = [models.show(f"{name}@{one.version}", caller, deployment) for one in (first, second)]
    return render(
        request,
        "compare.html",
        name=name,
        versions=views,
        pair=pair,
        attributes=list(_common(*pair)),
        colours=COLOURS,
        incomparable=compare(pair[1].metrics, pair[0].metrics).incomparable,
        figures=list(_figures(*pair)),
        differences=list(_differences(*pair)),
        draws=first.family != STUDIO and caller.allows("generate"),
        may_promote=caller.allows("promote") and first.owned_by != "shared",
        may_train=caller.allows("train"),
    )


def _common(left: ModelDetails, right: ModelDetails) -> Iterator[Attribute]:
    """Yield each attribute that both versions have, with only the values that both versions have."""
    others = {one.name: one for one in right.attributes}
    for one in left.attributes:
        other = others.get(one.name)
        if other is None or other.kind != one.kind:
            continue
        if isinstance(one, ContinuousColour) or isinstance(other, ContinuousColour):
            yield one
        elif values := tuple(value for value in one.values if value in other.values):
            yield one.model_copy(update={"values": values})


def _figures(left: ModelDetails, right: ModelDetails) -> Iterator[Row]:
    """Yield a row for each score. Only rows by the same judge on the same data name the better version."""
    ours, theirs = (_scores(one.metrics or {}) for one in (left, right))
    comparable = compare(right.metrics, left.metrics).incomparable is None
    for title, (value, better) in {**theirs, **ours}.items():
        if title not in ours or title not in theirs:
            yield Row(title, (value, None) if title in ours else (None, value))
            continue
        other = theirs[title][0]
        says = comparable and better in ("lower", "higher") and None not in (value, other) and value != other
        yield Row(title, (value, other), int((other < value) == (better == "lower")) if says else None)


def _scores(metrics: dict[str, Any]) -> dict[str, tuple[Any, str]]:
    """Return each score by title (None: not finite), with ``lower`` or ``higher``: which value is better."""
    if figures := metrics.get("figures"):
        return {
            one.get("title", name): (one["value"], one.get("better", "")) for name, one in figures.items()
        }
    return {title: (metrics[key], better) for key, (title, better) in TRAINED.items() if key in metrics}


def _differences(left: ModelDetails, right: ModelDetails) -> Iterator[Row]:
    """Yield a row for each fact about the training, such as the data, that differs between the versions.

    Leaves out facts that are known of only one version.
    """
    ours, theirs = map(_origin, (left, right))
    for key in (key for key in ours if key in theirs and ours[key] != theirs[key]):
        yield Row(key, (ours[key], theirs[key]))


def _origin(one: ModelDetails) -> dict[str, Any]:
    origin: dict[str, Any] = {key: (one.metrics or {}).get(key) for key in ("step", "training_images")}
    if one.lineage:
        origin |= {"data": one.lineage.data.name, "begun_from": one.lineage.begun_from, **one.lineage.recipe}
        origin["recipe"] = origin.pop("name", None)
    return origin
