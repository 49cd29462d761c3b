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
from prodgen.training.loop import train_run
from prodgen.training.transfer import find_source
from tests.training.conftest import never, quiet


@pytest.fixture
def trained(make_run):
    """A run of a family to its end, with its model beside it."""

    def train(family="resnet"):
        run = make_run("trained", family=family)
        train_run(run, quiet, never)
        export(run, run.folder / "model")
        return run

    return train


def with_values(catalogue, values):
    labels = np.arange(len(catalogue)) % len(values)
    return Catalogue(catalogue.images, {"category": labels}, {"category": values})


@pytest.mark.parametrize("family", FAMILIES)
def test_a_category_that_stays_is_drawn_as_it_was(make_run, trained, catalogue, family):
    first = trained(family)
    old = catalogue.values["category"]
    others = with_values(catalogue, ("a new one", *old[:1:-1]))

    run = make_run("second", others, find_source(str(first.folder)), family=family)

    was = load_model(first.folder / "model").generator
    z = torch.randn(8, was.latent_dim)
    expected = was(z, torch.eye(10)[2:])
    now = run.method.generator.eval()
    kept = torch.eye(9)[1:].flip(0)
    # Under spectral norm a matrix with other columns is another one, if not by much.
    assert (now(z, kept) - expected).abs().mean() < (0.05 if family == "sagan" else 1e-5)
    assert (now(torch.randn_like(z), kept) - expected).abs().mean() > 0.05
    assert now(z, torch.eye(9)[:1].expand(8, 9)).isfinite().all()  # a mixture of the others, until it learns
    train_run(run, quiet, never)


def test_a_runs_folder_brings_its_discriminator(make_run, trained):
    first = trained()
    run = make_run("second", source=find_source(str(first.folder)), freeze=1)
    given = checkpoint.load(first.best_file)["run"]["modules"]["discriminator"]
    assert all(torch.equal(t, given[n]) for n, t in run.method.discriminator.named_parameters())

    train_run(run, quiet, never)

    after = dict(run.method.discriminator.named_parameters())
    learnt = {n.split(".")[1] for n, t in after.items() if not torch.equal(t, given[n])}
    assert "0" not in learnt
    assert "1" in learnt


def test_nothing_is_frozen_that_has_learnt_nothing(make_run, trained):
    for source in (None, find_source(str(trained().folder / "model"))):
        with pytest.raises(ProdgenError, match="freeze keeps what a discriminator has learnt; begin --from"):
            make_run("frozen", freeze=1, source=source)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"widths": [24, 8]}, r"has widths = \[16, 8\], this run \[24, 8\]; .* --set widths=\[16,8\]"),
        ({"latent_dim": 32}, "has latent_dim = 16, this run 32"),
        ({"family": "vae"}, "is of family resnet, the recipe of vae"),
    ],
)
def test_other_networks_are_no_beginning(make_run, trained, change, words):
    source = find_source(str(trained().folder / "model"))
    with pytest.raises(ProdgenError, match=words):
        make_run("second", source=source, **change)


def test_a_model_may_learn_attributes_for_the_first_time(make_run, catalogue):
    plain = make_run("plain", Catalogue(catalogue.images, {}, {}))
    train_run(plain, quiet, never)
    export(plain, plain.folder / "model")
    run = make_run("second", source=find_source(str(plain.folder)))
    train_run(run, quiet, never)
    assert run.is_evaluated
