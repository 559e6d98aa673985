"""What is judged: contexts with options whose attributes are known."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from llull.errors import InputError
from llull.judgments.blocks import option_sets
from llull.judgments.columns import encode, lists, number
from llull.judgments.preferences import Preferences
from llull.judgments.record import Judgment, prompt, text_option
from llull.judgments.table import to_table
from llull.judgments.viewing import options
from llull.judgments.views import Options


@dataclass(frozen=True)
class Pool:
    """Contexts with options, m options in all, each with d attributes that annotators may care about."""

    table: pa.Table
    """One row per context, in the columns of `llull.judgments.table.SCHEMA`; its judgments are not used."""
    attributes: np.ndarray
    """float64 [m, d], in the order in which the table lists the options."""
    names: tuple[str, ...]
    """[d] the attributes' names."""
    embeddings: np.ndarray | None = None
    """float32 [m, e], what a model would see instead of the attributes; None where it would read the text."""
    phrases: tuple[tuple[str, str], ...] | None = None
    """[d] a reason to prefer an option that has more of the attribute, and one to prefer one that has less."""

    def __len__(self) -> int:
        return len(self.table)

    def find(self, found: Options) -> np.ndarray:
        """Where the options of a view stand in ``attributes`` and ``embeddings``: int64 [number of options].

        Raises:
            ValueError: one of them is not in the pool.
        """
        listed = lists(self.table["options"])
        here = _keys(self.table["context_id"].take(pa.array(listed.row)), listed.field("id"))
        context = found.table["context_id"].take(pa.array(found.row))
        at = pc.index_in(_keys(context, pa.chunked_array([pa.array(found.ids, pa.string())])), value_set=here)
        if at.null_count:
            raise ValueError(f"{at.null_count} of {len(found)} options are not in this pool")
        return at.to_numpy().astype(np.int64)


def embedded_options(
    contexts: int = 1000,
    per_context: int = 4,
    *,
    rank: int = 16,
    dimensions: int = 384,
    noise: float = 0.05,
    seed: int = 0,
) -> Pool:
    """Options that are points: attributes in few dimensions, seen through noise in many.

    The attributes z are standard normal in ``rank`` dimensions. The embedding is z B + noise * e, with B of orthonormal
    rows, [rank, dimensions], and e standard normal in each coordinate.
    """
    generator = np.random.default_rng(seed)
    attributes = generator.standard_normal((contexts * per_context, rank))
    basis = np.linalg.qr(generator.standard_normal((dimensions, rank)))[0].T
    seen = attributes @ basis + noise * generator.standard_normal((len(attributes), dimensions))
    questions = (
        (f"question {c}", [f"answer {o} to question {c}" for o in range(per_context)]) for c in range(contexts)
    )
    names = tuple(f"attribute-{i}" for i in range(rank))
    return Pool(lay_out(questions), attributes, names, seen.astype(np.float32))


def pool_of(
    preferences: Preferences,
    attributes: np.ndarray | Callable[[list[str]], np.ndarray],
    names: tuple[str, ...] | None = None,
) -> Pool:
    """The contexts and options of existing judgments, so that a population can judge them anew.

    Args:
        attributes: [m, d] for the options as ``preferences.pairs().options`` numbers them, or a function that makes
            them from the options' texts.
        names: of the attributes.
    """
    table = preferences.table
    found, unit = options(table)
    given = np.asarray(attributes(found.texts()) if callable(attributes) else attributes, float)
    if given.ndim != 2 or len(given) != len(found):
        raise InputError(
            f"attributes of shape {given.shape} do not describe {len(found)} options; give [{len(found)}, d]"
        )
    sets = encode(option_sets(table))
    contexts = encode(table["context_id"])
    _, first = number(contexts.codes.astype(np.int64) * len(sets.names) + sets.codes)
    listed = lists(table["options"])
    kept = np.isin(listed.row, first)
    return Pool(
        table.take(pa.array(first)), given[unit[kept]], names or tuple(f"attribute-{i}" for i in range(given.shape[1]))
    )


def lay_out(questions: Iterable[tuple[str, list[str]]]) -> pa.Table:
    """The table of a pool of text options, from questions and their answers."""
    return to_table(
        Judgment([text_option(answer) for answer in answers], prompt(question), verdict="cannot_judge", id=str(row))
        for row, (question, answers) in enumerate(questions)
    )


def _keys(contexts: pa.ChunkedArray, ids: pa.ChunkedArray) -> pa.Array:
    joined = pc.binary_join_element_wise(contexts.combine_chunks(), ids.combine_chunks(), "\n")
    return joined
