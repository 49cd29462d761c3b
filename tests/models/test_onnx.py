"""Generators leave prodgen as ONNX and make the same images elsewhere; foreign ones are served."""

import json
import pickle

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import helper, numpy_helper

from prodgen.errors import ProdgenError
from prodgen.generation.verify import verify
from prodgen.models import SavedModel, load_model
from prodgen.models.onnx_export import export_onnx
from prodgen.models.saved import FAMILIES
from prodgen.pipeline import Pipeline, make_spec
from prodgen.spec.attributes import AttributeSchema
from prodgen.spec.model_config import folder_version, parse_config
from tests.models.test_families import CONDITIONS, latents, make
from tests.onnx_models import SIZE, network, write_onnx
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
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    z = latents(generator)
    for batch in (1, 6):
        inputs = {"latent": z[:batch].numpy(), "condition": CONDITIONS[:batch].numpy()}
        (image,) = session.run(["image"], inputs)
        with torch.no_grad():
            expected = generator(z[:batch], CONDITIONS[:batch])
        assert image.std() > 0.1, "the images are no test"
        assert np.abs(to_levels(image) - to_levels(expected.numpy())).max() <= 1


def to_levels(image):
    return np.round((image + 1) * 127.5)


def test_an_export_names_nothing_of_this_machine_and_needs_no_condition_without_attributes(tmp_path):
    export_onnx(saved(make("dcgan", attributes=AttributeSchema()).eval()), tmp_path)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    assert [(one.name, one.shape) for one in session.get_inputs()] == [("latent", ["batch", 16])]
    assert session.run(None, {"latent": np.zeros((3, 16), np.float32)})[0].shape == (3, 1, 16, 16)
    assert b".py" not in (tmp_path / "model.onnx").read_bytes()
    config = json.loads((tmp_path / "config.json").read_text())
    assert (config["family"], config["precision"], config["tolerance"]) == ("onnx", "fp32", 1)


def test_a_network_of_another_program_makes_the_images_of_its_attributes_in_any_batch(tmp_path):
    folder = write_onnx(tmp_path / "shop")
    with Pipeline.from_pretrained(folder, device="cpu") as pipeline:
        assert pipeline.model.id == f"shop@{folder_version(folder)}"
        assert pipeline.model.generator.size_in_bytes() == (folder / "model.onnx").stat().st_size
        mugs = pipeline(count=3, seed=7, kind="mug")
        lamps = pipeline(count=3, seed=7, kind="lamp")
        assert mugs.images[0].tobytes() not in {one.tobytes() for one in (*lamps.images, *mugs.images[1:])}
        assert (mugs.images[0].mode, mugs.images[0].size) == ("RGB", (SIZE, SIZE))
        pipeline.engine.forward.tune(pipeline.model, seconds=0.01)
        made = list(pipeline.stream(make_spec(model="shop", count=5, seed=7)))
        files = {line.file: data for line, data in made}
        findings = verify([line for line, _ in made], files.get, pipeline.model, pipeline.engine)
        assert [finding.fault for finding in findings] == [None] * 5


def changed(**fields):
    """Return a function that changes attributes of a network's operators: ``Tanh={"op_type": "Exp"}``."""

    def change(model):
        for node in model.graph.node:
            for name, value in fields.get(node.op_type, {}).items():
                setattr(node, name, value)

    return change


def external(model):
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = tensor.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")


def looping(model):
    node = model.graph.node.add(op_type="Loop", output=["endless"])
    node.attribute.add(name="body", type=onnx.AttributeProto.GRAPH).g.name = "body"


def noisy(model):
    # As StyleGAN does by default: random numbers beside the convolution.
    model.graph.node.insert(6, helper.make_node("RandomNormalLike", ["large"], ["noise"]))


def fixed(model):
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1


def renamed(model):
    model.graph.input[0].name = "z"
    model.graph.node[0].input[0] = "z"


def huge(model):
    model.graph.initializer[4].raw_data = np.array([1, 1, 10_000, 10_000], np.float32).tobytes()


def averaging(model):
    # The mean over the batch is subtracted, as batch normalisation does in training mode.
    model.graph.initializer.append(numpy_helper.from_array(np.array([0]), "batch_axis"))
    model.graph.node.insert(3, helper.make_node("ReduceMean", ["style", "batch_axis"], ["mean"]))
    model.graph.node.insert(4, helper.make_node("Sub", ["style", "mean"], ["centred"]))
    model.graph.node[5].input[0] = "centred"


def infinite(model):
    model.graph.node[-1].op_type = "Log"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            changed(Tanh={"domain": "com.microsoft"}),
            "has the operator Tanh of com.microsoft; only ONNX's own",
        ),
        (external, "keeps weights in another file; save the network with all weights inside"),
        (looping, r"has a loop or a branch \(Loop\)"),
        (noisy, r"draws random numbers \(RandomNormalLike\); export the network with constant noise"),
        (fixed, r"has an input latent of shape \(1, 8\); it must be \(B, 8\) in fp32 for any B"),
        (renamed, "has the inputs z, condition; config.json needs latent and condition"),
        (huge, "which is too large"),
        (averaging, r"differs by \d+ levels of 255 when it is made alone; the tolerance in config.json is 1"),
        (infinite, "makes numbers that are not finite"),
        (changed(Tanh={"op_type": "Nothing"}), "onnxruntime cannot run model.onnx: "),
    ],
)
def test_a_network_that_cannot_be_trusted_is_refused_with_one_sentence(change, sentence, tmp_path):
    model = network()
    change(model)
    folder = write_onnx(tmp_path / "shop", model)
    with pytest.raises(ProdgenError, match=sentence) as refused:
        load_model(folder)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"size": 32}, r"makes images of shape \(3, 3, 16, 16\), and config.json says \(3, 3, 32, 32\)"),
        ({"latent_dim": 9}, r"has an input latent of shape \(any, 8\); it must be \(B, 9\)"),
        ({"attributes": {"attributes": []}}, "has the inputs latent, condition; config.json needs latent$"),
        ({"precision": "bf16"}, "the precision of the family onnx is fp32"),
    ],
)
def test_a_network_that_its_configuration_does_not_fit_is_refused(config, sentence, tmp_path):
    with pytest.raises(ProdgenError, match=sentence):
        load_model(write_onnx(tmp_path / "shop", **config))


def test_a_file_that_is_no_network_is_refused(tmp_path):
    folder = write_onnx(tmp_path / "shop")
    (folder / "model.onnx").write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(ProdgenError, match=r"model\.onnx is not an ONNX file"):
        load_model(folder)
