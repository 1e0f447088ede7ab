"""Rowferry keeps PostgreSQL an exact, fresh, queryable copy of a MySQL or MariaDB database."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("rowferry")
except PackageNotFoundError:
    __version__ = "0.0.0"
