"""Data sets of the Hugging Face hub, or folders laid out like them, as rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from llull.errors import InputError

PREFIX = "hub:"


@dataclass(frozen=True)
class HubSplit:
    """One split of a data set on the hub."""

    name: str
    """``hub:org/name/config@split``"""
    subset: str
    """The configuration's name, or the data set's where it has only one."""
    split: str
    dataset: Any

    def table(self) -> pa.Table:
        """All rows as they are stored."""
        return self.dataset.with_format("arrow")[:]

    def rows(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Number (from 1) and content of each row. Pictures and sounds stay as stored, and are not decoded."""
        number = 0
        for batch in self.dataset.with_format("arrow").iter(batch_size=2_000):
            for row in batch.to_pylist():
                number += 1
                yield number, row


def splits(name: str) -> list[HubSplit]:
    """The splits that ``hub:org/name[/config][@split]`` names; all of them where it names none.

    A configuration that a data set does not have is looked for as a folder of it (``Anthropic/hh-rlhf/helpful-base``).
    After ``hub:`` there may also stand a local folder.

    Raises:
        InputError: there is no such data set, split or connection.
    """
    repo, config, split = parse(name)
    try:
        loaded = _load(repo, config)
    except Exception as fault:
        # The client raises a dozen kinds of errors, of its own and of three libraries below it.
        reason = (str(fault).strip() or type(fault).__name__).splitlines()[0]
        raise InputError(
            f"{name}: the data set cannot be loaded ({type(fault).__name__}: {reason}); "
            "check the name and the connection, or download its files and name them"
        ) from None
    if split is not None and split not in loaded:
        raise InputError(f"{name}: it has no split {split!r}; there is {', '.join(loaded)}")
    subset = config or repo.rstrip("/").rsplit("/", 1)[-1]
    whole = name.rpartition("@")[0] if split else name
    return [
        HubSplit(f"{whole}@{which}", subset, str(which), dataset)
        for which, dataset in loaded.items()
        if split in (None, which)
    ]


def parse(name: str) -> tuple[str, str | None, str | None]:
    """Take a hub name apart into data set, configuration and split.

    >>> parse("hub:allenai/reward-bench/default@filtered")
    ('allenai/reward-bench', 'default', 'filtered')
    >>> parse("hub:nvidia/HelpSteer2")
    ('nvidia/HelpSteer2', None, None)

    Raises:
        InputError: it is not ``hub:org/name[/config][@split]``.
    """
    rest, at, split = name.removeprefix(PREFIX).partition("@")
    if rest and Path(rest).is_dir():
        return rest, None, split or None
    parts = rest.split("/", 2)
    if len(parts) < 2 or not all(parts) or (at and not split):
        raise InputError(
            f"{name!r} does not name a data set; write hub:org/name, hub:org/name/config or hub:org/name@split"
        )
    return "/".join(parts[:2]), parts[2] if len(parts) > 2 else None, split or None


def _load(repo: str, config: str | None) -> dict[Any, Any]:
    import datasets

    if config is None:
        return dict(datasets.load_dataset(repo))
    try:
        return dict(datasets.load_dataset(repo, config))
    except ValueError as fault:
        if "BuilderConfig" not in str(fault):
            raise
        return dict(datasets.load_dataset(repo, data_dir=config))
