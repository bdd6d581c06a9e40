"""The commands on the demo store."""

from tests.cli.conftest import run

__all__ = ["run"]
