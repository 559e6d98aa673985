"""Hypothesis strategies for sound judgments of every kind: k-wise, tied, rated, edited, shown in any order."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import strategies as st

from llull.judgments import Judgment, Media, Message, Option, Rating, named_option, prompt, text_option

TEXTS = st.sampled_from(["", "yes", "no", "Yes!", "ja", "naïve — ok", "多", "a\nb"])
CONTEXTS = st.sampled_from(
    [
        [],
        prompt("Is it?"),
        prompt("  IS it"),
        prompt("Is that so?"),
        prompt("Is it?", system="Be brief."),
        [Message("user", "Hi"), Message("assistant", "yes"), Message("user", "why?")],
        [Message("user", "Draw", [Media("image", "a.png")])],
    ]
)
NAMES = st.sampled_from(["ann", "bob", "eve"])


@st.composite
def options(draw: st.DrawFn) -> Option:
    kind = draw(st.integers(0, 3))
    if kind == 0:
        return named_option(draw(st.sampled_from(["model-a", "model-b", "model-c", "model-d"])))
    if kind == 1:
        messages = [Message("assistant", draw(TEXTS)), Message("user", draw(TEXTS))]
        return Option(messages, media=draw(st.sampled_from([[], [Media("image", "x.png")]])))
    return text_option(draw(TEXTS), source=draw(st.none() | NAMES))


@st.composite
def judgments(draw: st.DrawFn) -> Judgment:
    k = draw(st.integers(1, 5))
    offered = [draw(options()) for _ in range(k)]
    for place, option in enumerate(offered):
        if place and draw(st.integers(0, 5)) == 0:
            option.parent = draw(st.integers(0, place - 1))
    ranked = draw(st.permutations(range(k)))[: draw(st.integers(0, k))]
    verdict = draw(st.sampled_from(["ranked", "both_good", "both_bad", "cannot_judge", "rated"]))
    aspects = st.sampled_from(["accept", "clarity", "truth"])
    ratings = [
        Rating(draw(st.integers(0, k - 1)), draw(aspects), draw(st.sampled_from([0.0, 1.0, 2.5])), low, 5.0)
        for low in draw(st.lists(st.sampled_from([None, 0.0]), max_size=3))
    ]
    tiers: list[list[int]] = []
    if verdict in ("both_good", "both_bad"):
        tiers = [list(ranked)] if ranked else []
        verdict = verdict if ranked else "cannot_judge"
    elif verdict == "ranked":
        for index in ranked:
            if tiers and draw(st.booleans()):
                tiers[-1].append(index)
            else:
                tiers.append([index])
        verdict = "ranked" if tiers else "cannot_judge"
    elif verdict == "rated" and not ratings:
        verdict = "cannot_judge"
    groups = draw(st.dictionaries(st.sampled_from(["country", "age"]), st.sampled_from(["x", "y"]), max_size=2))
    return Judgment(
        options=offered,
        context=draw(CONTEXTS),
        ranking=tiers,
        verdict=verdict,  # pyright: ignore[reportArgumentType]
        shown=draw(st.permutations(range(k)))[: draw(st.integers(0, k))],
        strength=draw(st.none() | st.sampled_from([1.0, 2.0])),
        ratings=ratings,
        criterion=draw(st.none() | st.sampled_from(["helpful", "harmless"])),
        rationale=draw(st.none() | TEXTS),
        annotator=draw(st.none() | NAMES),
        annotator_kind=draw(st.none() | st.sampled_from(["human", "model"])),
        groups=groups,
        weight=draw(st.sampled_from([0.0, 0.5, 1.0])),
        time=draw(st.none() | st.sampled_from([datetime(2024, 1, day, tzinfo=UTC) for day in (1, 2, 3)])),
        tags=draw(st.dictionaries(st.sampled_from(["row", "note"]), st.sampled_from([1, "1", None, [1, {"a": 2}]]))),
    )


def many(max_size: int = 12, min_size: int = 0) -> st.SearchStrategy[list[Judgment]]:
    return st.lists(judgments(), min_size=min_size, max_size=max_size)
