"""Data sets in the store. Any worker can train on a data set that was pushed once."""

from prodgen.datasets.fetch import fetch_dataset
from prodgen.datasets.summary import Summary
from prodgen.datasets.versions import Dataset, create_dataset, datasets, resolve_dataset

__all__ = ["Dataset", "Summary", "create_dataset", "datasets", "fetch_dataset", "resolve_dataset"]
