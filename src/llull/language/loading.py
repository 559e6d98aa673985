"""What transformers and peft load and save: without their progress bars, and with errors in one line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from transformers.utils import logging

from llull.errors import InputError


@contextmanager
def without_bars() -> Iterator[None]:
    """Let transformers draw no progress bars ("Loading weights", "Writing model shards") while this lasts."""
    drawn = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if drawn:
            logging.enable_progress_bar()


def loaded(load: Callable[..., Any], name: str | Path, what: str, **options: Any) -> Any:
    """What a ``from_pretrained`` gives.

    Args:
        load: the function.
        name: folder or hub name.
        what: it is, for the error.
        options: for the function.

    Raises:
        InputError: if it cannot be loaded.
    """
    with without_bars():
        try:
            return load(str(name), **options)
        except (OSError, ValueError) as problem:
            reason = (str(problem).strip().splitlines() or [type(problem).__name__])[0]
            raise InputError(f"{name}: no {what} could be loaded from there: {reason}") from problem
