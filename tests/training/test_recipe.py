"""A recipe with a mistake is refused before the training begins."""

import pytest

from prodgen.errors import NotFound, ProdgenError
from prodgen.training.recipes.recipe import GanRecipe, VaeGanRecipe
from prodgen.training.recipes.recipe_files import load_recipe, recipe_names


@pytest.mark.parametrize("name", recipe_names())
def test_every_bundled_recipe_is_valid(name):
    assert load_recipe(name, []).name == name


def test_settings_override_the_recipe():
    recipe = load_recipe("fashion-mnist", ["steps=7", "widths=[16, 8]", "augment=flip,cutout", "loss=hinge"])
    assert isinstance(recipe, GanRecipe)
    assert (recipe.steps, recipe.widths, recipe.augment) == (7, [16, 8], "flip,cutout")


def test_another_family_has_other_keys():
    recipe = load_recipe("fashion-mnist-vaegan", ["beta=0.5"])
    assert isinstance(recipe, VaeGanRecipe)
    with pytest.raises(ProdgenError, match="there is no field r1; a recipe of vaegan has"):
        load_recipe("fashion-mnist-vaegan", ["r1=1.0"])


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("steps=0", "steps must be at least 1, not 0"),
        ("steps=many", "steps must be a whole number, not 'many'"),
        ("stepz=5", "there is no field stepz; a recipe of resnet has name, family"),
        ("generator_lr=2", "generator_lr must be less than 1"),
        ("augment=flip,swirl", "augment knows no 'swirl'; it knows flip, translation"),
        ("transform=swirl", "transform knows no 'swirl'"),
        ("accumulate=3", "batch 64 is not 3 equal parts"),
        ("family=diffusion", "there is no family 'diffusion'; there are dcgan, resnet"),
        ("loss=wishful", "loss must be 'non-saturating'"),
        ("name=../up", "'../up' is not a valid name"),
        ("ground=mauvish", "'mauvish' is no colour"),
        ("channels=2", "channels must be"),
        ("adaptive=0.6", "adaptive needs something to adapt; set augment"),
        ("burn_in=0.5", "burn_in needs something to change; set augment, r1 or r2"),
        ("consistency=1", "consistency needs something to compare; set augment"),
        ("adaptive=0.6 augment=flip loss=wasserstein", "have no meaning under the loss wasserstein"),
        ("family=dcgan r1=1", "dcgan's discriminator normalises by the batch"),
        ("family=r3gan loss=wasserstein", "needs a bounded discriminator, and r3gan has none"),
        ("compile=true r1=1", "penalties differentiate twice"),
        ("steps", "--set 'steps' is not key=value"),
    ],
)
def test_a_wrong_setting_is_refused_in_one_sentence(setting, words):
    with pytest.raises(ProdgenError) as refused:
        load_recipe("fashion-mnist", setting.split())
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_can_be_a_recipe(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('name = "mine"\nfamily = "vae"\nsteps = 3\n')
    assert load_recipe(str(path), []).family == "vae"
    path.write_text("name = ")
    with pytest.raises(ProdgenError, match="is not valid TOML"):
        load_recipe(str(path), [])
    with pytest.raises(NotFound, match=r"there is no recipe file .*none\.toml"):
        load_recipe(str(tmp_path / "none.toml"), [])
    with pytest.raises(NotFound, match="there is no recipe 'none'; there are"):
        load_recipe("none", [])
