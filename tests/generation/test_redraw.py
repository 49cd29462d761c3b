"""A model draws a picture again from the latent that it finds, with other attributes by the strength."""

import io

import numpy as np
import pytest
import torch
from PIL import ExifTags, Image

from prodgen.errors import ProdgenError
from prodgen.generation import inversion
from prodgen.models.vae import VAE
from prodgen.photographs.cutters import GrabCut
from prodgen.photographs.redraw import _as_trained
from prodgen.pipeline import Pipeline, Redrawn
from prodgen.spec.attributes import AttributeSchema, Choice
from prodgen.spec.formula import Formula
from prodgen.spec.provenance import read_provenance
from prodgen.spec.redrawing import Found, Picture, Start, check_picture
from tests.generation.asking import worst


@pytest.fixture
def pipeline(engine, toy, monkeypatch):
    monkeypatch.setattr(inversion, "STAGES", ((2, 20), (1, 40)))
    return Pipeline(toy, engine)


@pytest.fixture
def picture(pipeline) -> bytes:
    """A picture that the model can draw."""
    return pipeline.render(Formula.of(pipeline(seed=3, category="dress").manifest[0]))


def redraw(pipeline: Pipeline, picture: bytes, changes=None, **options) -> Redrawn:
    return pipeline.redraw(picture, changes, **{"cutter": GrabCut(), "was": {"category": "dress"}, **options})


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))[None]


def test_an_edit_changes_as_much_as_its_strength_and_says_how_it_was_made(pipeline, picture):
    same = redraw(pipeline, picture)
    assert redraw(pipeline, picture) == same, "the same request makes the same file"
    found = same.found
    recipe = read_provenance(io.BytesIO(same.data)).recipe
    assert recipe["picture"]["distance"] == found.distance
    assert "seed" not in recipe, "nobody takes the image for that of a seed"
    assert Start.model_validate(recipe["picture"]) == Start.of(
        Picture(sha256=recipe["picture"]["sha256"]), found
    )
    other = {"category": "bag"}
    files = [redraw(pipeline, picture, other, strength=share).data for share in (0.0, 0.5, 1.0)]
    assert worst(pixels(files[0]), pixels(same.data)) == 0
    assert len({*files}) == 3
    formula = Formula.model_validate(
        {"model": recipe["model"], "seed": 0, "index": 0, "format": "png", "attributes": other}
        | {"picture": {"sha256": recipe["picture"]["sha256"]}}
    )
    again = Found.model_validate(read_provenance(io.BytesIO(files[2])).recipe["picture"] | {}, extra="ignore")
    assert worst(pixels(pipeline.render(formula, again)), pixels(files[2])) <= 1, "without the picture"


def test_the_search_comes_nearer_and_takes_what_is_known(pipeline, picture):
    found = redraw(pipeline, picture, was={"category": "bag"}).found
    assert found.attributes["category"] == "bag"
    assert len(found.latent) == pipeline.model.config.latent_dim
    right, other = (redraw(pipeline, data).found.distance for data in (picture, plain_picture()))
    assert right < other, "a picture of the model's own is drawn more nearly than a plain square"


def plain_picture() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.pad(np.full((8, 8), 200, np.uint8), 4)).save(buffer, "PNG")
    return buffer.getvalue()


def test_an_encoder_gives_latents_that_lead_back_to_its_codes(toy):
    torch.manual_seed(0)
    model = VAE(attributes=toy.config.attributes, size=16, latent_dim=8, widths=[16, 8]).eval()
    image = torch.rand(3, 1, 16, 16) * 2 - 1
    condition = torch.zeros(3, model.condition_dim)
    with torch.inference_mode():
        again = model(model.find_latents(image, condition), condition)
        assert torch.allclose(again, model.reconstruct(image, condition), atol=1e-4)


@pytest.mark.parametrize(
    ("data", "changes", "options", "param"),
    [
        (b"no picture", {}, {}, "picture"),
        (None, {"category": "boat"}, {}, "attributes.category"),
        (None, {}, {"was": {"category": "boat"}}, "attributes.category"),
        (None, {}, {"was": {}}, "picture.category"),
        (None, {}, {"strength": 1.5}, "picture.strength"),
        (None, {"truncation": "0.5"}, {}, "truncation"),
    ],
)
def test_a_wrong_request_gets_one_sentence(pipeline, picture, data, changes, options, param):
    with pytest.raises(ProdgenError) as refused:
        redraw(pipeline, data or picture, changes, **options)
    assert param in f"{refused.value.param} {refused.value}"


@pytest.mark.parametrize("rate", [1e6, float("inf")])
def test_a_search_that_ends_nowhere_gets_one_sentence(pipeline, picture, monkeypatch, rate):
    monkeypatch.setattr(inversion, "_RATE", rate)
    with pytest.raises(ProdgenError, match="finds no latent of this picture"):
        redraw(pipeline, picture)


def test_a_picture_of_a_phone_is_turned_upright(toy):
    scene = np.zeros((40, 40), np.uint8) + int(toy.config.ground[1:3], 16)
    scene[5:10, 5:35] = 128
    lying = Image.fromarray(np.rot90(scene).copy())
    lying.getexif()[ExifTags.Base.Orientation] = 6
    files = [io.BytesIO(), io.BytesIO()]
    Image.fromarray(scene).save(files[0], "PNG")
    lying.save(files[1], "PNG", exif=lying.getexif())
    upright, turned = (_as_trained(file.getvalue(), toy.config, GrabCut())[0] for file in files)
    assert (upright == turned).all()


def test_a_model_does_not_leave_out_combinations_without_a_word(toy):
    values = tuple(f"v{k}" for k in range(9))
    choices = [Choice(name=name, values=values, frequencies=(1 / 9,) * 9) for name in ("shape", "style")]
    schema = AttributeSchema(attributes=choices)
    config = toy.config.model_copy(update={"family": "vae", "attributes": schema})
    with pytest.raises(
        ProdgenError, match="81 combinations of attributes, and tries at most 64: say the shape"
    ):
        check_picture("acme", config, {})
    check_picture("acme", config, {"style": "v1"})
