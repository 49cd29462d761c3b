"""What a user would lose: hours of training, for a category more."""

import numpy as np
import pytest
import torch

from prodgen.catalog.catalogue import Catalogue
from prodgen.errors import ProdgenError
from prodgen.models import load_model
from prodgen.models.families import FAMILIES
from prodgen.training import checkpoint
from prodgen.training.export import export
from prodgen.training.methods.transfer import find_pretrained
from tests.training.conftest import never, quiet


@pytest.fixture
def trained(make_trainer):
    """A run of a family to its end, with its model beside it."""

    def train(family="resnet"):
        trainer = make_trainer("trained", family=family)
        trainer.train(quiet, never)
        export(trainer, trainer.folder / "model")
        return trainer

    return train


def without_discriminator(trainer):
    """The run's model as it would come from a hub."""
    (trainer.folder / "model" / "discriminator.safetensors").unlink()
    return find_pretrained(str(trainer.folder / "model"))


def with_values(catalogue, values):
    labels = np.arange(len(catalogue)) % len(values)
    return Catalogue(catalogue.images, {"category": labels}, {"category": values})


@pytest.mark.parametrize("family", FAMILIES)
def test_a_category_that_stays_is_drawn_as_it_was(make_trainer, trained, catalogue, family):
    first = trained(family)
    old = catalogue.values["category"]
    others = with_values(catalogue, ("a new one", *old[:1:-1]))

    trainer = make_trainer("second", others, find_pretrained(str(first.folder)), family=family)

    was = load_model(first.folder / "model").generator
    z = torch.randn(8, was.latent_dim)
    expected = was(z, torch.eye(10)[2:])
    now = trainer.state.method.generator.eval()
    kept = torch.eye(9)[1:].flip(0)
    # Under spectral norm a matrix with other columns is another one, if not by much.
    assert (now(z, kept) - expected).abs().mean() < (0.05 if family == "sagan" else 1e-5)
    assert (now(torch.randn_like(z), kept) - expected).abs().mean() > 0.05
    assert now(z, torch.eye(9)[:1].expand(8, 9)).isfinite().all()  # a mixture of the others, until it learns
    trainer.train(quiet, never)


def test_a_runs_folder_brings_its_discriminator(make_trainer, trained):
    first = trained()
    trainer = make_trainer("second", pretrained=find_pretrained(str(first.folder)), freeze=1)
    given = checkpoint.load(first.best_file)["run"]["modules"]["discriminator"]
    assert all(torch.equal(t, given[n]) for n, t in trainer.state.method.discriminator.named_parameters())

    trainer.train(quiet, never)

    after = dict(trainer.state.method.discriminator.named_parameters())
    learnt = {n.split(".")[1] for n, t in after.items() if not torch.equal(t, given[n])}
    assert "0" not in learnt
    assert "1" in learnt


@pytest.mark.parametrize("family", ["resnet", "vaegan"])
def test_a_new_discriminator_learns_before_it_teaches(make_trainer, trained, family):
    source = without_discriminator(trained(family))
    trainer = make_trainer("second", pretrained=source, family=family, head_start=0.5, evaluate_every=2)
    networks = trainer.state.method.generator, trainer.state.method.discriminator
    given = [{n: p.clone() for n, p in network.named_parameters()} for network in networks]

    def same():
        pairs = zip(networks, given, strict=True)
        return [all(torch.equal(p, was[n]) for n, p in network.named_parameters()) for network, was in pairs]

    trainer.train(quiet, lambda: trainer.state.step == 3)
    assert same() == [True, False]
    assert not trainer.is_evaluated  # what was judged is the source
    trainer.train(quiet, lambda: trainer.state.step == 4)
    assert same() == [False, False]


def test_a_head_start_is_resumed_as_all_else(make_trainer, trained):
    source = without_discriminator(trained())
    whole = make_trainer("whole", pretrained=source, head_start=0.5)
    whole.train(quiet, never)
    first = make_trainer("parts", pretrained=source, head_start=0.5)
    first.train(quiet, lambda: first.state.step == 2)

    second = make_trainer("parts", head_start=0.5)
    assert second.resume()
    second.train(quiet, never)

    expected = whole.state.ema.model.state_dict()
    assert all(torch.equal(t, expected[n]) for n, t in second.state.ema.model.state_dict().items())


def test_a_run_of_an_older_version_has_its_discriminator_elsewhere(trained):
    trainer = trained()
    known = find_pretrained(str(trainer.folder)).discriminator
    without_discriminator(trainer)
    older = find_pretrained(str(trainer.folder)).discriminator
    assert all(torch.equal(known[name], older[name]) for name in known)


def test_the_average_does_not_forget_what_was_learnt(make_trainer, trained):
    trainer = make_trainer("second", pretrained=find_pretrained(str(trained().folder)), ema=0.999)
    was = [p.clone() for p in trainer.state.ema.model.parameters()]
    trainer.state.advance()
    pairs = zip(
        trainer.state.ema.model.parameters(), trainer.state.method.generator.parameters(), was, strict=True
    )
    for averaged, now, before in pairs:
        torch.testing.assert_close(averaged, torch.lerp(now, before, 0.999))


def test_nothing_is_frozen_that_has_learnt_nothing(make_trainer, trained):
    for source in (None, without_discriminator(trained())):
        with pytest.raises(ProdgenError, match="freeze is for a pretrained discriminator; start --from"):
            make_trainer("frozen", freeze=1, pretrained=source)


def test_an_autoencoder_goes_on_without_the_discriminator_of_a_hybrid(make_trainer, trained):
    trainer = make_trainer("second", pretrained=find_pretrained(str(trained("vaegan").folder)), family="vae")
    trainer.train(quiet, never)
    assert trainer.is_evaluated


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"widths": [24, 8]}, r"has widths = \[16, 8\], but the recipe has \[24, 8\]; .* --set widths=\[16,8\]"),
        ({"latent_dim": 32}, "has latent_dim = 16, but the recipe has 32"),
        ({"family": "vae"}, "is of family resnet, the recipe of vae"),
    ],
)
def test_other_networks_are_no_beginning(make_trainer, trained, change, words):
    source = find_pretrained(str(trained().folder / "model"))
    with pytest.raises(ProdgenError, match=words):
        make_trainer("second", pretrained=source, **change)


def test_a_model_may_learn_attributes_for_the_first_time(make_trainer, catalogue):
    plain = make_trainer("plain", Catalogue(catalogue.images, {}, {}))
    plain.train(quiet, never)
    export(plain, plain.folder / "model")
    trainer = make_trainer("second", pretrained=find_pretrained(str(plain.folder)))
    trainer.train(quiet, never)
    assert trainer.is_evaluated
