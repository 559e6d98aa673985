"""Judgments under several criteria: how a model reads the criterion, and prediction where nobody says which one it is.

A judgment may say the criterion it was made under, such as sharpness, or "be brief". A model can read it in three ways:
as whose weights they are (the population `llull.models.PerCriterion`, which shares what criteria have in common), as an
indicator beside the context (``PreferenceModel(..., criteria="names")``), or as a text beside the context
(``criteria="texts"``), which also takes criteria that were not seen. `TwoStep` is for judgments that do not say theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from llull.encoders import Encoder
from llull.errors import InputError
from llull.judgments import Judgment, Preferences, named_option, prompt
from llull.judgments.views import Options, Pairs

CriteriaAs = Literal["names", "texts"]


def known_criteria(pairs: Pairs) -> tuple[str, ...]:
    """The criteria of some pairs, in order of name.

    Raises:
        InputError: if no pair says its criterion.
    """
    found = tuple(sorted({pairs.criteria[code] for code in np.unique(pairs.criterion[pairs.criterion >= 0])}))
    if not found:
        raise InputError("no judgment says its criterion, which this model reads; leave out its setting criteria")
    return found


@dataclass(frozen=True)
class CriteriaRead:
    """How criteria become numbers beside those of contexts.

    Args:
        way: indicators of the names that are known, or features of the text.
        known: the criteria of the fit.
        encoder: of the model; fitted.
    """

    way: CriteriaAs
    known: tuple[str, ...]
    encoder: Encoder

    def rows(self, wanted: Sequence[str]) -> np.ndarray:
        """Features of criteria: float64 [wanted, q]; NaN for a name that is not known."""
        if self.way == "texts":
            distinct = {text: place for place, text in enumerate(dict.fromkeys(wanted))}
            asked = [Judgment([named_option("")], prompt(text), verdict="cannot_judge") for text in distinct]
            found = self.encoder.encode_contexts(Preferences.from_judgments(asked).options())
            return found.astype(np.float64)[[distinct[text] for text in wanted]]
        same = np.array([[one == name for name in self.known] for one in wanted], np.float64)
        return np.where(same.any(axis=1, keepdims=True), same, np.nan)

    def settings(
        self, options: Options, context: np.ndarray, criterion: np.ndarray, criteria: tuple[str, ...]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Features of each context together with a criterion: [s, e]; and the row of each given pair of them: [n].

        Args:
            options: whose contexts they are.
            context: int [n], in the numbering of ``options.context``.
            criterion: int [n], index into ``criteria``; -1 where there is none, and NaN takes its features' place.
            criteria: names.
        """
        settings, place = np.unique(context.astype(np.int64) * (len(criteria) + 1) + criterion + 1, return_inverse=True)
        contexts, codes = np.divmod(settings, len(criteria) + 1)
        # The first row stands for no criterion; a known one says how wide it is.
        said = self.rows([self.known[0], *criteria])
        said[0] = np.nan
        rows = said[codes]
        if self.encoder.encodes_contexts:
            rows = np.hstack([self.encoder.encode_contexts(options)[contexts], rows])
        return rows, place


def under(pairs: Pairs, criterion: str) -> Pairs:
    """The same pairs, as if judged under this criterion; what they say of who won is not changed."""
    return replace(pairs, criterion=np.zeros(len(pairs), np.int32), criteria=(criterion,))
