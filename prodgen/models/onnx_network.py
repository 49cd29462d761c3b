"""Generators from other programs: ONNX files, which onnxruntime runs."""

import logging
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from prodgen.errors import ProdgenError
from prodgen.models.base import ImageGenerator
from prodgen.models.condition import encode
from prodgen.spec.attributes import AttributeSchema
from prodgen.spec.model_config import ONNX_WEIGHTS
from prodgen.spec.onnx_file import CONDITION, LATENT

log = logging.getLogger(__name__)


class OnnxGenerator(ImageGenerator):
    """A generator whose network is an ONNX file. `check_onnx` must have checked the file.

    onnxruntime runs the network on the device of its inputs, or on the CPU if it has no provider for a GPU.
    """

    def __init__(
        self,
        *,
        attributes: AttributeSchema,
        size: int,
        channels: int,
        latent_dim: int,
        ground: str,
        precision: str,
        tolerance: int,
        family: str,
        format: int,
    ) -> None:
        super().__init__(attributes, size, channels, latent_dim, widths=[0])
        self.tolerance = tolerance
        self._file = b""
        self._session: Any = None
        self._device: torch.device | None = None
        """The device of the session."""

    def load_weights(self, folder: Path, device: str) -> None:
        """Read the ONNX file of a model folder, and check three images that the network makes on the CPU.

        ``device`` is not used: the network runs on the device of its inputs. Raises ProdgenError if the
        network is faulty or too large for the machine.
        """
        self._file = (folder / ONNX_WEIGHTS).read_bytes()
        try:
            self._check()
        except torch.OutOfMemoryError as error:
            raise ProdgenError(f"{ONNX_WEIGHTS} is too large for this machine: {error}") from None

    def size_in_bytes(self) -> int:
        """Return the size of the network's file: its weights are nearly all of it."""
        return len(self._file)

    def forward(self, latent: Tensor, condition: Tensor) -> Tensor:
        """Make images: latent (B, latent_dim), condition (B, D) -> (B, channels, size, size) in [-1, 1].

        Raises ProdgenError if the network fails, or makes images of another shape or numbers that are not
        finite.
        """
        return self._run(latent, condition).clamp(-1.0, 1.0)

    def _check(self) -> None:
        """Make three test images. Raise ProdgenError if they are wrong.

        They are wrong if most levels are outside [-1, 1], or if an image made alone differs from the same
        image made in a batch by more than the tolerance.
        """
        attributes = self.schema.resolve([{}] * 3, [0] * 3, range(3))
        condition = encode(self.schema, attributes)
        latent = torch.randn(3, self.latent_dim, generator=torch.Generator().manual_seed(0))
        together = self._run(latent, condition)
        if (together.abs() > 1).float().mean() > 0.5:
            raise ProdgenError(f"{ONNX_WEIGHTS} makes levels far beyond -1 and 1, which are black and white")
        alone = torch.cat([self._run(latent[k : k + 1], condition[k : k + 1]) for k in range(3)])
        worst = 127.5 * float((together.clamp(-1, 1) - alone.clamp(-1, 1)).abs().max())
        if worst > self.tolerance:
            raise ProdgenError(
                f"an image of {ONNX_WEIGHTS} differs by {worst:.0f} levels of 255 when it is made alone; "
                f"the tolerance in config.json is {self.tolerance}"
            )

    def _run(self, latent: Tensor, condition: Tensor) -> Tensor:
        if latent.device != self._device:
            self._session, self._device = self._open(latent.device), latent.device
        inputs = {LATENT: latent.cpu().numpy()}
        if self.condition_dim:
            inputs[CONDITION] = condition.cpu().numpy()
        try:
            (found,) = self._session.run(None, inputs)
        except Exception as error:  # onnxruntime has no common base class of its errors
            raise _translated(error) from None
        images = torch.from_numpy(found).to(latent.device)
        expected = (len(latent), self.channels, self.size, self.size)
        if images.shape != expected:
            raise ProdgenError(
                f"{ONNX_WEIGHTS} makes images of shape {tuple(images.shape)}, and config.json says {expected}"
            )
        if not images.isfinite().all():
            raise ProdgenError(f"{ONNX_WEIGHTS} makes numbers that are not finite")
        return images

    def _open(self, device: torch.device) -> Any:
        """Return a session of onnxruntime that runs the network on ``device``.

        Raises ProdgenError if onnxruntime is not installed or cannot run the network, and
        torch.OutOfMemoryError if the memory is full.
        """
        try:
            import onnxruntime
        except ImportError:
            raise ProdgenError(f"{ONNX_WEIGHTS} needs onnxruntime: pip install 'prodgen[onnx]'") from None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.use_deterministic_compute = True
        options.log_severity_level = 4  # its errors are raised as well
        providers: list[Any] = ["CPUExecutionProvider"]
        if device.type == "cuda":
            if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
                cuda = {
                    "device_id": device.index or 0,
                    "use_tf32": "0",
                    "cudnn_conv_algo_search": "HEURISTIC",
                }
                providers = [("CUDAExecutionProvider", cuda), *providers]
            else:
                log.warning("%s runs on the CPU: this onnxruntime has no CUDA provider", ONNX_WEIGHTS)
        try:
            return onnxruntime.InferenceSession(self._file, options, providers=providers)
        except Exception as error:
            raise _translated(error) from None


def _translated(error: Exception) -> Exception:
    """Return the error to raise for an error of onnxruntime.

    The result is torch.OutOfMemoryError if the memory is full, else a ProdgenError with the reason.
    """
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if isinstance(error, MemoryError) or "bad_alloc" in reason or "allocate memory" in reason:
        return torch.OutOfMemoryError(reason)
    return ProdgenError(f"onnxruntime cannot run {ONNX_WEIGHTS}: {reason}")
