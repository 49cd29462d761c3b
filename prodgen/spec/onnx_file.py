"""Check that an ONNX file from another program is safe, before prodgen runs it."""

from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

from prodgen.errors import ProdgenError

LATENT, CONDITION = "latent", "condition"
"""The names of a network's two inputs."""
MAX_BYTES = 1 << 30
"""The greatest size of a file, and of each tensor that a network computes for one image."""
_OWN = ("", "ai.onnx")
"""The two names of the domain (the set of operators) that ONNX itself defines."""
_RANDOM = (
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
    "Bernoulli",
    "Multinomial",
)


def check_onnx(path: Path, latent_dim: int, condition_dim: int) -> None:
    """Raise ProdgenError unless ``path`` is a network that is safe to run and has prodgen's inputs.

    The network takes ``latent`` (B, latent_dim) and, if ``condition_dim`` is not 0, ``condition``
    (B, condition_dim) for any B, both in fp32, and has one output in fp32. It uses only ONNX's own operators,
    has no loops, branches or random numbers, and has all weights in the same file.
    """
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError:
        raise ProdgenError(f"{path.name} needs onnx: pip install 'prodgen[onnx]'") from None
    if path.stat().st_size > MAX_BYTES:
        raise _refusal(path, f"has {path.stat().st_size:,} bytes; {MAX_BYTES:,} are the most")
    try:
        network = onnx.load_model_from_string(path.read_bytes())
    except DecodeError:
        raise _refusal(path, "is not an ONNX file") from None
    _check_operators(path, network)
    _check_inputs(path, network, {LATENT: latent_dim, CONDITION: condition_dim})
    _check_tensors(path, network)


def _refusal(path: Path, why: str) -> ProdgenError:
    return ProdgenError(f"{path.name} {why}")


def _check_operators(path: Path, network: Any) -> None:
    for node in network.graph.node:
        if node.domain not in _OWN:
            raise _refusal(
                path, f"has the operator {node.op_type} of {node.domain}; only ONNX's own operators are run"
            )
        if node.op_type in _RANDOM:
            raise _refusal(
                path, f"draws random numbers ({node.op_type}); export the network with constant noise"
            )
        if any(one.HasField("g") or one.graphs for one in node.attribute):
            raise _refusal(path, f"has a loop or a branch ({node.op_type}); export the network without")
    if network.functions:
        raise _refusal(path, "defines functions of its own; export the network with its functions inlined")
    for tensor in _weights(network.graph):
        if tensor.data_location == tensor.EXTERNAL:
            raise _refusal(path, "keeps weights in another file; save the network with all weights inside")


def _weights(graph: Any) -> Iterator[Any]:
    """Yield every constant tensor of a graph that contains no other graphs."""
    yield from graph.initializer
    sparse = [*graph.sparse_initializer]
    for node in graph.node:
        for one in node.attribute:
            yield from (one.t, *one.tensors)
            sparse += [one.sparse_tensor, *one.sparse_tensors]
    for tensor in sparse:
        yield from (tensor.values, tensor.indices)


def _check_inputs(path: Path, network: Any, widths: dict[str, int]) -> None:
    constants = {tensor.name for tensor in network.graph.initializer}
    inputs = {one.name: one for one in network.graph.input if one.name not in constants}
    wanted = {name: width for name, width in widths.items() if width}
    if inputs.keys() != wanted.keys():
        raise _refusal(
            path, f"has the inputs {', '.join(inputs) or 'none'}; config.json needs {' and '.join(wanted)}"
        )
    for name, width in wanted.items():
        shape = _shape(inputs[name])
        if (
            len(shape) != 2
            or shape[0] is not None
            or shape[1] not in (None, width)
            or not _is_fp32(inputs[name])
        ):
            raise _refusal(
                path,
                f"has an input {name} of shape {_text(shape)}; it must be (B, {width}) in fp32 for any B",
            )
    if len(network.graph.output) != 1 or not _is_fp32(network.graph.output[0]):
        raise _refusal(path, "must have one output, which is in fp32")


def _check_tensors(path: Path, network: Any) -> None:
    """Raise ProdgenError if a tensor that the network computes for one image is larger than `MAX_BYTES`."""
    from onnx import shape_inference

    try:
        inferred = shape_inference.infer_shapes(network, data_prop=True).graph
    except Exception as error:  # a library in C++ raises many kinds for a broken network
        reason = str(error).strip().splitlines()[-1]
        raise _refusal(path, f"is broken: {reason}") from None
    for tensor in (*inferred.value_info, *inferred.output):
        shape = _shape(tensor)
        if 4 * prod(side or 1 for side in shape) > MAX_BYTES:
            raise _refusal(path, f"computes a tensor of shape {_text(shape)}, which is too large")


def _shape(tensor: Any) -> list[int | None]:
    """Return the shape of a tensor; None stands for a dimension without a fixed size."""
    dims = tensor.type.tensor_type.shape.dim
    return [dim.dim_value if dim.HasField("dim_value") else None for dim in dims]


def _text(shape: list[int | None]) -> str:
    return f"({', '.join('any' if side is None else str(side) for side in shape)})"


def _is_fp32(tensor: Any) -> bool:
    return bool(tensor.type.tensor_type.elem_type == 1)  # TensorProto.FLOAT
