"""The front door: ``llull COMMAND``. Every command is a typed function of a room below."""

from llull.cli.main import main

__all__ = ["main"]
