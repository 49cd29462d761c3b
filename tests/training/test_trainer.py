"""What a user would lose: the hours before a power cut, or the best model of a night."""

import json

import numpy as np
import pytest
import torch

from prodgen.catalog.catalogue import Catalogue
from prodgen.errors import ProdgenError
from prodgen.models import load_model
from prodgen.models.families import FAMILIES
from prodgen.training.export import export
from prodgen.training.methods import method
from prodgen.training.watch.alarms import Collapsed, Diverged
from tests.training.conftest import never, quiet

ALL = {
    "dcgan": {"loss": "non-saturating"},
    "resnet": {"augment": "translation,cutout", "adaptive": 0.6, "discriminator_steps": 2, "drop": 0.3},
    "sagan": {"consistency": 1.0, "augment": "flip"},
    "r3gan": {
        "loss": "relativistic",
        "r1": 0.1,
        "r2": 0.1,
        "precision": "bf16",
        "augment": "flip,translation",
        "augment_share": 0.5,
        "burn_in": 0.8,
    },
    "vae": {"accumulate": 2, "transform": "flip"},
    "vaegan": {"precision": "bf16"},
}
"""A recipe of every family, between them with nearly everything that can be asked for."""


def weights(trainer):
    return {
        f"{kind}.{name}": tensor
        for kind, part in [*trainer.state.method.modules.items(), ("ema", trainer.state.ema.model)]
        for name, tensor in part.state_dict().items()
    }


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_trains_in_half_precision_where_the_device_has_it(make_trainer, monkeypatch, family):
    """Also on a CPU that would rather not: what is wrong there is wrong on a GPU."""
    monkeypatch.setattr(method, "has_bf16", lambda device: True)
    trainer = make_trainer(family=family, **{**ALL[family], "precision": "bf16"})
    seen = set()
    for layer in trainer.state.method.generator.modules():
        if isinstance(layer, torch.nn.Conv2d):
            layer.register_forward_hook(lambda _, inputs, output: seen.add(output.dtype))
    losses = [trainer.state.advance() for _ in range(2)][-1]
    assert seen == {torch.bfloat16}
    assert all(loss.isfinite() for loss in losses.values())
    assert {p.dtype for p in trainer.state.method.generator.parameters()} == {torch.float32}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_resumed_run_gives_the_very_numbers_of_an_uninterrupted_one(make_trainer, family):
    whole = make_trainer("whole", family=family, **ALL[family])
    whole.train(quiet, never)

    first = make_trainer("parts", family=family, **ALL[family])
    first.train(quiet, lambda: first.state.step == 3)
    assert first.state.step == 3
    torch.manual_seed(99)
    second = make_trainer("parts", family=family, **ALL[family])
    assert second.resume()
    second.train(quiet, never)

    expected, got = weights(whole), weights(second)
    assert [name for name in expected if not torch.equal(expected[name], got[name])] == []
    numbers = [
        [
            {k: v for k, v in line.items() if k not in ("time", "images_per_second")}
            for line in r.metrics.read()
        ]
        for r in (whole, second)
    ]
    assert numbers[0] == numbers[1]


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_ends_as_a_model_that_anyone_can_use(make_trainer, family, tmp_path):
    trainer = make_trainer(family=family, **ALL[family])
    trainer.train(quiet, never)
    export(trainer, tmp_path / "model")

    model = load_model(tmp_path / "model")

    assert model.config.family == family
    images = model.generator(torch.randn(3, model.config.latent_dim), torch.eye(10)[:3])
    assert images.shape == (3, 1, 16, 16)
    made = sorted(path.name for path in (tmp_path / "model").iterdir())
    judge = ["discriminator.safetensors"] * bool(FAMILIES[family].discriminator)
    assert made == ["card.md", "config.json", *judge, "metrics.json", "model.safetensors", "samples.png"]
    assert f'family = "{family}"' in (tmp_path / "model" / "card.md").read_text()
    assert json.loads((tmp_path / "model" / "metrics.json").read_text())["step"] in (4, 6)
    assert (trainer.folder / "samples" / "0000004.png").is_file()
    assert any((trainer.folder / "tensorboard").iterdir())


@pytest.mark.parametrize("family", ["vae", "vaegan"])
def test_a_warm_up_spares_the_codes_at_first(make_trainer, family):
    whole, spared = (make_trainer(f"{share}", family=family, beta=5.0, warm_up=share) for share in (0.0, 1.0))
    for trainer in (whole, spared):
        for _ in range(2):
            trainer.state.advance()
    pairs = zip(
        whole.state.method.generator.parameters(), spared.state.method.generator.parameters(), strict=True
    )
    assert not all(torch.equal(a, b) for a, b in pairs)


