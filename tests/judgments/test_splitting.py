"""No context in two parts, nothing lost, nothing that depends on the order of rows."""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from generated_judgments import many
from hypothesis import given, settings
from hypothesis import strategies as st

from llull.errors import InputError
from llull.judgments import Judgment, Media, Message, Preferences, named_option, prompt, text_option
from llull.judgments.blocks import context_blocks


def plain_key(judgment: Judgment) -> object:
    """What no two parts may share, computed one judgment at a time."""
    if not judgment.context and not any(option.messages or option.media for option in judgment.options):
        return object()  # Equal to nothing else: a vote between names is a block of its own.
    if not judgment.context:
        return tuple(sorted(option.id for option in judgment.options))
    text = " ".join(m.content + " " + " ".join(media.uri for media in m.media) for m in judgment.context)
    text = unicodedata.normalize("NFKC", text).upper().lower().replace("ß", "ss")
    kept = [c for c in text if unicodedata.category(c)[0] not in "PZC" and not c.isspace()]
    return "".join(kept) or text


def vote(context: str, annotator: str = "ann", day: int = 0, **more) -> Judgment:
    time = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=day)
    return Judgment(
        [text_option("a"), text_option("b")],
        prompt(context),
        ranking=[[0], [1]],
        annotator=annotator,
        time=time,
        **more,
    )


def crowd(contexts: int = 60, annotators: int = 20, votes: int = 3, seed: int = 0) -> Preferences:
    """Each context is judged by a few annotators, as in crowd work."""
    generator = np.random.default_rng(seed)
    return Preferences.from_judgments(
        vote(f"question {c}", f"w{a}", day=c + 2 * int(place), groups={"country": f"c{a % 7}"})
        for c in range(contexts)
        for place, a in enumerate(generator.choice(annotators, votes, replace=False))
    )


@given(many(max_size=8))
@settings(max_examples=40, deadline=None)
def test_blocks_equal_a_plain_reading_of_each_judgment(judgments):
    blocks = context_blocks(Preferences.from_judgments(judgments).table)
    keys = [plain_key(judgment) for judgment in judgments]
    same_block = blocks.codes[:, None] == blocks.codes[None, :]
    same_key = np.array([[a == b for b in keys] for a in keys], bool).reshape(len(keys), len(keys))
    assert np.array_equal(same_block, same_key)


LETTERS = st.text("abcäßéσжñ ABCÄΣЖ0123,.!?-'\t\n", min_size=1, max_size=30)


@given(LETTERS, st.integers(0, 2**32 - 1))
@settings(max_examples=75, deadline=None)
def test_a_respelled_context_stays_in_its_block(text, seed):
    if not re.search(r"[^\W_]", text):
        text += "x"
    generator = np.random.default_rng(seed)
    respelled = unicodedata.normalize("NFD", text.swapcase() if generator.random() < 0.5 else text)
    for _ in range(3):
        # Composition must not be broken apart: punctuation goes in front or after.
        extra = str(generator.choice(list(string.punctuation.translate({ord(c): None for c in "$+<=>^`|~"}) + " \n\t")))
        respelled = extra + respelled if generator.random() < 0.5 else respelled + extra
    judged = Preferences.from_judgments([vote(text), vote(respelled), vote(text + " indeed")])
    codes = context_blocks(judged.table).codes
    assert codes[0] == codes[1] != codes[2]


def test_contexts_of_punctuation_alone_stay_apart():
    codes = context_blocks(Preferences.from_judgments([vote("?"), vote("!"), vote("?")]).table).codes
    assert list(codes) == [0, 1, 0]


def test_the_same_words_about_another_picture_are_another_context():
    def about(uri: str) -> Judgment:
        return Judgment(
            [text_option("a"), text_option("b")], [Message("user", "See", [Media("image", uri)])], ranking=[[0], [1]]
        )

    codes = context_blocks(Preferences.from_judgments([about("x.png"), about("y.png"), about("x.png")]).table).codes
    assert list(codes) == [0, 1, 0]


def test_without_context_the_unordered_set_of_options_counts():
    a, b, c = (text_option(text) for text in "abc")
    votes = [Judgment(list(o), ranking=[[0], [1]]) for o in [(a, b), (b, a), (a, c), (a, b)]]
    assert list(context_blocks(Preferences.from_judgments(votes).table).codes) == [0, 0, 1, 0]


def test_votes_between_names_are_blocks_of_their_own():
    a, b = named_option("a"), named_option("b")
    battles = Preferences.from_judgments([Judgment([a, b], ranking=[[0], [1]])] * 3)
    assert list(context_blocks(battles.table).codes) == [0, 1, 2]
    backwards = battles.select([2, 1, 0])
    assert set(context_blocks(backwards.table).names) == set(context_blocks(battles.table).names)


