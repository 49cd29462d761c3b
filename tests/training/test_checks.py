"""A run that cannot start is refused before it is queued."""

import subprocess
import sys

import pytest

from prodgen.errors import ProdgenError
from prodgen.models.saved import FAMILIES
from prodgen.spec.attributes import AttributeSchema
from prodgen.spec.model_config import ModelConfig
from prodgen.training.methods import augment
from prodgen.training.recipes.checks import check_pretrained, check_recipe
from prodgen.training.recipes.recipe import AUGMENTATIONS
from prodgen.training.recipes.recipe_files import make_recipe, read_recipe
from tests.training.conftest import SMALL


def recipe(**changes):
    return make_recipe({**SMALL, **changes}, "test")


@pytest.mark.parametrize(
    ("changes", "fit", "param", "words"),
    [
        ({}, {"images": 15}, "batch", "the data holds 15 images, fewer than a batch of 16"),
        ({"widths": [8] * 4}, {"size": 20}, "widths", "size 20 is not 3 doublings of a whole number"),
        (
            {},
            {"processes": 3},
            "batch",
            "a batch of 16 cannot be divided among 3 processes; .* multiple of 3",
        ),
        (
            {"accumulate": 4},
            {"processes": 8},
            "batch",
            "a batch of 16 in 4 parts cannot be divided among 8 processes; take a multiple of 32",
        ),
        ({"family": "vaegan"}, {"processes": 16}, "batch", "take a multiple of 32"),
        ({"recolour": 0.5}, {}, "recolour", "recolour is for cut-outs"),
        ({"transform": "saturation"}, {}, None, "saturation has nothing to change"),
    ],
)
def test_a_recipe_that_does_not_fit_is_refused(changes, fit, param, words):
    with pytest.raises(ProdgenError, match=words) as refused:
        check_recipe(recipe(**changes), **{"size": 16, "channels": 1, "images": 200, **fit})
    assert refused.value.param == param


@pytest.mark.parametrize("processes", [1, 2, 4, 8])
def test_a_recipe_that_fits_is_accepted(processes):
    check_recipe(recipe(family="vaegan"), 16, 3, 200, processes)
    check_recipe(recipe(batch=9 * processes), 16, 3, 200, processes)


def test_a_recipe_is_checked_without_torch():
    code = "import sys, prodgen.training.recipes.checks, prodgen.training.recipes.recipe_files\n"
    code += "print([m for m in ('torch', 'kornia', 'safetensors', 'cv2') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=200, check=True
    )
    assert done.stdout.strip() == "[]"


def test_every_augmentation_has_a_name():
    assert tuple(augment.AUGMENTATIONS) == AUGMENTATIONS


def test_a_recipe_is_read_back_from_json_as_it_was(tmp_path):
    path = tmp_path / "recipe.json"
    for family in ("r3gan", "vaegan"):
        path.write_text(recipe(family=family).model_dump_json())
        assert read_recipe(path) == recipe(family=family)


@pytest.mark.parametrize("content", ["{", "[]", '{"family": "none"}'])
def test_json_that_is_no_recipe_is_refused(tmp_path, content):
    (tmp_path / "recipe.json").write_text(content)
    with pytest.raises(ProdgenError):
        read_recipe(tmp_path / "recipe.json")
    with pytest.raises(ProdgenError, match="is no recipe in JSON"):
        read_recipe(tmp_path / "none.json")


@pytest.mark.parametrize("one", FAMILIES)
@pytest.mark.parametrize("other", FAMILIES)
def test_a_training_starts_from_a_model_of_the_same_kind_of_generator(one: str, other: str) -> None:
    wanted = recipe(family=other)
    given = ModelConfig(
        format=1,
        family=one,
        size=16,
        channels=1,
        latent_dim=wanted.latent_dim,
        attributes=AttributeSchema(attributes=()),
        ground="#000000",
        precision="fp32",
        tolerance=1,
    )
    if FAMILIES[one].generator is FAMILIES[other].generator:
        check_pretrained(given, "shop", wanted, 16, 1)
    else:
        with pytest.raises(ProdgenError, match=f"shop is of family {one}, the recipe of {other}"):
            check_pretrained(given, "shop", wanted, 16, 1)
