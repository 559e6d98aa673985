"""Every view against a twin that loops over judgments, however the table is laid out."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from generated_judgments import many
from hypothesis import given, settings
from hypothesis import strategies as st

from llull.errors import InputError
from llull.judgments import Judgment, Media, Message, Option, Preferences, Rating, named_option, prompt, text_option
from llull.judgments.record import VERDICTS, context_id

ASPECTS = ("accept", "clarity", "truth")


def layouts(judgments: list[Judgment], seed: int) -> list[Preferences]:
    """The same judgments in one chunk, in many, behind an index, and from a table cut out of a larger one."""
    whole = Preferences.from_judgments(judgments)
    if not judgments:
        return [whole]
    order = np.random.default_rng(seed).permutation(len(judgments))
    back = np.argsort(order)
    twice = Preferences.concat([whole, whole])
    return [
        whole,
        Preferences.concat([Preferences.from_judgments([judgment]) for judgment in judgments]),
        Preferences.from_judgments([judgments[i] for i in order]).select(back),
        Preferences.from_table(twice.table.slice(len(judgments))),
    ]


def key(judgment: Judgment, option: int) -> tuple[str, str]:
    found = judgment.options[option]
    return context_id(judgment.context), found.id, found.source or ""


def option_keys(options) -> list[tuple[str, str]]:
    rows = options.table["context_id"].to_pylist()
    return [(rows[row], id, by or "") for row, id, by in zip(options.row, options.ids, options.sources, strict=True)]


def slots(judgment: Judgment, rating: str | None) -> list[tuple[int, int, float]]:
    """(option, tier, value), best first."""
    if rating is None:
        return [(option, tier, math.nan) for tier, members in enumerate(judgment.ranking) for option in members]
    values: dict[int, float] = {}
    for given_ in judgment.ratings:
        if given_.aspect == rating:
            values[given_.option] = max(values.get(given_.option, -math.inf), given_.value)
    return [
        (o, -sorted(set(values.values())).index(v), v) for o, v in sorted(values.items(), key=lambda i: (-i[1], i[0]))
    ]


def plain_pairs(judgments: list[Judgment], rating: str | None, share_weight: bool, group: str) -> list[tuple]:
    rows = []
    for row, judgment in enumerate(judgments):
        ranked = slots(judgment, rating)
        found = list(combinations(ranked, 2))
        for (a, tier_a, value_a), (b, tier_b, value_b) in found:
            side = 0
            if a in judgment.shown and b in judgment.shown:
                side = 1 if judgment.shown.index(a) < judgment.shown.index(b) else -1
            strength = judgment.strength if len(found) == 1 and judgment.strength is not None else math.nan
            rows.append(
                (
                    key(judgment, a),
                    key(judgment, b),
                    tier_a == tier_b,
                    judgment.verdict,
                    side,
                    judgment.weight / (len(found) if share_weight else 1),
                    repr(strength if rating is None else value_a - value_b),
                    judgment.annotator,
                    judgment.groups.get(group),
                    judgment.criterion,
                    row,
                )
            )
    return rows


def named(codes: np.ndarray, names: tuple[str, ...]) -> list[str | None]:
    return [names[code] if code >= 0 else None for code in codes]


@given(many(max_size=6), st.booleans(), st.sampled_from([None, *ASPECTS]), st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_pairs(judgments, share_weight, rating, seed):
    if rating and not any(r.aspect == rating for j in judgments for r in j.ratings):
        rating = None
    group = "country" if any("country" in j.groups for j in judgments) else None
    expected = plain_pairs(judgments, rating, share_weight, "country")
    for preferences in layouts(judgments, seed):
        found = preferences.pairs(rating=rating, group=group, share_weight=share_weight)
        keys = option_keys(found.options)
        ours = zip(
            [keys[i] for i in found.winner],
            [keys[i] for i in found.loser],
            found.tie.tolist(),
            [VERDICTS[code] for code in found.verdict],
            found.side.tolist(),
            found.weight.tolist(),
            [repr(value) for value in found.strength.tolist()],
            named(found.annotator, found.annotators),
            named(found.group, found.groups),
            named(found.criterion, found.criteria),
            found.judgment.tolist(),
            strict=True,
        )
        assert list(ours) == expected
        assert np.array_equal(found.context, found.options.context[found.winner])


@given(many(max_size=6), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_options(judgments, seed):
    listed = [(key(j, i), j, i) for j in judgments for i in range(len(j.options))]
    first = {k: (j, i) for k, j, i in reversed(listed)}
    order = list(dict.fromkeys(k for k, _, _ in listed))
    for preferences in layouts(judgments, seed):
        found = preferences.pairs().options
        assert option_keys(found) == order
        options = [first[k][0].options[first[k][1]] for k in order]
        assert found.texts() == [option.text if option.messages else option.source or "" for option in options]
        assert found.sources == [option.source for option in options]
        assert found.media() == [[{"type": m.type, "uri": m.uri} for m in option.media] for option in options]
        contexts = {context_id(j.context): j.context for j in reversed(judgments)}
        texts = [
            context[0].content if len(context) == 1 else "\n\n".join(f"{m.role}: {m.content}" for m in context)
            for context in (contexts[id] for id in dict.fromkeys(context_id(j.context) for j in judgments))
        ]
        assert found.contexts() == texts


@given(many(max_size=6), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_rankings(judgments, seed):
    expected = [
        ([key(j, o) for o, _, _ in slots(j, None)], [t for _, t, _ in slots(j, None)], j.weight, j.annotator, row)
        for row, j in enumerate(judgments)
        if len(slots(j, None)) >= 2
    ]
    for preferences in layouts(judgments, seed):
        found = preferences.rankings()
        keys = option_keys(found.options)
        ours = [
            (
                [keys[i] for i in found.option[found.start[r] : found.start[r + 1]]],
                found.tier[found.start[r] : found.start[r + 1]].tolist(),
                found.weight[r],
                named(found.annotator, found.annotators)[r],
                found.judgment[r],
            )
            for r in range(len(found))
        ]
        assert ours == expected
        assert all(found.context[r] == found.options.context[found.option[found.start[r]]] for r in range(len(found)))


@given(many(max_size=6), st.sampled_from([None, *ASPECTS]), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_ratings(judgments, aspect, seed):
    given_ = [(j, row, r) for row, j in enumerate(judgments) for r in j.ratings if aspect in (None, r.aspect)]
    expected = [
        (key(j, r.option), r.aspect, r.value, r.low, r.high, j.weight, j.annotator, row) for j, row, r in given_
    ]
    for preferences in layouts(judgments, seed):
        if aspect is not None and not expected:
            with pytest.raises(InputError, match="no rating has the aspect"):
                preferences.ratings(aspect)
            continue
        found = preferences.ratings(aspect)
        keys = option_keys(found.options)
        ours = zip(
            [keys[i] for i in found.option],
            named(found.aspect, found.aspects),
            found.value.tolist(),
            [None if math.isnan(low) else low for low in found.low.tolist()],
            found.high.tolist(),
            found.weight.tolist(),
            named(found.annotator, found.annotators),
            found.judgment.tolist(),
            strict=True,
        )
        assert list(ours) == expected


def plain_trees(judgments: list[Judgment]) -> tuple[list[int], list[int], list[int]]:
    keys, owner = [], {}
    for j in judgments:
        for i in range(len(j.options)):
            if key(j, i) not in owner:
                owner[key(j, i)] = (j, j.options[i])
                keys.append(key(j, i))
    parent = [-1] * len(keys)
    for j in judgments:
        for i, option in enumerate(j.options):
            if option.parent is not None:
                child, above = keys.index(key(j, i)), keys.index(key(j, option.parent))
                if child != above and parent[child] == -1:
                    parent[child] = above
    for child, k in enumerate(keys):
        if parent[child] == -1:
            before = owner[k][0].context
            for above, other in enumerate(keys):
                context, option = owner[other][0].context, owner[other][1]
                if option.messages and context + option.messages == before:
                    parent[child] = above
                    break
    for start in range(len(keys)):
        seen, at = [], start
        while at >= 0 and at not in seen:
            seen.append(at)
            at = parent[at]
        if at >= 0:
            parent[min(seen[seen.index(at) :])] = -1
    depth, root = [], []
    for node in range(len(keys)):
        d = 0
        while parent[node] >= 0:
            node, d = parent[node], d + 1
        depth.append(d)
        root.append(node)
    return parent, depth, root


@given(many(max_size=6), st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_trees(judgments, seed):
    parent, depth, root = plain_trees(judgments)
    for preferences in layouts(judgments, seed):
        found = preferences.trees()
        assert found.parent.tolist() == parent
        assert found.depth.tolist() == depth
        assert found.root.tolist() == root


def test_trees_grow_along_a_conversation():
    first = prompt("Hi")
    then = [*first, Message("assistant", "Hello"), Message("user", "Why?")]
    found = Preferences.from_judgments(
        [
            Judgment([Option([Message("assistant", "So.")]), text_option("Because.")], then, ranking=[[0], [1]]),
            Judgment([Option(then[1:]), text_option("Hey")], first, ranking=[[0], [1]]),
        ]
    ).trees()
    assert found.parent.tolist() == [2, 2, -1, -1]
    assert found.root.tolist() == [2, 2, 2, 3]


def test_a_conversation_about_another_picture_is_another_conversation():
    def about(uri: str) -> list[Message]:
        return [Message("user", "See", [Media("image", uri)])]

    reply = [Message("assistant", "A cat"), Message("user", "Sure?")]
    found = Preferences.from_judgments(
        [
            Judgment([Option(reply), text_option("x")], about("cat.png"), ranking=[[0], [1]]),
            Judgment([text_option("Yes"), text_option("No")], about("dog.png") + reply, ranking=[[0], [1]]),
            Judgment([text_option("Yes"), text_option("No")], about("cat.png") + reply, ranking=[[0], [1]]),
        ]
    ).trees()
    assert found.parent.tolist() == [-1, -1, -1, -1, 0, 0]


def test_edits_that_undo_one_another_make_no_circle():
    a, b = text_option("a"), text_option("b")

    def edit(of: Option, to: Option) -> Judgment:
        return Judgment([of, Option(to.messages, parent=0)], prompt("q"), ranking=[[1], [0]])

    found = Preferences.from_judgments([edit(a, b), edit(b, a), edit(a, a)]).trees()
    assert found.parent.tolist() == [-1, 0]
    assert found.depth.tolist() == [0, 1]


def test_a_long_chain_of_edits_has_its_depth():
    n = 300
    chain = [
        Judgment(
            [text_option(f"v{i}"), Option([Message("assistant", f"v{i + 1}")], parent=0)],
            prompt("q"),
            ranking=[[1], [0]],
        )
        for i in range(n)
    ]
    assert Preferences.from_judgments(chain).trees().depth.tolist() == list(range(n + 1))


@given(many(max_size=6), st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_labels(judgments, seed):
    for preferences in layouts(judgments, seed):
        for name in ("country", "age"):
            expected = [j.groups.get(name) for j in judgments]
            if any(expected):
                found = preferences.labels(name)
                assert named(found.codes, found.names) == expected
        if any("row" in j.tags for j in judgments):
            found = preferences.labels("row")
            texts = {repr(1): "1", repr("1"): "1", repr([1, {"a": 2}]): '[1, {"a": 2}]', repr(None): None}
            assert named(found.codes, found.names) == [texts[repr(j.tags.get("row"))] for j in judgments]
            assert len(set(found.names)) == len(found.names)
        for column in ("annotator", "criterion", "verdict"):
            found = preferences.labels(column)
            assert named(found.codes, found.names) == [getattr(j, column) for j in judgments]


def test_an_unknown_label_names_the_nearest():
    preferences = Preferences.from_judgments(
        [Judgment([named_option("a")], verdict="cannot_judge", groups={"country": "x"})]
    )
    with pytest.raises(InputError, match="named 'contry'; there is country"):
        preferences.labels("contry")


def test_a_group_goes_before_a_column_and_a_column_before_a_tag():
    judgment = Judgment(
        [named_option("a")],
        verdict="cannot_judge",
        annotator="ann",
        criterion="truth",
        groups={"annotator": "group"},
        tags={"annotator": "tag", "criterion": "tag", "note": "tag"},
    )
    preferences = Preferences.from_judgments([judgment])
    assert [preferences.labels(name).names for name in ("annotator", "criterion", "note")] == [
        ("group",),
        ("truth",),
        ("tag",),
    ]


@given(many(max_size=6, min_size=1), st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_the_order_of_judgments_orders_the_pairs_and_nothing_else(judgments, seed):
    order = np.random.default_rng(seed).permutation(len(judgments))
    preferences = Preferences.from_judgments(judgments)

    def told(pairs, rows) -> list[tuple]:
        keys = option_keys(pairs.options)
        winners, losers = pairs.winner.tolist(), pairs.loser.tolist()
        return sorted(
            (rows[j], keys[w], keys[x], t, s)
            for j, w, x, t, s in zip(pairs.judgment, winners, losers, pairs.tie, pairs.side, strict=True)
        )

    assert told(preferences.pairs(), np.arange(len(judgments))) == told(preferences.select(order).pairs(), order)


@given(many(max_size=6, min_size=1))
@settings(max_examples=25, deadline=None)
def test_a_judgment_given_twice_gives_its_pairs_twice_and_no_new_options(judgments):
    once, twice = Preferences.from_judgments(judgments), Preferences.from_judgments([*judgments, *judgments])
    one, two = once.pairs(), twice.pairs()
    assert np.array_equal(two.winner, np.tile(one.winner, 2))
    assert np.array_equal(two.loser, np.tile(one.loser, 2))
    assert two.options.ids == one.options.ids


def test_empty_sets_have_empty_views():
    empty = Preferences.from_judgments([])
    assert [len(view) for view in (empty.pairs(), empty.rankings(), empty.ratings(), empty.trees())] == [0, 0, 0, 0]
    assert empty.pairs().options.texts() == empty.pairs().options.contexts() == []


@given(many(max_size=8))
@settings(max_examples=15, deadline=None)
def test_the_texts_of_one_pair_are_those_of_its_options(judgments):
    half = Preferences.from_judgments(judgments)
    preferences = Preferences.concat([half, half])
    found = preferences.pairs()
    texts, contexts = found.options.texts(), found.options.contexts()
    numbers = zip(found.context, found.winner, found.loser, strict=True)
    expected = [(contexts[context], texts[winner], texts[loser]) for context, winner, loser in numbers]
    assert [found.texts(pair) for pair in range(len(found))] == expected


def test_selected_pairs_keep_their_texts():
    votes = Preferences.from_judgments(
        Judgment([text_option(f"a{i}"), text_option(f"b{i}")], prompt(f"q{i}"), ranking=[[1], [0]]) for i in range(5)
    )
    some = votes.pairs().select(np.array([3, 1]))
    assert [some.texts(i) for i in range(len(some))] == [("q3", "b3", "a3"), ("q1", "b1", "a1")]
    assert len(votes.pairs().select(votes.pairs().judgment > 2)) == 2


def test_accepts_are_the_ratings_under_accept():
    judged = Judgment(
        [text_option("a")], verdict="rated", ratings=[Rating(0, "accept", 1, 0, 1), Rating(0, "truth", 4)]
    )
    found = Preferences.from_judgments([judged]).accepts()
    assert (found.value.tolist(), found.aspects[found.aspect[0]]) == ([1.0], "accept")


def test_the_same_answer_of_two_models_is_two_options():
    votes = Preferences.from_judgments(
        [Judgment([text_option("Yes.", "a"), text_option("Yes.", "b")], prompt("?"), ranking=[[0], [1]])]
    )
    pairs = votes.pairs()
    assert [pairs.options.sources[i] for i in (pairs.winner[0], pairs.loser[0])] == ["a", "b"]
    assert [problem.kind for problem in votes.problems()].count("identical options") == 1
    assert "options under several contexts" not in [problem.kind for problem in votes.problems()]
