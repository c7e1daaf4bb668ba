"""Rows of public datasets: from the Hub, a mirror of it, local files, and plain archives."""

from gatling.data.hub.archive import Archive
from gatling.data.hub.errors import Damaged, Gated, LoadError, NotFound, SchemaDrift, Unreachable
from gatling.data.hub.loader import HFDatasetLoader, read_local
from gatling.data.hub.progress import Progress
from gatling.data.hub.rows import Fetched

__all__ = [
    "Archive",
    "Damaged",
    "Fetched",
    "Gated",
    "HFDatasetLoader",
    "LoadError",
    "NotFound",
    "Progress",
    "SchemaDrift",
    "Unreachable",
    "read_local",
]
