"""The loader: every batch goes through dlt in one Postgres transaction. The only importer of dlt.

Importing this package imports dlt (about two seconds).
"""

from rowferry.load.faults import CommitUnknown, TableLoadFailed
from rowferry.load.loader import Loader

__all__ = ["CommitUnknown", "Loader", "TableLoadFailed"]
