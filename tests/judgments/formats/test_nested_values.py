from __future__ import annotations

from collections import Counter

import pytest

from llull.errors import InputError
from llull.judgments.formats.nested_values import is_missing, nested_label, take_list
from llull.judgments.formats.platform_records import index_of, option_named, options_of
from llull.judgments.rows import BadRow, Row


def row(**fields):
    return Row(fields, "file.csv", 3, Counter())


def test_what_says_nothing():
    assert all(is_missing(value) for value in (None, "", float("nan")))
    assert not any(is_missing(value) for value in (0, False, [], "no"))


@pytest.mark.parametrize("value", [[1, 2], "[1, 2]"])
def test_lists_as_they_are_or_as_json(value):
    assert take_list(row(x=value), "x") == [1, 2]


@pytest.mark.parametrize("value", ["[1, 2", '{"a": 1}', None, 5])
def test_what_is_no_list(value):
    with pytest.raises(BadRow):
        take_list(row(x=value), "x")


def test_labels_inside_objects():
    assert nested_label(row(), {"pref": "a"}, "pref", {"a": 1}) == 1
    with pytest.raises(BadRow):
        nested_label(row(), {"pref": None}, "pref", {"a": 1})
    with pytest.raises(InputError, match=r"file\.csv, line 3: 'pref' has the unknown label \['a'\]"):
        nested_label(row(), {"pref": ["a"]}, "pref", {"a": 1})


def test_labels_name_answers_in_several_spellings():
    options = options_of({"prompt": "Q", "response_1": "A", "response_2": "B", "topic": "art"})
    assert list(options) == ["response_1", "response_2"]
    assert [index_of(label, options) for label in ("response-2", "Response 1", "2", "3")] == [1, 0, 1, None]
    assert option_named("response-2", options).text == "B"
    assert option_named("other", options).source == "other"
