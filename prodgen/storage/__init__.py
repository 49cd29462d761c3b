"""The object store: the truth that survives everything else."""

from prodgen.storage.base import ObjectInfo, Store
from prodgen.storage.connect import connect

__all__ = ["ObjectInfo", "Store", "connect"]
