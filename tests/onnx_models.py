"""A model folder with a small network as other programs make them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

SIZE, LATENT, VALUES = 16, 8, ("mug", "lamp")


def network(condition: int = len(VALUES)) -> onnx.ModelProto:
    """A StyleGAN in small: style = f(latent, condition); image = convolution(style * constant), enlarged."""
    rng = np.random.default_rng(0)

    def weight(name: str, *shape: int) -> onnx.TensorProto:
        return numpy_helper.from_array(rng.normal(0, 0.5, shape).astype(np.float32), name)

    fp32 = onnx.TensorProto.FLOAT
    inputs = [helper.make_tensor_value_info("latent", fp32, ["batch", LATENT])]
    if condition:
        inputs.append(helper.make_tensor_value_info("condition", fp32, ["batch", condition]))
    graph = helper.make_graph(
        [
            helper.make_node("Concat", [one.name for one in inputs], ["both"], axis=1),
            helper.make_node("Gemm", ["both", "mapping"], ["mapped"]),
            helper.make_node("LeakyRelu", ["mapped"], ["style"], alpha=0.2),
            helper.make_node("Unsqueeze", ["style", "axes"], ["scale"]),
            helper.make_node("Mul", ["scale", "constant"], ["modulated"]),
            helper.make_node("Resize", ["modulated", "", "scales"], ["large"]),
            helper.make_node("Conv", ["large", "kernel"], ["levels"], pads=[1, 1, 1, 1]),
            helper.make_node("Tanh", ["levels"], ["image"]),
        ],
        "stylegan",
        inputs,
        [helper.make_tensor_value_info("image", fp32, ["batch", 3, SIZE, SIZE])],
        [
            weight("mapping", LATENT + condition, 6),
            weight("constant", 1, 6, 4, 4),
            weight("kernel", 3, 6, 3, 3),
            numpy_helper.from_array(np.array([2, 3]), "axes"),
            numpy_helper.from_array(np.array([1, 1, 4, 4], np.float32), "scales"),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def write_onnx(folder: Path, model: onnx.ModelProto | None = None, **config: Any) -> Path:
    """Write a model folder, with a `network` unless another ``model`` is given."""
    kind = {"name": "kind", "values": VALUES, "frequencies": [0.5, 0.5]}
    fields = {"format": 1, "family": "onnx", "size": SIZE, "channels": 3, "latent_dim": LATENT}
    fields |= {"ground": "#ffffff", "precision": "fp32", "tolerance": 1}
    fields |= {"attributes": {"attributes": [kind]}}
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({**fields, **config}))
    (folder / "model.onnx").write_bytes((model or network()).SerializeToString())
    return folder
