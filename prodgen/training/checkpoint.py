"""Read and write checkpoints: safetensors files whose header has all other values of the state as JSON."""

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save_file
from torch import Tensor

from prodgen.errors import ProdgenError
from prodgen.files import replacing

CHECKPOINT, BEST = "checkpoint.safetensors", "best.safetensors"
"""File names of a training's newest state, and of its state at the best step."""


def save(path: Path, state: dict[str, Any]) -> None:
    """Write a nested state of dicts, lists, numbers, strings and tensors to ``path``. Atomic."""
    tensors: dict[str, Tensor] = {}
    skeleton = _split(state, "", tensors)
    with replacing(path) as partial:
        save_file(tensors, partial, metadata={"state": json.dumps(skeleton)})
        with partial.open("rb") as file:
            os.fsync(file.fileno())


def load(path: Path, content: bytes | None = None) -> dict[str, Any]:
    """Return the state that `save` wrote to ``path``.

    ``content``: the file's bytes, if the caller has read them already. Raises ProdgenError if the file is not
    a checkpoint.
    """
    try:
        content = path.read_bytes() if content is None else content
        tensors = load_tensors(content)
        length = int.from_bytes(content[:8], "little")  # length of the safetensors header, which is JSON
        skeleton = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["state"])
        return dict(_join(skeleton, tensors))
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ProdgenError(f"{path} is not a checkpoint that can be resumed: {error}") from None


def _split(tree: Any, key: str, tensors: dict[str, Tensor]) -> Any:
    if isinstance(tree, Tensor):
        tensors[key] = tree.detach().cpu().clone(memory_format=torch.contiguous_format)
        return {"__tensor__": key}
    if isinstance(tree, dict):
        return {
            "__items__": [[name, _split(value, f"{key}/{name}", tensors)] for name, value in tree.items()]
        }
    if isinstance(tree, list | tuple):
        return [_split(value, f"{key}/{k}", tensors) for k, value in enumerate(tree)]
    return tree


def _join(tree: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(tree, dict):
        if "__tensor__" in tree:
            return tensors[tree["__tensor__"]]
        return {key: _join(value, tensors) for key, value in tree["__items__"]}
    if isinstance(tree, list):
        return [_join(value, tensors) for value in tree]
    return tree
