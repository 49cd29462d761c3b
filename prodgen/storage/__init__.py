"""The object store, from which everything else can be rebuilt."""

from prodgen.storage.base import ObjectInfo, Store
from prodgen.storage.connect import connect

__all__ = ["ObjectInfo", "Store", "connect"]