@given(
    many(max_size=12, min_size=4),
    st.sampled_from(["context", "annotator", "group", "time"]),
    st.integers(0, 5),
    st.sampled_from([(0.8, 0.1, 0.1), (0.5, 0.5), (1, 1, 1)]),
)
@settings(max_examples=40, deadline=None)
def test_no_context_and_no_unit_is_in_two_parts_and_nothing_is_lost(judgments, by, seed, sizes):
    for judgment in judgments:
        judgment.groups.setdefault("country", "z")
    numbered = [*judgments]
    for row, judgment in enumerate(numbered):
        judgment.id = str(row)
    preferences = Preferences.from_judgments(numbered)
    try:
        made = preferences.split(by, sizes=sizes, seed=seed, group="country" if by == "group" else None)
    except InputError:
        return
    parts = [made.train, made.validation, made.test]
    key_of = {j.id: plain_key(j) for j in numbered}
    keys = [{key_of[j.id] for j in part} for part in parts]
    assert all(not keys[i] & keys[j] for i, j in [(0, 1), (0, 2), (1, 2)])
    units = {
        "context": lambda j: key_of[j.id],
        "annotator": lambda j: j.annotator,
        "group": lambda j: j.groups["country"],
        "time": lambda j: j.time,
    }[by]
    found = [{units(j) for j in part} for part in parts]
    assert all(not found[i] & found[j] for i, j in [(0, 1), (0, 2), (1, 2)])
    assert all(None not in f for f in found)
    everywhere = Counter(j.id for part in [*parts, made.set_aside] for j in part)
    assert everywhere == Counter(str(row) for row in range(len(judgments)))
    assert sum(made.reasons.values()) == len(made.set_aside)
    if by == "time":
        assert max(found[0]) < min(found[2])
    if by == "context":
        assert len(made.set_aside) == 0


@pytest.mark.parametrize("by", ["context", "annotator", "group", "time"])
def test_the_order_of_rows_does_not_matter_and_the_seed_does(by):
    preferences = crowd()
    group = "country" if by == "group" else None

    def ids(made) -> list[set[str]]:
        return [{j.id for j in part} for part in (made.train, made.validation, made.test)]

    shuffled = preferences.select(np.random.default_rng(3).permutation(len(preferences)))
    assert ids(preferences.split(by, seed=1, group=group)) == ids(shuffled.split(by, seed=1, group=group))
    if by != "time":
        assert ids(preferences.split(by, seed=1, group=group)) != ids(preferences.split(by, seed=2, group=group))


def test_parts_have_their_sizes():
    preferences = Preferences.from_judgments(vote(f"q{i}") for i in range(1000))
    made = preferences.split(sizes=(0.7, 0.1, 0.2))
    assert [len(made.train), len(made.validation), len(made.test)] == [700, 100, 200]
    assert len(preferences.split(sizes=(3, 1)).validation) == 0


def test_an_annotator_split_says_what_it_set_aside():
    preferences = Preferences.concat([crowd(), Preferences.from_judgments([vote("who?", annotator=None)])])
    made = preferences.split("annotator")
    assert made.reasons["what the split is by is unknown of it"] == 1
    assert made.reasons["its context went to another part"] == len(made.set_aside) - 1 > 0
    assert "set aside because its context went to another part" in str(made)


@pytest.mark.parametrize("by", ["context", "annotator", "group"])
def test_folds_test_each_unit_once_and_share_no_context(by):
    preferences = crowd(contexts=200, annotators=60, votes=2)
    made = preferences.folds(4, by, group="country" if by == "group" else None)
    tested = Counter(j.id for fold in made for j in fold.test)
    assert max(tested.values()) == 1
    for fold in made:
        assert not {plain_key(j) for j in fold.train} & {plain_key(j) for j in fold.test}
        assert len(fold.train) + len(fold.test) + len(fold.set_aside) == len(preferences)
        assert sum(fold.reasons.values()) == len(fold.set_aside)
        if by == "annotator":
            assert not {j.annotator for j in fold.train} & {j.annotator for j in fold.test}
    if by == "context":
        assert len(tested) == len(preferences)
        assert all(abs(len(fold.test) - len(preferences) / 4) <= 2 for fold in made)


def test_folds_by_time_test_only_what_comes_later():
    made = crowd().folds(3, "time")
    assert len(made) == 3
    for fold in made:
        assert max(j.time for j in fold.train) < min(j.time for j in fold.test)
        assert not {plain_key(j) for j in fold.train} & {plain_key(j) for j in fold.test}
        assert sum(fold.reasons.values()) == len(fold.set_aside)
    assert len(made[0].train) < len(made[1].train) < len(made[2].train)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sizes": (1.0,)}, "are not the shares"),
        ({"sizes": (0.0, 0.5, 0.5)}, "are not the shares"),
        ({"by": "group"}, "needs the key of the group"),
        ({"by": "group", "group": "nothing"}, "no judgment has a group"),
        ({"by": "mood"}, "cannot split by 'mood'"),
    ],
)
def test_what_cannot_be_split_is_said(arguments, message):
    with pytest.raises(InputError, match=message):
        crowd().split(**arguments)


def test_one_context_cannot_be_split():
    with pytest.raises(InputError, match="there is 1 context to deal to 3 parts"):
        Preferences.from_judgments([vote("q"), vote("Q?")]).split()


def test_fewer_folds_than_two_are_refused():
    with pytest.raises(InputError, match="at least 2 folds"):
        crowd().folds(1)