def test_what_a_resumed_optimizer_remembers_lies_as_its_weights_do(make_trainer):
    trainer = make_trainer(family="resnet")
    trainer.train(quiet, lambda: trainer.state.step == 2)
    again = make_trainer(family="resnet")
    assert again.resume()
    [*layouts] = {
        (weight.stride(), memory["exp_avg"].stride())
        for optimizer in again.state.method.optimizers.values()
        for weight, memory in optimizer.state.items()
    }
    assert len(layouts) > 4
    assert all(weight == memory for weight, memory in layouts)


def test_the_loss_of_an_autoencoder_falls(make_trainer):
    trainer = make_trainer(family="vae", steps=80, batch=32, decay=0.0)
    first, last = [float(trainer.state.advance()["reconstruction"]) for _ in range(80)][::79]
    assert last < 0.5 * first


@pytest.mark.parametrize("loss", ["wasserstein", "least-squares"])
def test_every_loss_can_be_trained_under(make_trainer, loss):
    trainer = make_trainer(loss=loss, gradient_penalty=10.0 if loss == "wasserstein" else 0.0, steps=2)
    trainer.train(quiet, never)
    assert all(bool(p.isfinite().all()) for p in trainer.state.method.generator.parameters())


def test_parts_of_a_batch_add_up_to_the_whole(make_trainer):
    plain = {"family": "vae", "beta": 0.0, "steps": 1}
    norms = []
    for parts in (1, 4):
        trainer = make_trainer(f"parts-{parts}", accumulate=parts, **plain)
        trainer.state.method.generator.eval()  # batch statistics are of a part
        torch.nn.init.constant_(trainer.state.method.generator.to_code.weight, 0.0)
        torch.nn.init.constant_(
            trainer.state.method.generator.to_code.bias, -12.0
        )  # codes without noise to speak of
        torch.nn.init.constant_(trainer.state.method.generator.to_code.bias[:8], 0.5)
        trainer.state.advance()
        norms.append(trainer.state.method.generator.to_pixels.weight.detach().clone())
    assert torch.allclose(norms[0], norms[1], atol=1e-4)


def test_a_catalogue_without_labels_trains(make_trainer, catalogue, tmp_path):
    trainer = make_trainer(data=Catalogue(catalogue.images, {}, {}))
    trainer.train(quiet, never)
    export(trainer, tmp_path / "model")
    assert (tmp_path / "model" / "samples.png").is_file()
    assert "agreement" not in json.loads((tmp_path / "model" / "metrics.json").read_text())


def test_unknown_labels_train_as_what_is_left_out(make_trainer, catalogue):
    labels = np.where(np.arange(len(catalogue)) % 3, catalogue.labels["category"], -1)
    trainer = make_trainer(data=Catalogue(catalogue.images, {"category": labels}, catalogue.values))
    trainer.train(quiet, never)
    assert trainer.is_evaluated


def test_what_is_no_number_is_neither_kept_nor_judged(make_trainer, monkeypatch):
    trainer = make_trainer(checkpoint_every=1, evaluate_every=1)
    advance, poisoned = trainer.state.advance, []

    def poison():
        losses = advance()
        if trainer.state.step == 2 and not poisoned:
            poisoned.append(trainer.state.step)
            next(trainer.state.method.generator.parameters()).data.fill_(float("nan"))
        return losses

    monkeypatch.setattr(trainer.state, "advance", poison)
    trainer.train(quiet, never)

    assert (trainer.state.step, poisoned) == (6, [2])
    assert all(bool(p.isfinite().all()) for p in trainer.state.method.generator.parameters())


def test_a_run_that_diverges_goes_back_to_its_checkpoint_and_on(make_trainer):
    trainer = make_trainer()
    poisoned = []

    def poison(step, numbers):
        if step == 3 and not poisoned:
            poisoned.append(step)
            next(trainer.state.method.generator.parameters()).data.fill_(float("nan"))

    trainer.train(poison, never)

    assert (trainer.state.step, poisoned) == (6, [3])
    assert all(bool(p.isfinite().all()) for p in trainer.state.ema.model.parameters())
    steps = [line["step"] for line in trainer.metrics.read() if "generator" in line]
    assert steps == [1, 2, 3, 4, 5, 6]


def test_a_run_that_diverges_again_and_again_is_given_up_with_a_reason(make_trainer):
    trainer = make_trainer(checkpoint_every=1)

    def poison(step, numbers):
        next(trainer.state.method.generator.parameters()).data.fill_(float("nan"))

    trainer.save()
    with pytest.raises(Diverged, match="lower the learning rates"):
        trainer.train(poison, never)


