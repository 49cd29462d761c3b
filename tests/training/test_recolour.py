"""A model learns colours that no photograph of the category has."""

import numpy as np
import pytest
import torch

from prodgen.catalog.catalogue import Catalogue
from prodgen.errors import ProdgenError
from prodgen.generation.recolour import recolour
from prodgen.spec.colour import delta_e_2000, to_lab
from tests.training.conftest import never, quiet


def shirts(count, side=16):
    """Return images of shaded discs on a transparent ground, (count, side, side, 4) premultiplied bytes."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    alpha = np.clip(side / 2.5 - np.hypot(x, y) + 0.5, 0, 1)
    shade = 1 - 0.3 * np.hypot(x - 3, y - 3) / side
    colours = rng.uniform(0.3, 0.9, (count, 3))
    product = colours[:, None, None] * shade[None, :, :, None] * alpha[None, :, :, None]
    images = np.concatenate([product, np.broadcast_to(alpha[None, :, :, None], (count, side, side, 1))], 3)
    return (images * 255).round().astype(np.uint8)


def mean_lab(images):
    """images: (N, H, W, 4) bytes -> the mean colour of each product, (N, 3)."""
    alpha = images[..., 3:].astype(float)
    lab = to_lab((images[..., :3] * 255.0 / np.maximum(alpha, 1)).clip(0, 255) / 255)
    return (lab * alpha).sum((1, 2)) / alpha.sum((1, 2))


def catalogue(count=40):
    images = shirts(count)
    colour = mean_lab(images).astype(np.float32)
    labels = {"category": np.arange(count) % 2}
    return Catalogue(images, labels, {"category": ("hat", "shirt")}, {"colour": colour})


def test_a_recoloured_product_has_the_colour_that_is_returned():
    images = shirts(12)
    x = torch.from_numpy(images).permute(0, 3, 1, 2) / 127.5 - 1
    wanted = torch.tensor([[60.0, 40.0, 20.0]] * 12)
    chosen = torch.arange(12) % 3 > 0
    recoloured, lab = recolour(x, wanted, chosen)
    pixels = ((recoloured.permute(0, 2, 3, 1) + 1) * 127.5).round().byte().numpy()
    assert torch.equal(recoloured[~chosen], x[~chosen])
    assert torch.equal(recoloured[:, 3], x[:, 3])
    assert (recoloured[:, :3] <= recoloured[:, 3:] + 1e-5).all()
    assert delta_e_2000(mean_lab(pixels), lab.numpy()).max() < 1.0
    assert delta_e_2000(lab[chosen].numpy(), wanted[chosen].numpy()).max() < 2.0
    assert pixels[chosen.numpy()].std((1, 2)).min() > 5  # still shaded


def test_the_conditions_of_a_batch_have_the_colours_of_its_images(make_trainer):
    trainer = make_trainer(data=catalogue(), recolour=0.7, transform="flip")
    batch = trainer.state.batches[0]
    pixels = ((batch.real.permute(0, 2, 3, 1) + 1) * 127.5).round().byte().numpy()
    lab = batch.condition[:, 2:5].numpy() * 25 + (50, 0, 0)
    assert delta_e_2000(mean_lab(pixels), lab).max() < 1.0
    assert (batch.condition[:, 5] == 1).all()
    plain = make_trainer("plain", data=trainer.state.catalogue, transform="flip").state.batches[0].condition
    moved = (batch.condition - plain).abs().amax(1) > 0.01
    assert 0.3 < moved.float().mean() < 1.0
    assert torch.equal(batch.condition[:, :2], plain[:, :2])


def test_a_colour_is_left_out_with_all_its_columns(make_trainer):
    batches = make_trainer(data=catalogue(), drop=0.5).state.batches
    blocks = torch.cat([batches[k].condition for k in range(5)])[:, 2:]
    left_out = blocks[:, 3] == 0
    assert 0.3 < left_out.float().mean() < 0.7
    assert (blocks[left_out] == 0).all()


def test_a_model_of_cut_outs_makes_images_in_any_colour(make_trainer, tmp_path):
    from prodgen.models import load_model
    from prodgen.models.condition import encode
    from prodgen.training.export import export

    trainer = make_trainer(data=catalogue(), recolour=0.5, augment="flip,translation")
    trainer.train(quiet, never)
    export(trainer, tmp_path / "model")
    model = load_model(tmp_path / "model")
    [category, colour] = model.config.attributes.attributes
    assert (category.name, colour.kind, len(colour.palette)) == ("category", "colour", 40)
    condition = encode(model.config.attributes, [{"category": "hat", "colour": "#c0392b"}])
    assert model.generator(torch.randn(1, 16), condition).shape == (1, 4, 16, 16)


def test_images_without_a_known_colour_cannot_be_recoloured(make_trainer):
    with pytest.raises(ProdgenError, match="recolour is for cut-outs with a known colour"):
        make_trainer("refused", recolour=0.5)
