"""The object store. All other state of a deployment can be rebuilt from it."""

from prodgen.storage.base import ObjectInfo, Store
from prodgen.storage.connect import connect

__all__ = ["ObjectInfo", "Store", "connect"]
