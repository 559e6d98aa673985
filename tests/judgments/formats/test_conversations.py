from __future__ import annotations

import pytest

from llull.judgments import Media, Message
from llull.judgments.formats.conversations import (
    is_conversation,
    is_plain,
    option_of,
    shared_turns,
    to_messages,
    to_turns,
)
from llull.judgments.rows import BadRow


def spoken(*texts):
    return [Message(("user", "assistant")[place % 2], text) for place, text in enumerate(texts)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([], True),
        ([{"role": "user", "content": "Q"}], True),
        ([{"role": "user", "content": None, "name": "n"}], True),
        ([{"role": "user"}], False),
        ([{"role": "user", "content": "Q"}, "Q"], False),
        ("Q", False),
        (None, False),
    ],
)
def test_what_a_conversation_is(value, expected):
    assert is_conversation(value) is expected


def test_plain_turns_go_there_and_back():
    turns = [{"role": "user", "content": " Q\n"}, {"role": "assistant", "content": ""}]
    assert is_plain(turns)
    assert to_turns(to_messages(turns, "prompt")) == turns


def test_null_keys_hold_nothing_but_other_keys_do():
    turn = {"role": "user", "content": "Q"}
    assert is_plain([{**turn, "name": None}])
    assert not is_plain([{**turn, "name": "n"}])
    assert not is_plain([{**turn, "content": None}])
    assert not is_plain([{**turn, "content": [{"type": "text", "text": "Q"}]}])


def test_parts_become_text_and_media():
    parts = [
        {"type": "text", "text": "Which "},
        {"type": "image", "image": "a.png"},
        {"type": "image_url", "image_url": {"url": "https://example.org/b.png"}},
        {"type": "image"},
        {"type": "audio", "path": "c.wav"},
        {"type": "image", "image": {"bytes": "aGk="}},
        {"type": "text", "text": "one?"},
    ]
    assert to_messages([{"role": "user", "content": parts}], "prompt") == [
        Message(
            "user",
            "Which one?",
            [Media("image", "a.png"), Media("image", "https://example.org/b.png"), Media("audio", "c.wav")],
        )
    ]


def test_roles_are_renamed_where_the_format_says_so():
    turns = [{"from": "human", "value": "Q"}, {"from": "critic", "value": "C"}]
    messages = to_messages(turns, "conversations", role="from", content="value", roles={"human": "user"})
    assert messages == [Message("user", "Q"), Message("critic", "C")]


@pytest.mark.parametrize(
    ("turns", "reason"),
    [
        ("Q", "field 'prompt' is not a list of turns with 'role' and 'content'"),
        ([{"role": None, "content": "Q"}], "field 'prompt' has a turn whose role is not text"),
        (
            [{"role": "user", "content": 3}],
            "field 'prompt' has a turn whose content is neither text nor a list of parts",
        ),
        (
            [{"role": "user", "content": ["Q"]}],
            "field 'prompt' has a turn whose content is neither text nor a list of parts",
        ),
    ],
)
def test_what_is_no_conversation_is_a_bad_row(turns, reason):
    with pytest.raises(BadRow) as fault:
        to_messages(turns, "prompt")
    assert str(fault.value) == reason


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (spoken("Q", "A"), spoken("Q", "B"), 1),
        (spoken("Q", "A", "R", "B"), spoken("Q", "A", "R", "C"), 3),
        (spoken("Q", "A"), spoken("Q", "A", "R", "B"), 1),
        (spoken("Q", "A"), spoken("Q", "A"), 1),
        (spoken("Q", "A"), spoken("P", "A"), 0),
        (spoken("Q"), spoken("Q"), 0),
        ([], spoken("Q"), 0),
    ],
)
def test_shared_turns_are_whole_and_leave_an_answer(first, second, expected):
    assert shared_turns(first, second) == expected
    assert shared_turns(second, first) == expected


def test_an_option_of_one_text_is_the_same_however_it_is_made():
    assert option_of([Message("assistant", "A")], "m").source == "m"
    assert option_of([Message("assistant", "A")]).id == option_of([Message("assistant", "A")], "m").id
    assert option_of([Message("assistant", "A")]).id != option_of([Message("user", "A")]).id
    assert option_of(spoken("A", "B")).text == "A\n\nB"
