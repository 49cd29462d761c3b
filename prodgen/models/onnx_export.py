"""Export a generator as ONNX, which programs other than prodgen can run."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch.export import Dim, default_decompositions

from prodgen.errors import Conflict, ProdgenError
from prodgen.models.saved import SavedModel
from prodgen.spec.model_config import CONFIG, ONNX, ONNX_WEIGHTS, ModelConfig
from prodgen.spec.onnx_file import CONDITION, LATENT

IMAGE = "image"
"""The name of the network's output."""


def export_onnx(model: SavedModel, folder: Path) -> None:
    """Write ``model`` to ``folder``, which must exist, as config.json and model.onnx.

    The network computes in fp32. Its inputs are ``latent`` (B, latent_dim) and ``condition`` (B, D), its
    output is ``image`` (B, channels, size, size) in [-1, 1], for any B. The network of a model without
    attributes (D = 0) has no input ``condition``. Raises Conflict if ``folder`` already has a model, and
    ProdgenError if the extra ``onnx`` is not installed.
    """
    if (folder / CONFIG).exists():
        raise Conflict(f"{folder} has a model already; choose another folder")
    network = _network(model.generator)
    fields = {name: getattr(model.config, name) for name in ModelConfig.model_fields}
    config = ModelConfig.model_validate({**fields, "family": ONNX, "precision": "fp32", "tolerance": 1})
    (folder / ONNX_WEIGHTS).write_bytes(network)
    (folder / CONFIG).write_text(config.model_dump_json(indent=2))


def _network(generator: torch.nn.Module) -> bytes:
    """Return the content of the generator's ONNX file."""
    widths = (generator.latent_dim, generator.condition_dim)
    example = tuple(torch.zeros(2, width, device=next(generator.parameters()).device) for width in widths)
    any_batch = ({0: Dim.DYNAMIC}, {0: Dim.DYNAMIC})
    # The exporter knows no attention of three axes, so attention becomes matrix products here.
    attention = torch.ops.aten.scaled_dot_product_attention.default
    with _without_log(), torch.no_grad():
        traced = torch.export.export(generator, example, dynamic_shapes=any_batch)
        traced = traced.run_decompositions({attention: default_decompositions()[attention]})
        try:
            program = torch.onnx.export(
                traced,
                input_names=[LATENT, CONDITION],
                output_names=[IMAGE],
                external_data=False,
                verbose=False,
            )
        except ImportError:
            raise ProdgenError("the export needs onnx: pip install 'prodgen[onnx]'") from None
    network = program.model_proto
    for node in network.graph.node:
        node.ClearField("metadata_props")  # lines of source code, with the paths of this machine
    for tensor in (*network.graph.input, *network.graph.output):
        tensor.type.tensor_type.shape.dim[0].dim_param = "batch"
    if not generator.condition_dim:
        network.graph.input.pop()
    return network.SerializeToString()


@contextmanager
def _without_log() -> Iterator[None]:
    """Keep the exporter from logging, within the block, that torchvision is not installed."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)
