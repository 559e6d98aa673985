"""Pairs told which score they are to reach, so that a good answer that lost is not unlearned."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from llull.errors import InputError
from llull.judgments import Judgment, Preferences
from llull.judgments.record import Message, Rating, context_id

FROM = "relabelled_from"
"""The group that holds the context a row was made from: split by it, and both rows stay in one part."""

GOAL = (
    "You are an assistant whose responses implicitly achieve the following target score "
    "(on a scale of 1-10, where 1 is lowest and 10 is highest): overall score: {score}."
)
"""The wording of a goal; ``{score}`` is filled in."""

_Why = Literal["not a pair", "no scores of both options", "scores do not favor the chosen option"]


@dataclass(frozen=True)
class Relabelled:
    """Goal-conditioned judgments, and why others have none."""

    preferences: Preferences
    left_out: dict[str, int]

    def __str__(self) -> str:
        reasons = "".join(f"; {count:,} left out: {why}" for why, count in self.left_out.items())
        return f"{len(self.preferences):,} judgments told their goal{reasons}"


def condition_on_rewards(
    preferences: Preferences,
    aspect: str | None = None,
    *,
    goal: str = GOAL,
    where: Literal["system", "user"] = "system",
) -> Relabelled:
    """Make two rows of each scored pair: asked for the chosen option's score, and asked for the rejected one's.

    In the first row the judgment stands, in the second the formerly rejected option wins, because it is the one that
    meets the goal. A policy trained on both (by DPO or any other objective) is asked for the top score afterwards.
    Under a goal g the reward of an option of score r is -(g - r) ** 2 (reward-augmented data, 2024).

    Args:
        preferences: ranked pairs with ratings of both options.
        aspect: whose ratings; by default any single aspect that rates both options. Ratings with a known scale are
            moved to 1 to 10, others are taken as they are.
        goal: the wording, with ``{score}``.
        where: say it in the system message, or before the first user message for models without a system role.

    Returns:
        The rows, two for each pair; judgments that are no scored pair are left out and counted. Both rows carry the
        group `FROM`.

    Raises:
        InputError: if ``goal`` has no place for the score, or no judgment could be relabelled.
    """
    if "{score}" not in goal:
        raise InputError("goal: the wording needs {score} where the score is to stand")
    rows: list[Judgment] = []
    left_out: dict[str, int] = {}
    for judgment in preferences:
        made = _both_rows(judgment, aspect, goal, where)
        if isinstance(made, str):
            left_out[made] = left_out.get(made, 0) + 1
        else:
            rows.extend(made)
    if not rows:
        why = ", ".join(f"{count:,} {reason}" for reason, count in left_out.items()) or "there are none"
        raise InputError(f"no judgment is a scored pair: {why}")
    return Relabelled(Preferences.from_judgments(rows), left_out)


def _both_rows(
    judgment: Judgment, aspect: str | None, goal: str, where: Literal["system", "user"]
) -> list[Judgment] | _Why:
    if len(judgment.ranking) != 2 or any(len(tier) != 1 for tier in judgment.ranking):
        return "not a pair"
    winner, loser = judgment.ranking[0][0], judgment.ranking[1][0]
    scores = _scores(judgment.ratings, aspect)
    if winner not in scores or loser not in scores:
        return "no scores of both options"
    if not scores[winner] > scores[loser]:
        return "scores do not favor the chosen option"
    groups = judgment.groups | {FROM: context_id(judgment.context)}
    return [
        replace(
            judgment,
            context=_told(judgment.context, goal.format(score=f"{round(scores[best], 2):g}"), where),
            ranking=[[best], [worst]],
            groups=groups,
            id="",
        )
        for best, worst in ((winner, loser), (loser, winner))
    ]


def _scores(ratings: list[Rating], aspect: str | None) -> dict[int, float]:
    named = {rating.aspect for rating in ratings}
    if aspect is None:
        if len(named) != 1:
            return {}
        (aspect,) = named
    found = {}
    for rating in ratings:
        if rating.aspect != aspect:
            continue
        low, high, value = rating.low, rating.high, rating.value
        if low is not None and high is not None and high > low:
            value = 1 + 9 * (value - low) / (high - low)
        found[rating.option] = value
    return found


def _told(context: list[Message], goal: str, where: Literal["system", "user"]) -> list[Message]:
    if where == "system" and context and context[0].role == "system":
        return [replace(context[0], content=f"{goal}\n\n{context[0].content}"), *context[1:]]
    if where == "user":
        for at, message in enumerate(context):
            if message.role == "user":
                told = replace(message, content=f"{goal}\n\n{message.content}")
                return [*context[:at], told, *context[at + 1 :]]
        return [Message("user", goal), *context]
    return [Message("system", goal), *context]
