"""Encoders that need no model: statistics, indicators, vectors of one's own, and several side by side."""

from __future__ import annotations

import json
from math import log1p

import numpy as np
import pytest

from llull.encoders import Concat, OneHot, Precomputed, TextStatistics, encoder_from_config
from llull.encoders.statistics import STATISTICS, Text, flesch_reading_ease
from llull.errors import InputError
from llull.judgments import Judgment, Preferences, named_option
from llull.judgments.viewing import options

MEASURES = {statistic.name: statistic.measure for statistic in STATISTICS}

COUNTED = [
    ("length (log)", "four", log1p(4)),
    ("words (log)", "I don't know.", log1p(3)),
    ("sentences (log)", "One. Two! Three", log1p(3)),
    ("paragraphs (log)", "one\n\ntwo\n\nthree", log1p(2)),
    ("word length", "a bcd", 2.0),
    ("sentence length", "One two three. Four.", 2.0),
    ("distinct words", "the cat the dog", 0.75),
    ("headings (log)", "# A\ntext\n## B\n#no", log1p(2)),
    ("bullets (log)", "- a\n* b\n-c", log1p(2)),
    ("numbered items (log)", "1. a\n2) b\n3 c", log1p(2)),
    ("bold (log)", "**a** and __b__ and *c*", log1p(2)),
    ("table rows (log)", "| a | b |\n|---|---|\nno | row", log1p(2)),
    ("code share", "ab\n```\nc\n```", 1 - 3 / 12),
    ("inline code (log)", "use `a` and `b`", log1p(2)),
    ("links (log)", "see https://a.b and [c](d)", log1p(2)),
    ("question marks (log)", "What? Why?", log1p(2)),
    ("ends with a question", "Really?", 1.0),
    ("ends with a question", "Really? Yes.", 0.0),
    ("exclamation marks (log)", "Oh! Ah!", log1p(2)),
    ("digits", "a1b2", 0.5),
    ("capitals", "ABcd 1", 0.5),
    ("non-ASCII", "aéb£", 0.5),
    ("emoji (log)", "🎉 and 🌍", log1p(2)),
    ("refusals", "I'm sorry, but I can't. I cannot help.", log1p(2)),
    ("hedges", "perhaps it is maybe so", 40.0),
    ("apologies", "Sorry, I apologize.", log1p(2)),
    ("polite phrases", "Please come, thanks all", 50.0),
    ("first person", "I like my tea", 50.0),
    ("second person", "you like your tea", 50.0),
]


@pytest.mark.parametrize(("name", "text", "expected"), COUNTED)
def test_statistic_is_as_counted_by_hand(name: str, text: str, expected: float):
    assert MEASURES[name](Text(text)) == pytest.approx(expected)


def test_reading_ease_follows_its_formula():
    # Five words in two sentences; ti-ger has two syllables, the others one.
    text = Text("The cat ran. Tiger sat.")
    assert flesch_reading_ease(text) == pytest.approx(206.835 - 1.015 * 5 / 2 - 84.6 * 6 / 5)


@pytest.mark.parametrize("text", ["", " ", "\n\n", "```", "...", "🎉", "|", "\x00"])
def test_statistics_of_odd_texts_are_finite(text: str):
    assert all(np.isfinite(measure(Text(text))) for measure in MEASURES.values())


def test_statistics_have_a_row_for_each_option_and_a_described_name(options_of):
    encoder = TextStatistics()
    found = encoder.encode(options_of(("c", "one"), ("d", "two words"), ("e", "one")))
    assert found.dtype == np.float32
    assert found.shape == (3, len(encoder.names))
    assert all(encoder.descriptions)
    np.testing.assert_array_equal(found[0], found[2])


def named(*names: str):
    return options(Preferences.from_judgments([Judgment([named_option(n)], ranking=[[0]]) for n in names]).table)[0]


def test_one_hot_marks_each_name_in_alphabetical_order():
    encoder = OneHot().fit(named("b", "a", "c"))
    assert encoder.names == ("a", "b", "c")
    np.testing.assert_array_equal(encoder.encode(named("c", "a")), [[0, 0, 1], [1, 0, 0]])


def test_one_hot_refuses_what_it_has_not_seen():
    with pytest.raises(InputError, match="'z'"):
        OneHot().fit(named("a", "b")).encode(named("a", "z"))
    with pytest.raises(InputError, match="fit it first"):
        OneHot().encode(named("a"))


def test_one_hot_keeps_the_values_it_was_given():
    encoder = OneHot(values=["b", "a", "unseen"]).fit(named("a", "b"))
    assert encoder.names == ("b", "a", "unseen")
    with pytest.raises(InputError, match="'z'"):
        OneHot(values=["a"]).fit(named("a", "z")).encode(named("z"))


def test_one_hot_changes_its_fingerprint_with_its_values():
    assert OneHot(values=["a"]).fingerprint != OneHot(values=["b"]).fingerprint


def test_precomputed_takes_rows_by_id():
    encoder = Precomputed({"a": [1, 2], "b": [3, 4]}, names=("x", "y"))
    np.testing.assert_array_equal(encoder.encode(named("b", "a")), [[3, 4], [1, 2]])
    with pytest.raises(InputError, match="'c'"):
        encoder.encode(named("a", "c"))
    with pytest.raises(InputError, match="same length"):
        Precomputed({"a": [1, 2], "b": [3]})


def test_concat_sets_features_side_by_side_and_comes_back_from_json():
    shown = named("b", "a")
    encoder = Concat([OneHot(), Precomputed({"a": [1.5], "b": [2.5]}), TextStatistics()]).fit(shown)
    again = encoder_from_config(json.loads(json.dumps(encoder.to_config())))
    found = again.encode(shown)
    np.testing.assert_array_equal(found[:, :3], [[0, 1, 2.5], [1, 0, 1.5]])
    np.testing.assert_array_equal(found, encoder.encode(shown))
    assert again.fingerprint == encoder.fingerprint
    assert again.names == encoder.names
    assert [bool(d) for d in again.descriptions[:3]] == [True, True, False]


def test_an_unknown_kind_of_encoder_is_named():
    with pytest.raises(InputError, match=r"'Nothing'.*OneHot"):
        encoder_from_config({"encoder": "Nothing"})


def test_statistics_can_be_left_out_and_unknown_ones_are_named(options_of):
    shown = options_of(("q", "One."), ("q", "Two words."))
    some, every = TextStatistics(["words (log)"]), TextStatistics()
    kept = [name != "words (log)" for name in every.names]
    assert np.array_equal(some.encode(shown), every.encode(shown)[:, kept])
    assert encoder_from_config(some.to_config()).fingerprint == some.fingerprint != every.fingerprint
    with pytest.raises(InputError, match=r"did you mean 'words \(log\)'"):
        TextStatistics(["word (log)"])
