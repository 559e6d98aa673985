import numpy as np
import pytest

from llull.evaluate import Baseline, FirstShown, Longest, MajoritySource, MostMarkdown, Shortest, trivial_baselines
from llull.judgments import Judgment, Preferences, named_option, prompt, text_option


def votes(*judgments):
    return Preferences.from_judgments(
        [
            Judgment([text_option(a, source=sa), text_option(b, source=sb)], prompt(f"q{i}"), ranking=r, shown=shown)
            for i, (a, sa, b, sb, r, shown) in enumerate(judgments)
        ]
    )


FIRST, SECOND, TIE = [[0], [1]], [[1], [0]], [[0, 1]]


def test_length_rules_and_what_they_cannot_tell():
    pairs = votes(
        ("long answer", None, "short", None, FIRST, []),
        ("long answer", None, "short", None, SECOND, []),
        ("same", None, "size", None, FIRST, []),
        ("né", None, "nee", None, FIRST, []),
    ).pairs()
    assert Longest().prob(pairs).tolist() == [1, 0, 0.5, 0]
    assert Shortest().prob(pairs).tolist() == [0, 1, 0.5, 1]


def test_rules_about_texts_cannot_tell_where_an_option_is_known_only_by_name():
    text, empty, name = text_option("**a** text"), text_option("", "empty"), named_option("a model with a long name")
    pairs = Preferences.from_judgments(
        [Judgment(list(two), prompt("q"), ranking=FIRST) for two in ((text, name), (name, empty), (text, empty))]
    ).pairs()
    assert Longest().prob(pairs).tolist() == [0.5, 0.5, 1]
    assert Shortest().prob(pairs).tolist() == [0.5, 0.5, 0]
    assert MostMarkdown().prob(pairs).tolist() == [0.5, 0.5, 1]


def test_first_shown_follows_the_order_in_which_options_were_seen():
    pairs = votes(
        ("a", None, "b", None, FIRST, [0, 1]),
        ("a", None, "b", None, FIRST, [1, 0]),
        ("a", None, "b", None, SECOND, [0, 1]),
        ("a", None, "b", None, SECOND, []),
    ).pairs()
    assert FirstShown().prob(pairs).tolist() == [1, 0, 0, 0.5]


@pytest.mark.parametrize(
    "marked",
    ["# Title", "- item", "1. item", "**bold**", "`code`", "[text](where)", "> said", "| a | b |", "```\nx\n```"],
)
def test_each_mark_of_markdown_is_seen(marked):
    pairs = votes((marked, None, "plain - text, 2.5 * 3 # no", None, FIRST, [])).pairs()
    assert MostMarkdown().prob(pairs).tolist() == [1]


def test_majority_source_learns_which_source_wins():
    train = votes(
        ("a", "good", "b", "bad", FIRST, []),
        ("c", "good", "d", "bad", FIRST, []),
        ("e", "bad", "f", "good", FIRST, []),
        ("g", "middle", "h", "middle", FIRST, []),
        ("i", "bad", "j", "good", TIE, []),
    )
    rule = MajoritySource().fit(train)
    assert rule.win_rate_ == pytest.approx({"good": 2 / 3, "bad": 1 / 3})
    pairs = votes(
        ("x", "bad", "y", "good", FIRST, []),
        ("x", "good", "y", "bad", FIRST, []),
        ("x", "good", "y", "new", FIRST, []),
        ("x", "good", "y", "good", FIRST, []),
        ("x", "good", "y", None, FIRST, []),
    ).pairs()
    assert rule.prob(pairs).tolist() == [0, 1, 0.5, 0.5, 0.5]


def test_majority_source_forgets_an_earlier_fit():
    rule = MajoritySource().fit(votes(("a", "x", "b", "y", FIRST, [])))
    rule.fit(votes(("a", "p", "b", "q", FIRST, [])))
    assert set(rule.win_rate_) == {"p", "q"}


def test_majority_source_works_on_options_known_only_by_name():
    battles = Preferences.from_judgments(
        [Judgment([named_option("x"), named_option("y")], ranking=FIRST) for _ in range(3)]
    )
    assert MajoritySource().fit(battles).prob(battles.pairs()).tolist() == [1, 1, 1]


def test_all_rules_have_the_same_face():
    data = votes(("a", "s", "b", "t", FIRST, [0, 1]))
    rules = trivial_baselines()
    assert len({rule.name for rule in rules}) == 5
    for rule in rules:
        assert isinstance(rule, Baseline)
        assert rule.description
        prob = rule.fit(data).prob(data.pairs())
        assert prob.dtype == np.float64
        assert set(prob) <= {0.0, 0.5, 1.0}
