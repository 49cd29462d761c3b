"""A training can start from another model, for instance to add a category."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from prodgen.catalog.catalogue import Catalogue
from prodgen.errors import ProdgenError
from prodgen.models import load_model
from prodgen.models.saved import FAMILIES
from prodgen.training import checkpoint
from prodgen.training.export import export
from prodgen.training.methods.setup import find_pretrained
from tests.training.conftest import never, quiet


@pytest.fixture
def trained(make_trainer):
    """Train a family to the last step, and export its model into the same folder."""

    def train(family="resnet"):
        trainer = make_trainer("trained", family=family)
        trainer.train(quiet, never)
        export(trainer, trainer.folder / "model")
        return trainer

    return train


def without_discriminator(trainer):
    """Return the trained model without its discriminator, as a hub would have it."""
    (trainer.folder / "model" / "discriminator.safetensors").unlink()
    return find_pretrained(str(trainer.folder / "model"))


def with_values(catalogue, values):
    labels = np.arange(len(catalogue)) % len(values)
    return Catalogue(catalogue.images, {"category": labels}, {"category": values})


@pytest.mark.parametrize("family", FAMILIES)
def test_a_category_that_stays_gives_the_same_images(make_trainer, trained, catalogue, family):
    first = trained(family)
    old = catalogue.values["category"]
    others = with_values(catalogue, ("a new one", *old[:1:-1]))

    trainer = make_trainer("second", others, find_pretrained(str(first.folder)), family=family)

    old_generator = load_model(first.folder / "model").generator
    z = torch.randn(8, old_generator.latent_dim)
    expected = old_generator(z, torch.eye(10)[2:])
    generator = trainer.state.method.generator.eval()
    kept = torch.eye(9)[1:].flip(0)
    # Under spectral norm, other columns change all weights of a matrix a little.
    assert (generator(z, kept) - expected).abs().mean() < (0.05 if family == "sagan" else 1e-5)
    assert (generator(torch.randn_like(z), kept) - expected).abs().mean() > 0.05
    assert generator(z, torch.eye(9)[:1].expand(8, 9)).isfinite().all()
    trainer.train(quiet, never)


def test_the_folder_of_a_training_has_its_discriminator_too(make_trainer, trained):
    first = trained()
    trainer = make_trainer("second", pretrained=find_pretrained(str(first.folder)), freeze=1)
    given = checkpoint.load(first.best_file)["run"]["modules"]["discriminator"]
    assert all(torch.equal(t, given[n]) for n, t in trainer.state.method.discriminator.named_parameters())

    trainer.train(quiet, never)

    after = dict(trainer.state.method.discriminator.named_parameters())
    changed_blocks = {n.split(".")[1] for n, t in after.items() if not torch.equal(t, given[n])}
    assert "0" not in changed_blocks
    assert "1" in changed_blocks


@pytest.mark.parametrize("family", ["resnet", "vaegan"])
def test_a_new_discriminator_learns_before_the_generator(make_trainer, trained, family):
    pretrained = without_discriminator(trained(family))
    trainer = make_trainer("second", pretrained=pretrained, family=family, head_start=0.5, evaluate_every=2)
    networks = trainer.state.method.generator, trainer.state.method.discriminator
    given = [{n: p.clone() for n, p in network.named_parameters()} for network in networks]

    def unchanged():
        pairs = zip(networks, given, strict=True)
        return [all(torch.equal(p, old[n]) for n, p in network.named_parameters()) for network, old in pairs]

    trainer.train(quiet, lambda: trainer.state.step == 3)
    assert unchanged() == [True, False]
    assert not trainer.is_evaluated  # the generator is still the pretrained one
    trainer.train(quiet, lambda: trainer.state.step == 4)
    assert unchanged() == [False, False]


def test_a_training_resumes_within_its_head_start(make_trainer, trained):
    pretrained = without_discriminator(trained())
    whole = make_trainer("whole", pretrained=pretrained, head_start=0.5)
    whole.train(quiet, never)
    first = make_trainer("parts", pretrained=pretrained, head_start=0.5)
    first.train(quiet, lambda: first.state.step == 2)

    second = make_trainer("parts", head_start=0.5)
    assert second.resume()
    second.train(quiet, never)

    expected = whole.state.ema.model.state_dict()
    assert all(torch.equal(t, expected[n]) for n, t in second.state.ema.model.state_dict().items())


def test_the_discriminator_of_an_older_version_is_in_its_best_checkpoint(trained):
    trainer = trained()
    exported = find_pretrained(str(trainer.folder)).discriminator
    without_discriminator(trainer)
    older = find_pretrained(str(trainer.folder)).discriminator
    assert all(torch.equal(exported[name], older[name]) for name in exported)


def test_the_average_keeps_pretrained_weights(make_trainer, trained):
    state = make_trainer("second", pretrained=find_pretrained(str(trained().folder)), ema=0.999).state
    before = [p.clone() for p in state.ema.model.parameters()]
    state.advance()
    pairs = zip(state.ema.model.parameters(), state.method.generator.parameters(), before, strict=True)
    for average, new, old in pairs:
        torch.testing.assert_close(average, torch.lerp(new, old, 0.999))


def test_a_random_discriminator_cannot_be_frozen(make_trainer, trained):
    for pretrained in (None, without_discriminator(trained())):
        with pytest.raises(ProdgenError, match="freeze is for a pretrained discriminator; start --from"):
            make_trainer("frozen", freeze=1, pretrained=pretrained)


def test_a_vae_can_start_from_a_vaegan(make_trainer, trained):
    trainer = make_trainer("second", pretrained=find_pretrained(str(trained("vaegan").folder)), family="vae")
    trainer.train(quiet, never)
    assert trainer.is_evaluated


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"widths": [24, 8]}, r"has widths = \[16, 8\], but the recipe has \[24, 8\]; .*=\[16,8\]"),
        ({"latent_dim": 32}, "has latent_dim = 16, but the recipe has 32"),
        ({"family": "vae"}, "is of family resnet, the recipe of vae"),
    ],
)
def test_a_model_with_other_networks_is_refused(make_trainer, trained, change, words):
    pretrained = find_pretrained(str(trained().folder / "model"))
    with pytest.raises(ProdgenError, match=words):
        make_trainer("second", pretrained=pretrained, **change)


def test_a_model_without_attributes_can_learn_some(make_trainer, catalogue):
    plain = make_trainer("plain", Catalogue(catalogue.images, {}, {}))
    plain.train(quiet, never)
    export(plain, plain.folder / "model")
    trainer = make_trainer("second", pretrained=find_pretrained(str(plain.folder)))
    trainer.train(quiet, never)
    assert trainer.is_evaluated


def test_a_model_grows_to_images_of_twice_the_side(make_trainer, trained, catalogue):
    """The coarse blocks of both networks are the smaller model's; the finest learn first to enlarge."""
    first = trained()
    larger = Catalogue(catalogue.images.repeat(2, 1).repeat(2, 2), catalogue.labels, catalogue.values)
    pretrained = find_pretrained(str(first.folder))
    trainer = make_trainer("larger", larger, pretrained, widths=[16, 8, 8])
    grown, small = trainer.state.method.modules, pretrained.model.generator.state_dict()
    generator = grown["generator"].state_dict()
    for name in small:
        if name.startswith(("dense", "blocks")):
            assert torch.equal(generator[name], small[name]), name
    z, condition = torch.randn(8, pretrained.model.generator.latent_dim), torch.eye(10)[:8]
    enlarged = F.interpolate(pretrained.model.generator.eval()(z, condition), 32, mode="bicubic")
    drawn = grown["generator"].eval()(z, condition)
    assert (drawn - enlarged).abs().mean() < 0.5 * (drawn.roll(1, 0) - enlarged).abs().mean()
    discriminator = grown["discriminator"].state_dict()
    for name, weights in pretrained.discriminator.items():
        if name.startswith("body.1"):
            assert torch.equal(discriminator[name.replace("body.1", "body.2")], weights), name
    trainer.train(quiet, never)
    assert trainer.state.method.generator.size == 32
    with pytest.raises(ProdgenError, match="has widths = "):
        make_trainer("wider", larger, pretrained, widths=[16, 16, 8])
    with pytest.raises(ProdgenError, match="freeze would keep new blocks as they are"):
        make_trainer("frozen", larger, pretrained, widths=[16, 8, 8], freeze=1)
