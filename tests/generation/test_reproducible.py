"""The torch settings of the host program stay, and pixels are the same under any of them."""

import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch

from prodgen import Pipeline
from prodgen.reproducible import reproducible
from tests.generation.asking import images, pixels
from tests.toys import toy_folder


def settings() -> dict[str, object]:
    """All that torch keeps for a whole process or thread and that generating could change."""
    cudnn = torch.backends.cudnn
    operators = {
        "conv": cudnn.conv,
        "rnn": cudnn.rnn,
        "matmul": torch.backends.cuda.matmul,
        "mkldnn conv": torch.backends.mkldnn.conv,
        "mkldnn matmul": torch.backends.mkldnn.matmul,
    }
    reads: dict[str, Callable[[], object]] = {
        "matmul precision": torch.get_float32_matmul_precision,
        "matmul tf32": lambda: torch.backends.cuda.matmul.allow_tf32,
        "cudnn tf32": lambda: cudnn.allow_tf32,
        "benchmark": lambda: cudnn.benchmark,
        "deterministic": lambda: cudnn.deterministic,
        "cudnn": lambda: cudnn.enabled,
        "threads": torch.get_num_threads,
        "deterministic algorithms": torch.are_deterministic_algorithms_enabled,
        "gradients": torch.is_grad_enabled,
        "inference": torch.is_inference_mode_enabled,
        "dtype": torch.get_default_dtype,
        **{name: lambda operator=operator: operator.fp32_precision for name, operator in operators.items()},
    }
    found: dict[str, object] = {}
    for name, read in reads.items():
        try:
            found[name] = read()
        except RuntimeError:
            found[name] = "unreadable"  # an old flag, where the newer ones are used
    return found


def plain() -> None:
    """Torch's own settings."""


def fast() -> None:
    torch.backends.cudnn.benchmark = torch.backends.cudnn.allow_tf32 = True
    torch.set_float32_matmul_precision("medium")


def newer() -> None:
    torch.backends.fp32_precision = "tf32"


@pytest.fixture(params=[plain, fast, newer], ids=lambda program: program.__name__)
def before(request: pytest.FixtureRequest) -> Iterator[dict[str, object]]:
    """The settings of a program that has chosen some; torch's own are restored after the test."""
    cudnn = torch.backends.cudnn
    threads, benchmark = torch.get_num_threads(), cudnn.benchmark
    torch.set_num_threads(2)
    request.param()
    yield settings()
    torch.set_num_threads(threads)
    torch.backends.fp32_precision = "none"
    torch.set_float32_matmul_precision("highest")
    cudnn.benchmark, cudnn.allow_tf32 = benchmark, True
    for operator in (torch.backends.cuda.matmul, torch.backends.mkldnn.conv, torch.backends.mkldnn.matmul):
        operator.fp32_precision = "none"


def test_a_pipeline_leaves_the_programs_settings_as_they_are(folder, before):
    inside = []
    with Pipeline.from_pretrained(toy_folder(folder), device="cpu") as pipeline:
        assert settings() == before
        pipeline.model.generator.register_forward_hook(lambda *_: inside.append(settings()))
        pipeline(count=3, finish={"size": 20, "background": "white", "augment": {"rotation": 20}})
        assert settings() == before
        pipeline.engine.forward.tune(pipeline.model, seconds=0.0)
        pipeline.engine.forward.rate(pipeline.model, 2, seconds=0.0)
    assert settings() == before
    for found in inside:
        assert found["deterministic"]
        assert not found["benchmark"]
        assert not found["cudnn tf32"]
        assert not found["matmul tf32"]
        assert found["matmul precision"] == "highest"
        assert found["conv"] == found["mkldnn conv"] == found["mkldnn matmul"] == "ieee"


def test_the_programs_settings_do_not_reach_the_pixels(toy, before):
    with reproducible():
        expected = pixels(toy, images(toy, range(4)))
    assert np.array_equal(pixels(toy, images(toy, range(4))), expected)


def test_a_failure_restores_the_settings(before):
    with pytest.raises(ZeroDivisionError), reproducible():
        _ = 1 / 0
    assert settings() == before


def test_the_last_of_several_threads_restores_the_settings(before):
    """The first one leaves while the second one still computes."""
    first, second = threading.Event(), threading.Event()

    def compute() -> None:
        with reproducible():
            first.set()
            assert second.wait(100)

    thread = threading.Thread(target=compute)
    thread.start()
    assert first.wait(100)
    with reproducible():
        second.set()
        thread.join()
        assert torch.backends.cudnn.deterministic
    assert settings() == before
