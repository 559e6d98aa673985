"""Reading and writing Parquet, untyped as Arrow itself is."""

from typing import Any

def __getattr__(name: str) -> Any: ...
