"""Goal-conditioned rows: two for each scored pair, the second turned round, and kept together when a set is cut."""

from __future__ import annotations

import pytest

from llull.align.relabelling import FROM, condition_on_rewards
from llull.errors import InputError
from llull.judgments import Judgment, Preferences, prompt, text_option
from llull.judgments.record import Rating


def pair(question: str = "Is it?", better: float = 9, worse: float = 7.5, **more: object) -> Judgment:
    ratings = [Rating(0, "overall", worse), Rating(1, "overall", better)]
    facts: dict[str, object] = {"ranking": [[1], [0]], "ratings": ratings}
    return Judgment([text_option("No."), text_option("Yes.")], prompt(question), **(facts | more))


def test_a_pair_becomes_two_rows_of_which_the_second_is_turned_round() -> None:
    first, second = condition_on_rewards(Preferences.from_judgments([pair()])).preferences
    assert (first.ranking, second.ranking) == ([[1], [0]], [[0], [1]])
    assert [row.context[0].role for row in (first, second)] == ["system", "system"]
    assert first.context[0].content.endswith("score: 9.")
    assert second.context[0].content.endswith("score: 7.5.")
    assert [row.context[1].content for row in (first, second)] == ["Is it?", "Is it?"]
    assert first.id != second.id


def test_a_known_scale_is_moved_to_one_to_ten() -> None:
    ratings = [Rating(0, "overall", 0, 0, 4), Rating(1, "overall", 3, 0, 4)]
    rows = condition_on_rewards(Preferences.from_judgments([pair(ratings=ratings)])).preferences
    assert [row.context[0].content[-8:].split()[-1] for row in rows] == ["7.75.", "1."]


def test_a_system_message_is_kept_and_models_without_one_hear_it_from_the_user() -> None:
    judgment = pair()
    judgment.context = prompt("Is it?", system="Be brief.")
    told = condition_on_rewards(Preferences.from_judgments([judgment])).preferences[0].context
    assert len(told) == 2
    assert told[0].content.endswith("\n\nBe brief.")
    heard = condition_on_rewards(Preferences.from_judgments([pair()]), where="user").preferences[0].context
    assert len(heard) == 1
    assert heard[0].content.endswith("9.\n\nIs it?")


def test_what_is_no_scored_pair_is_left_out_and_counted() -> None:
    judged = [
        pair(),
        pair("Tie?", ranking=[[0, 1]]),
        pair("Unrated?", ratings=[]),
        pair("Against?", better=3, worse=7),
        pair("Equal?", better=7, worse=7),
    ]
    made = condition_on_rewards(Preferences.from_judgments(judged))
    assert len(made.preferences) == 2
    assert made.left_out == {
        "not a pair": 1,
        "no scores of both options": 1,
        "scores do not favor the chosen option": 2,
    }
    assert "2 judgments" in str(made)


def test_both_rows_stay_in_one_part_of_a_split() -> None:
    judged = [pair(f"Question {i}?") for i in range(40)]
    cut = condition_on_rewards(Preferences.from_judgments(judged)).preferences.split("group", group=FROM)
    parts = [[row.groups[FROM] for row in part] for part in (cut.train, cut.validation, cut.test)]
    assert sum(len(part) for part in parts) == 80
    assert all(part.count(name) == 2 for part in parts for name in part)
    assert all(parts)


def test_a_goal_without_a_score_and_a_set_without_scores_are_refused() -> None:
    with pytest.raises(InputError, match="score"):
        condition_on_rewards(Preferences.from_judgments([pair()]), goal="Do well.")
    with pytest.raises(InputError, match="no scores of both"):
        condition_on_rewards(Preferences.from_judgments([pair()]), aspect="style")
