"""A generator leaves prodgen as ONNX and makes the same images elsewhere."""

import json

import numpy as np
import onnxruntime
import pytest
import torch

from prodgen.models import SavedModel
from prodgen.models.onnx_export import export_onnx
from prodgen.models.saved import FAMILIES
from prodgen.spec.attributes import AttributeSchema
from prodgen.spec.model_config import parse_config
from tests.models.test_families import CONDITIONS, latents, make
from tests.toys import randomise


def saved(generator) -> SavedModel:
    fields = {"format": 1, "family": "resnet", "size": generator.size, "channels": generator.channels}
    fields |= {"latent_dim": generator.latent_dim, "attributes": generator.schema.model_dump()}
    fields |= {"ground": "#ffffff", "precision": "bf16", "tolerance": 9}
    return SavedModel(generator, parse_config(json.dumps(fields).encode(), "toy"), "toy", "0" * 12)


# A VAE-GAN has the networks of a VAE.
@pytest.mark.parametrize("family", [family for family in FAMILIES if family != "vaegan"])
def test_an_exported_generator_makes_the_same_images_in_batches_of_any_size(family, tmp_path):
    generator = make(family).eval()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        randomise(generator)
    export_onnx(saved(generator), tmp_path)
    network = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    z = latents(generator)
    for batch in (1, 6):
        inputs = {"latent": z[:batch].numpy(), "condition": CONDITIONS[:batch].numpy()}
        (image,) = network.run(["image"], inputs)
        with torch.no_grad():
            expected = generator(z[:batch], CONDITIONS[:batch])
        assert image.std() > 0.1, "the images are no test"
        assert np.abs(to_levels(image) - to_levels(expected.numpy())).max() <= 1


def to_levels(image):
    return np.round((image + 1) * 127.5)


def test_an_export_names_nothing_of_this_machine_and_needs_no_condition_without_attributes(tmp_path):
    export_onnx(saved(make("dcgan", attributes=AttributeSchema()).eval()), tmp_path)
    network = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    assert [(one.name, one.shape) for one in network.get_inputs()] == [("latent", ["batch", 16])]
    assert network.run(None, {"latent": np.zeros((3, 16), np.float32)})[0].shape == (3, 1, 16, 16)
    assert b".py" not in (tmp_path / "model.onnx").read_bytes()
    config = json.loads((tmp_path / "config.json").read_text())
    assert (config["family"], config["precision"], config["tolerance"]) == ("onnx", "fp32", 1)
