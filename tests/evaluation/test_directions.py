"""Only directions whose effect is real are offered, and a step has that effect."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from prodgen.errors import ProdgenError
from prodgen.evaluation.directions import find_directions, measure
from prodgen.models import SavedModel
from prodgen.models.base import ImageGenerator
from prodgen.spec.attributes import AttributeSchema
from prodgen.spec.directions import Direction
from prodgen.spec.model_config import ModelConfig
from tests.generation.asking import images, pixels, worst
from tests.toys import SCHEMA, toy_model


class Rectangles(ImageGenerator):
    """Draws rectangles that get wider with the first number of the latent, and darker at random."""

    def __init__(self) -> None:
        super().__init__(AttributeSchema(), 16, 1, 8, [0])
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, latent: Tensor, condition: Tensor) -> Tensor:
        column = torch.arange(16).expand(len(latent), 16, 16)
        inside = (column - 7.5).abs() < 4 + latent[:, :1, None]
        inside &= (torch.arange(16)[:, None] - 7.5).abs() < 5
        level = 0.6 + 0.1 * torch.sin(100 * latent[:, 1:2, None])
        return torch.where(inside, level, -1.0)[:, None]


def test_a_direction_is_offered_if_it_changes_what_it_says() -> None:
    config = ModelConfig(
        format=1,
        family="resnet",
        size=16,
        channels=1,
        latent_dim=8,
        attributes=AttributeSchema(),
        ground="#000000",
        precision="fp32",
        tolerance=1,
    )
    found = find_directions(SavedModel(Rectangles().eval(), config, "rectangles", "1"), 500)
    offered = [one.direction for one in found if one.fault is None]
    assert len(offered) == 1, "width and area are the same direction here, and the others are chance"
    faults = {one.direction.name: one.fault for one in found}
    assert faults["lightness"] == "it explains less than 25% of the variance"
    width = next(one.direction for one in found if one.direction.name == "width")
    assert width.vector[0] > 0.99
    assert width.r2 > 0.8
    assert 0.08 < width.effect < 0.14, "a step makes it wider by two of sixteen columns"


def test_what_is_measured() -> None:
    image = torch.full((1, 4, 20, 20), -1.0)
    image[:, :, 5:10, 8:12] = 1.0  # an opaque white part of 4 columns above one of 8
    image[:, :, 10:15, 6:14] = 1.0
    found = {name: round(float(value), 2) for name, value in measure(image, "#000000").items()}
    assert found == {
        "width": 0.4,
        "height": 0.5,
        "area": 0.15,
        "flare": 0.2,
        "lightness": 1.0,
        "symmetry": 1.0,
    }


def test_steps_shift_the_latent_and_are_asked_for_as_attributes_are(tmp_path: Path) -> None:
    direction = Direction(name="width", effect=0.1, right=1, r2=1, vector=(1.0, *[0.0] * 11))
    schema = SCHEMA.model_copy(update={"directions": (direction,)})
    model = toy_model(tmp_path / "toy", schema=schema)
    assert model.config.attributes == schema, "the config keeps the directions"
    plain, steps = images(model, [0], category="bag"), images(model, [0], category="bag", width="-1.5")
    assert "width" not in plain[0].attributes
    assert worst(pixels(model, plain), pixels(model, images(model, [0], category="bag", width="0"))) == 0
    assert worst(pixels(model, plain), pixels(model, steps)) > 1
    assert schema.parse({"Width": "+1.50"}) == {"width": ["1.5"]}
    for wrong in ("3.1", "nan", "wide"):
        with pytest.raises(ProdgenError, match="width is a number of steps from -3 to 3"):
            schema.parse({"width": wrong})
    assert "directions" not in SCHEMA.model_dump()
