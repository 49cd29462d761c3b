"""Checkpoints that hold everything, as safetensors: a resumed run goes on with the very same numbers."""

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

CHECKPOINT, BEST = "checkpoint.safetensors", "best.safetensors"
"""The files of a run: as it is, and as it was at its best step."""


def save(path: Path, state: dict[str, Any]) -> None:
    """Write a nested state of dicts, lists, numbers and tensors, whole or not at all."""
    tensors: dict[str, Tensor] = {}
    skeleton = _split(state, "", tensors)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    save_file(tensors, temporary, metadata={"state": json.dumps(skeleton)})
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.replace(path)


def load(path: Path) -> dict[str, Any]:
    """The state that `save` wrote; raises ProdgenError if the file is another thing."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _broken(path, error) from None
    return decode(content, path)


def decode(content: bytes, where: Path) -> dict[str, Any]:
    """`load` of the bytes of a file that is perhaps another machine's."""
    try:
        tensors = load_tensors(content)
        length = int.from_bytes(content[:8], "little")  # of safetensors' header, a JSON table
        skeleton = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["state"])
        return dict(_join(skeleton, tensors))
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise _broken(where, error) from None


def _broken(path: Path, error: Exception) -> ProdgenError:
    return ProdgenError(f"{path} is not a checkpoint that can be resumed: {error}")


def _split(node: Any, at: str, tensors: dict[str, Tensor]) -> Any:
    if isinstance(node, Tensor):
        tensors[at] = node.detach().cpu().clone(memory_format=torch.contiguous_format)
        return {"__tensor__": at}
    if isinstance(node, dict):
        return {"__items__": [[key, _split(value, f"{at}/{key}", tensors)] for key, value in node.items()]}
    if isinstance(node, list | tuple):
        return [_split(value, f"{at}/{k}", tensors) for k, value in enumerate(node)]
    return node


def _join(node: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(node, dict):
        if "__tensor__" in node:
            return tensors[node["__tensor__"]]
        return {key: _join(value, tensors) for key, value in node["__items__"]}
    if isinstance(node, list):
        return [_join(value, tensors) for value in node]
    return node