def test_a_collapse_stops_the_run_and_takes_it_back_to_its_best_step(make_trainer, monkeypatch):
    trainer = make_trainer(evaluate_every=2)
    judged_by(monkeypatch, {"domain_fid": 9.0, "diversity": 0.9}, {"domain_fid": 30.0, "diversity": 0.01})

    with pytest.raises(Collapsed, match=r"collapsed at step 4 .* back at its best step, 2"):
        trainer.train(quiet, never)

    assert [line["step"] for line in trainer.metrics.read() if "domain_fid" in line] == [2, 4]
    again = make_trainer(evaluate_every=2)
    assert again.resume()
    assert (again.state.step, again.state.best_fid) == (2, 9.0)


def test_what_has_yet_to_come_to_life_has_not_collapsed(make_trainer, monkeypatch):
    dull, dead = {"domain_fid": 9.0, "diversity": 0.01}, {"domain_fid": 9.5, "diversity": 0.02}
    judged_by(monkeypatch, dull, dead, {"domain_fid": 4.0, "diversity": 0.8})
    trainer = make_trainer(evaluate_every=2)
    trainer.train(quiet, never)
    assert (trainer.state.step, trainer.state.best_fid) == (6, 4.0)


def test_a_first_score_that_is_no_number_is_not_the_best(make_trainer, monkeypatch):
    judged_by(monkeypatch, {"domain_fid": float("nan")}, {"domain_fid": 4.0}, {"domain_fid": 5.0})
    trainer = make_trainer(evaluate_every=2)
    trainer.train(quiet, never)
    assert (trainer.state.step, trainer.state.best_fid) == (6, 4.0)


def judged_by(monkeypatch, *scores):
    left = iter(scores)
    monkeypatch.setattr("prodgen.training.watch.review.Judge", lambda *_: lambda *_: next(left))


def test_a_kind_of_which_there_is_one_image_does_not_end_the_run(make_trainer, catalogue):
    labels = np.arange(len(catalogue))
    values = {"category": tuple(f"c{k}" for k in labels)}
    trainer = make_trainer(data=Catalogue(catalogue.images, {"category": labels}, values))
    trainer.train(quiet, never)
    assert trainer.is_evaluated


def test_a_run_is_saved_by_lower_rates(make_trainer):
    trainer = make_trainer(decay=0.0)
    trainer.train(quiet, lambda: trainer.state.step == 3)
    again = make_trainer(decay=0.0, generator_lr=1e-5)
    assert again.resume()
    again.state.advance()
    assert again.state.method.optimizers["generator"].param_groups[0]["lr"] == 1e-5


def test_a_run_does_not_go_on_with_other_data(make_trainer, catalogue):
    trainer = make_trainer()
    trainer.train(quiet, lambda: trainer.state.step == 3)
    other = Catalogue(255 - catalogue.images, catalogue.labels, catalogue.values)
    with pytest.raises(ProdgenError, match="was trained on other data"):
        make_trainer(data=other).resume()


def test_what_another_run_left_is_not_the_best_of_this_one(make_trainer):
    make_trainer().train(quiet, never)
    trainer = make_trainer(evaluate_every=100)
    trainer.checkpoint_file.unlink()
    trainer.train(quiet, lambda: trainer.state.step == 2)
    assert not trainer.is_evaluated


def test_another_recipe_does_not_go_on_with_this_run(make_trainer):
    trainer = make_trainer()
    trainer.train(quiet, lambda: trainer.state.step == 2)
    with pytest.raises(ProdgenError, match=r"was made with ema = 0.999, not 0.9; resume it with the same"):
        make_trainer(ema=0.9).resume()
    assert make_trainer(steps=9).resume()


def test_a_broken_checkpoint_is_told_and_not_overwritten(make_trainer):
    trainer = make_trainer()
    trainer.folder.mkdir()
    trainer.checkpoint_file.write_bytes(b"not a checkpoint")
    with pytest.raises(ProdgenError, match="is not a checkpoint that can be resumed"):
        trainer.resume()
    assert trainer.checkpoint_file.read_bytes() == b"not a checkpoint"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"batch": 256}, "the data holds 200 images, fewer than a batch of 256"),
        (
            {"widths": [16, 16, 16, 16, 16, 16]},
            "the widths do not fit the images: size 16 is not 5 doublings",
        ),
    ],
)
def test_what_cannot_be_trained_is_refused_before_anything_is_written(make_trainer, tmp_path, changes, words):
    with pytest.raises(ProdgenError, match=words):
        make_trainer("refused", **changes)
    assert not (tmp_path / "refused").exists()
