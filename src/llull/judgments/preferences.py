"""`Preferences`: a data set of judgments, and the way into its views."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet
from datasets.fingerprint import generate_random_fingerprint
from datasets.table import InMemoryTable

from llull.judgments import columns, describing, diagnosing, rated_pairs, sides, splitting, viewing, views
from llull.judgments import table as layout
from llull.judgments import trees as continuing
from llull.judgments.record import Judgment

if TYPE_CHECKING:
    from llull.judgments.reading import Reading
    from llull.judgments.writing import Writing


class Preferences:
    """Judgments in one Arrow table, held by a Hugging Face ``datasets.Dataset``.

    ``preferences.dataset`` is that data set, for everything ``datasets`` does (map, shard, stream, push).
    A `Preferences` is a value: each method that changes it returns a new one.

    Examples:
        >>> from llull.judgments import Judgment, Preferences, prompt, text_option
        >>> vote = Judgment([text_option("No."), text_option("Yes.")], prompt("Is it?"), ranking=[[1], [0]])
        >>> votes = Preferences.from_judgments([vote])
        >>> len(votes), votes[0].options[1].text
        (1, 'Yes.')
        >>> pairs = votes.pairs()
        >>> [pairs.options.texts()[i] for i in (pairs.winner[0], pairs.loser[0])]
        ['Yes.', 'No.']
    """

    def __init__(self, dataset: datasets.Dataset) -> None:
        missing = [name for name in layout.SCHEMA.names if name not in dataset.column_names]
        if missing:
            raise ValueError(
                f"this data set lacks the columns {', '.join(missing)} of a judgment; "
                "make one with llull.read or Preferences.from_judgments"
            )
        self.dataset = dataset
        self.reading: Reading | None = None
        """What `llull.read` found in the files, for a set that comes from it."""

    @classmethod
    def from_judgments(cls, judgments: Iterable[Judgment]) -> Preferences:
        """Lay judgments out in columns. Raises ValueError, with its number, at the first unsound one."""

        def checked() -> Iterator[Judgment]:
            for number, judgment in enumerate(judgments):
                if problem := judgment.problem():
                    raise ValueError(f"judgment {number} is unsound: {problem}")
                yield judgment

        return cls.from_table(layout.to_table(checked()))

    @classmethod
    def from_table(cls, table: pa.Table) -> Preferences:
        """Wrap an Arrow table that has the columns of `llull.judgments.table.SCHEMA`."""
        # Left to itself, ``datasets`` pickles the whole table to name it.
        name = generate_random_fingerprint()
        info = datasets.DatasetInfo(features=datasets.Features.from_arrow_schema(layout.SCHEMA))
        return cls(datasets.Dataset(InMemoryTable(table), info=info, fingerprint=name))

    @classmethod
    def load(cls, path: str | Path) -> Preferences:
        """Read what `save` wrote: a Parquet file, or a folder that holds ``judgments.parquet``."""
        path = Path(path)
        if path.is_dir():
            path = path / "judgments.parquet"
        table = pa.parquet.read_table(path)
        return cls.from_table(table.select(layout.SCHEMA.names).cast(layout.SCHEMA))

    def save(self, path: str | Path) -> Path:
        """Write all judgments to one Parquet file, losing nothing; returns its path."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        # A half-written file must never pass for a whole one: write beside it, then rename.
        unfinished = path.with_name(path.name + ".part")
        pa.parquet.write_table(self.table, unfinished, compression="zstd")
        unfinished.replace(path)
        return path

    def write(self, path: str | Path, format: str = "llull") -> Writing:
        """Write all judgments in Llull's own or another tool's format; see `llull.judgments.writing.write`."""
        from llull.judgments.writing import write

        return write(self, path, format)

    def push_to_hub(self, repo: str, **options: Any) -> None:
        """Push all judgments to a data set on the Hugging Face hub, losing nothing.

        ``llull.read("hub:" + repo)`` gives them back.

        Args:
            repo: ``org/name``.
            options: what ``datasets.Dataset.push_to_hub`` takes: ``private``, ``split``, ``commit_message`` ...
        """
        self.dataset.push_to_hub(repo, **options)

    @cached_property
    def table(self) -> pa.Table:
        """The judgments as an Arrow table with `llull.judgments.table.SCHEMA`."""
        if self.dataset._indices is None:
            return self.dataset.data.table
        # A selection comes with a chunk for each run of rows, which makes every later step slow.
        return cast(pa.Table, self.dataset.with_format("arrow")[:]).combine_chunks()

    def __len__(self) -> int:
        return len(self.dataset)

    def __iter__(self) -> Iterator[Judgment]:
        return layout.iterate(self.table)

    def __getitem__(self, row: int) -> Judgment:
        if not -len(self) <= row < len(self):
            raise IndexError(f"row {row} is outside these {len(self)} judgments")
        return layout.from_row(self.table.slice(row % len(self), 1).to_pylist()[0])

    def __repr__(self) -> str:
        return f"Preferences({len(self):,} judgments)"

    def select(self, rows: Sequence[int] | np.ndarray) -> Preferences:
        """The judgments at these rows, or where this boolean mask of length ``len(self)`` is true."""
        where = np.asarray(rows)
        if where.dtype == bool:
            where = np.flatnonzero(where)
        return Preferences(self.dataset.select(where))

    def filter(self, keep: Callable[[Judgment], bool]) -> Preferences:
        """The judgments for which ``keep`` says yes. For large sets, `select` with a mask is much faster."""
        return self.select(np.fromiter((keep(judgment) for judgment in self), bool, len(self)))

    @staticmethod
    def concat(parts: Iterable[Preferences]) -> Preferences:
        """One set after another."""
        joined = [part.dataset for part in parts]
        return Preferences(datasets.concatenate_datasets(joined)) if joined else Preferences.from_judgments([])

    def labels(self, key: str) -> columns.Labels:
        """Each judgment's value under a key: one of its groups, a column or a tag (see `Labels`)."""
        return columns.labels(self.table, key)

    def pairs(self, *, rating: str | None = None, group: str | None = None, share_weight: bool = False) -> views.Pairs:
        """Pairs as arrays of indexes into unique options; see `llull.judgments.viewing.pairs`."""
        return viewing.pairs(self.table, rating=rating, group=group, share_weight=share_weight)

    def paired_by(self, aspect: str, *, most: int = 20, seed: int = 0, keep_ratings: bool = False) -> Preferences:
        """Judgments of two options made from ratings; see `llull.judgments.rated_pairs.pairs_from_ratings`."""
        return Preferences.from_table(rated_pairs.pairs_from_ratings(self.table, aspect, most, seed, keep_ratings))

    def options(self) -> views.Options:
        """The unique options, judged or not, in the numbering of all views."""
        return viewing.options(self.table)[0]

    def rankings(self) -> views.Rankings:
        """Whole rankings as ragged arrays; see `llull.judgments.viewing.rankings`."""
        return viewing.rankings(self.table)

    def ratings(self, aspect: str | None = None) -> views.Ratings:
        """Absolute feedback, under one aspect or all; see `llull.judgments.viewing.ratings`."""
        return viewing.ratings(self.table, aspect)

    def accepts(self) -> views.Ratings:
        """Thumbs: the ratings under aspect ``accept``, with value 0 or 1."""
        return viewing.ratings(self.table, "accept")

    def trees(self) -> continuing.Trees:
        """Options that continue one another; see `llull.judgments.trees.trees`."""
        return continuing.trees(self.table)

    def split(
        self,
        by: splitting.By = "context",
        *,
        sizes: Sequence[float] = (0.8, 0.1, 0.1),
        seed: int = 0,
        group: str | None = None,
    ) -> splitting.Split:
        """Train, validation and test parts that share no context; see `llull.judgments.splitting.split`."""
        return splitting.split(self, by, sizes=sizes, seed=seed, group=group)

    def folds(
        self, k: int = 5, by: splitting.By = "context", *, seed: int = 0, group: str | None = None
    ) -> list[splitting.Fold]:
        """Parts for a cross-validation that share no context; see `llull.judgments.splitting.folds`."""
        return splitting.folds(self, k, by, seed=seed, group=group)

    def describe(self) -> describing.Description:
        """Who judged what, how often they agree, and what the labels lean on; print it or take ``to_dict()``."""
        return describing.describe(self.table)

    def problems(self) -> list[diagnosing.Problem]:
        """What is, or may be, wrong with these judgments; see `llull.judgments.diagnosing.problems`."""
        return diagnosing.problems(self.table)

    def shuffle_sides(self, seed: int = 0) -> Preferences:
        """List the options of each judgment in random order; see `llull.judgments.sides.shuffle_sides`."""
        return Preferences.from_table(sides.shuffle_sides(self.table, seed))
