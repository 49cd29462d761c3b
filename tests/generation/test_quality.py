"""An order with a quality gate gets the colours that it asks for, and the same images on every machine."""

from dataclasses import replace

import pytest

from prodgen.generation.engine import Engine
from prodgen.generation.forward import Forward
from prodgen.generation.quality import colour_distances, measure_quality
from prodgen.generation.request import Request, manifest_line
from prodgen.models import SavedModel
from prodgen.spec.attributes import AttributeSchema, Choice, ContinuousColour
from prodgen.spec.order import Mix
from prodgen.spec.quality import ATTEMPTS, Gated, Quality, chosen_attempt
from tests.generation.asking import images, opened, pixels, worst
from tests.toys import toy_model

COLOURED = AttributeSchema(
    attributes=(
        Choice(name="category", values=("bag", "hat"), frequencies=(0.5, 0.5)),
        ContinuousColour(name="colour", palette=("#c03030", "#3030c0")),
    )
)


@pytest.fixture(scope="module")
def coloured(tmp_path_factory: pytest.TempPathFactory) -> SavedModel:
    """A model of transparent products in any colour."""
    return toy_model(tmp_path_factory.mktemp("models") / "coloured", schema=COLOURED, channels=4)


def test_images_of_a_wrong_colour_are_made_again_and_all_others_stay(
    coloured: SavedModel, engine: Engine
) -> None:
    asked = images(coloured, range(40), colour="#30a050")
    first = colour_distances(coloured, asked, Forward("cpu")(coloured, asked, [1.0] * len(asked)))
    quality = Quality(colour_distance=sorted(first)[20])
    response = engine.submit(Request(coloured, asked, quality=quality))
    files = list(response)
    lines = [manifest_line(response.request, *pair) for pair in zip(response.images, files, strict=True)]

    kept = [distance <= quality.colour_distance for distance in first]
    assert [line.attempt == 0 and len(line.quality.colour_distances) == 1 for line in lines] == kept
    for line in lines:
        distances = line.quality.colour_distances
        passed = distances[line.attempt] <= quality.colour_distance
        assert passed or (len(distances) == ATTEMPTS and distances[line.attempt] == min(distances))
    assert (
        worst(opened(files), pixels(coloured, response.images)) <= 1
    )  # each is its attempt, as verify makes it
    for one, line, file in zip(asked, lines, files, strict=True):
        if line.quality.colour_distances[line.attempt] <= quality.colour_distance:
            [alone] = engine.submit(Request(coloured, [one], quality=quality))
            assert worst(opened([file]), opened([alone])) <= 1


def test_a_mix_is_compared_with_the_colour_between(coloured: SavedModel) -> None:
    (image,) = images(coloured, [0], colour="#30a050")
    other = replace(image, attributes={**image.attributes, "colour": "#a03080"})
    mixed = replace(image, mix=Mix(seed=0, draw=0, attributes=other.attributes, share=1.0))
    x = Forward("cpu")(coloured, [image], [1.0])
    assert colour_distances(coloured, [mixed], x) == colour_distances(coloured, [other], x)


def test_the_threshold_of_a_version_is_measured_once_and_for_all(coloured: SavedModel) -> None:
    assert measure_quality(coloured) == measure_quality(coloured)


def test_an_audit_believes_what_another_machine_can_have_measured() -> None:
    quality, gated = Quality(colour_distance=5), Gated(threshold=5, colour_distances=(5.2, 9.0, 4.9))
    assert (gated.place, chosen_attempt((5.2, 9.0), 5)) == (2, None)
    assert gated.is_plausible(quality, (4.9, 9.1, 5.1))
    assert not gated.is_plausible(quality, (4.0, 9.1, 5.1))
    assert not gated.is_plausible(Quality(colour_distance=6), (5.2, 9.0, 4.9))
    early, late = ((5.2, 9.0), (4.0, 5.2))
    for wrong in (early, late):
        assert not Gated(threshold=5, colour_distances=wrong).is_plausible(quality, wrong)
    worst_of_all = Gated(threshold=5, colour_distances=(9.0, 7.0, 8.0, 7.5))
    assert worst_of_all.place == 1
    assert worst_of_all.is_plausible(quality, (9.0, 7.0, 8.0, 7.5))
