"""Makes torch compute the same numbers in every process and on every GPU, within a block."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch


def _settings() -> list[tuple[Callable[[], Any], Callable[[Any], None], Any]]:
    """Return the getter, the setter and the reproducible value of each of torch's process-wide flags.

    TF32 changes pixels by more than one level of 255. cuDNN's benchmark chooses algorithms by the current
    load of the GPU, and its non-deterministic algorithms add numbers in a varying order.
    """
    backends: Any = torch.backends
    cudnn, matmul, mkldnn = backends.cudnn, backends.cuda.matmul, backends.mkldnn
    attributes: list[tuple[Any, str, Any]] = [
        (cudnn, "benchmark", False),
        (cudnn, "deterministic", True),
        (cudnn, "allow_tf32", False),
    ]
    if hasattr(cudnn, "conv"):  # since torch 2.9; these override the older flags, so they come after them
        operators = (cudnn.conv, cudnn.rnn, matmul, mkldnn.conv, mkldnn.matmul)
        attributes += [(operator, "fp32_precision", "ieee") for operator in operators]
    return [
        (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision, "highest"),
        *((partial(getattr, o, name), partial(setattr, o, name), value) for o, name, value in attributes),
    ]


_lock = threading.Lock()
_inside = 0
_restore: list[tuple[Callable[[Any], None], Any]] = []


@contextmanager
def reproducible() -> Iterator[None]:
    """Make torch use full fp32 precision and deterministic convolutions within the block.

    The flags are those of the whole process. The first thread that enters a block sets them, and the last
    thread that leaves a block restores the values from before.
    """
    global _inside
    with _lock:
        if _inside == 0:
            settings = _settings()
            _restore[:] = [(setter, _read(getter)) for getter, setter, _ in settings]
            for _, setter, value in settings:
                setter(value)
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                for setter, value in _restore:
                    if value is not None:
                        setter(value)


def _read(getter: Callable[[], Any]) -> Any:
    try:
        return getter()
    except RuntimeError:  # an old flag cannot be read if the program uses the newer ones
        return None
