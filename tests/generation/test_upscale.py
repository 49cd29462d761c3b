"""``upscale`` makes larger images that are sharper than resampled ones, the same in every batch."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn.functional import interpolate

from prodgen.errors import ProdgenError
from prodgen.generation.engine import Engine
from prodgen.generation.finish import apply_finish
from prodgen.generation.request import manifest_line
from prodgen.generation.verify import verify
from prodgen.models import load_model
from prodgen.spec.finish import Finish
from tests.generation.asking import request
from tests.toys import toy_model

LARGE = Finish(upscale=4)


def discs(count: int) -> torch.Tensor:
    """Premultiplied discs (count, 4, 128, 128) in [0, 1], each larger and of another colour."""
    axis = torch.arange(128) - 63.5
    distance = (axis[:, None].square() + axis.square()).sqrt()
    alpha = torch.stack([((30 + 4 * k) - distance + 0.5).clamp(0, 1) for k in range(count)])[:, None]
    colours = torch.tensor([[0.8, 0.2, 0.3], [0.1, 0.3, 0.6], [0.9, 0.9, 0.8]])[:count, :, None, None]
    return torch.cat([colours * alpha, alpha], 1)


def finished(layers: torch.Tensor, finish: Finish) -> NDArray[np.int64]:
    count = len(layers)
    return apply_finish(layers * 2 - 1, finish, "#ffffff", [0] * count, range(count)).numpy().astype(np.int64)


def test_an_upscaled_outline_is_nearer_to_the_large_one_than_a_resampled_outline() -> None:
    large = discs(3)
    small = interpolate(large, (32, 32), mode="area")
    wanted = finished(large, Finish(background="grey"))
    by_network = finished(small, Finish(upscale=4, background="grey"))
    by_resampling = finished(small, Finish(size=128, background="grey"))
    assert by_network.shape == wanted.shape == (3, 128, 128, 3)
    assert np.abs(by_network - wanted).mean() < 0.8 * np.abs(by_resampling - wanted).mean()


def test_an_upscaled_image_does_not_depend_on_its_batch_and_may_have_any_size() -> None:
    small = interpolate(discs(3), (32, 32), mode="area")
    together = finished(small, LARGE)
    alone = np.concatenate([finished(one[None], LARGE) for one in small])
    assert np.abs(together[..., 3] - alone[..., 3]).max() <= 1
    assert finished(small[:, :3], Finish(upscale=4, size=100)).shape == (3, 100, 100, 3)


def test_a_manifest_names_the_upscaler_and_another_one_is_found_by_verification(engine: Engine) -> None:
    model = load_model("clothing")
    asked = request(model, 1, finish=LARGE)
    [image] = engine.submit(asked)
    line = manifest_line(asked, asked.images[0], image)
    assert line.upscaler is not None
    [right] = verify([line], lambda name: image, model, engine)
    other = line.model_copy(update={"upscaler": "0" * 12})
    [wrong] = verify([other], lambda name: image, model, engine)
    assert (right.fault, wrong.fault) == (None, f"its upscaler was {'0' * 12}, and {line.upscaler} is here")


def test_upscaled_images_are_made_in_small_batches_because_other_requests_wait(folder: Path) -> None:
    model = toy_model(folder, channels=3)
    large = request(model, 2, finish=Finish(upscale=4, size=1024), format="jpeg")
    with Engine("cpu") as engine:
        assert len(list(engine.submit(large))) == 2
    assert engine.batches == 2


@pytest.mark.parametrize(
    ("changed", "finish", "fault"),
    [
        (
            {"channels": 1},
            LARGE,
            "upscale is for models of colour images, and this model's are grey; set size",
        ),
        ({"size": 1024}, LARGE, "upscale makes images of 4096 pixels a side; the most are 2048"),
        ({}, Finish(upscale=4, size=64), "upscale needs a size above 64, the model's own, not 64"),
    ],
)
def test_what_the_network_cannot_enlarge_is_refused(
    changed: dict[str, int], finish: Finish, fault: str
) -> None:
    config = load_model("clothing").config.model_copy(update=changed)
    with pytest.raises(ProdgenError, match=fault) as error:
        config.check_finish(finish)
    assert error.value.param == "finish.upscale"
