"""Writers' feedback on creative writing: LAMP, WQRM and TTCW (Chakrabarty et al., 2024 and 2025).

Professional writers rank paragraphs, edit and score them, and answer the 14 tests of the Torrance Test of
Creative Writing. An edit prefers the edited text to what it was made from, without anybody having compared the two,
so its kind of annotator is ``behavior``. Scores and verdicts rate under one aspect.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from llull.judgments.format import Beside, RowFormat, Sample
from llull.judgments.record import Judgment, Media, Message, Option, Rating, named_option, prompt, text_option
from llull.judgments.rows import BadRow, Reject, Row, as_number

_QUALITY = "writing quality"
_YES = {"Yes": 1.0, "No": 0.0}
_PLACES = {"Most Preferred Writing Option": 0, "Second Favorite Writing Option": 1, "Least Preferred Writing Option": 2}
_DRAFTS = ("first_draft", "random_cot", "best_cot")
_EDIT_REQUEST = "Here is the paragraph you are editing:\n"
_EDIT_REPLY = "Part 3: Implementing Proposed Edits\n\n"
_SCORE_REQUEST = "\n\nParagraph:\n"
_SCORE_FORM = "\n\nYou must produce your answer"


def _convert_ranking(row: Row, beside: Beside) -> Iterator[Judgment]:
    responses, mapping = row.take("responses"), row.take("mapping")
    names = [f"Response {number}" for number in range(1, len(responses) + 1)]
    place = {name: index for index, name in enumerate(names)}
    order = [row.label(f"rank_{rank}", place) for rank in range(1, len(responses) + 1)]
    yield Judgment(
        context=prompt(row.text("instruction")),
        options=[text_option(text, mapping.get(name)) for text, name in zip(responses, names, strict=True)],
        ranking=[[index] for index in order],
        annotator=row.text("rater"),
        annotator_kind="human",
    )


def _convert_edit(row: Row, beside: Beside) -> Iterator[Judgment]:
    options = [text_option(row.text("preedit"), row.text("source")), _edited(row.text("postedit"), "Human-edited")]
    if "AI-edited" in row:
        # It was ranked elsewhere; this row only says that it was made from the same text.
        options.append(_edited(row.text("AI-edited"), "AI-edited"))
    scores = row.take("creativity_scores")
    if len(scores) != 2:
        raise BadRow(f"it has {len(scores)} scores, not one before and one after the edit")
    yield Judgment(
        context=prompt(row.text("instruction")),
        options=options,
        ranking=[[1], [0]],
        ratings=[_score(index, "creativity", score) for index, score in enumerate(scores)],
        annotator=row.take("writer", None),
        annotator_kind="behavior",
    )


def _edited(text: str, source: str) -> Option:
    option = text_option(text, source)
    option.parent = 0
    return option


def _convert_edit_messages(row: Row, beside: Beside) -> Iterator[Judgment]:
    system, asked, reply = row.take("messages")
    instruction, paragraph = asked["content"].split(_EDIT_REQUEST, 1)
    steps, edited = reply["content"].split(_EDIT_REPLY, 1)
    yield Judgment(
        context=[Message("system", system["content"]), Message("user", instruction + _EDIT_REQUEST)],
        options=[text_option(paragraph), _edited(edited, "Human-edited")],
        ranking=[[1], [0]],
        rationale=steps,
        annotator_kind="behavior",
    )


def _convert_score_messages(row: Row, beside: Beside) -> Iterator[Judgment]:
    system, asked, reply = row.take("messages")
    instruction, rest = asked["content"].split(_SCORE_REQUEST, 1)
    paragraph, form = rest.rsplit(_SCORE_FORM, 1)
    score = json.loads(reply["content"])["score"]
    if not 1 <= score <= 10:
        row.note("a score outside its scale of 1 to 10")
    yield Judgment(
        context=[Message("system", system["content"]), Message("user", instruction)],
        options=[text_option(paragraph)],
        verdict="rated",
        ratings=[_score(0, _QUALITY, score)],
        annotator_kind="human",
        tags={"answer_form": _SCORE_FORM + form},
    )


def _convert_validation(row: Row, beside: Beside) -> Iterator[Judgment]:
    if row.label("sample_type", {"pairwise": True, "reward": False}):
        better = row.label("reference_preference", {"1": 0, "2": 1})
        judgment = Judgment(
            options=[text_option(row.text("paragraph1")), text_option(row.text("paragraph2"))],
            ranking=[[better], [1 - better]],
            criterion=_QUALITY,
            annotator_kind="human",
        )
    else:
        judgment = Judgment(
            options=[text_option(row.text("paragraph"))],
            verdict="rated",
            ratings=[_score(0, _QUALITY, row.take("zscore_int"))],
            annotator_kind="human",
        )
    judgment.tags["sample_type"] = row.take("sample_type")
    # The model is that of the first version; the row does not say which paragraph that is.
    judgment.tags["model"] = row.take("source")
    yield judgment


def _convert_verdict(row: Row, beside: Beside) -> Iterator[Judgment]:
    verdict = row.label("binary_verdict", _YES)
    name = row.text("story_id")
    story = beside.table("ttcw_stories", "story_id").get(name)
    test = beside.table("ttcw_tests", "ttcw_idx").get(row.fields.get("ttcw_idx"))
    if story is None:
        row.note("a story whose text is not beside it")
    judgment = Judgment(
        context=prompt(story["plot"]) if story else [],
        options=[_story(name, story)],
        verdict="rated",
        ratings=[Rating(0, row.text("category"), verdict, 0.0, 1.0)],
        criterion=test["question"] if test else None,
        rationale=row.text("explanation"),
        annotator=f"expert{row.take('expert_idx')}",
        annotator_kind="human",
        tags={"story_id": name},
    )
    if test:
        judgment.tags["torrance_dimension"] = test.get("torrance_dimension")
    yield judgment


def _story(name: str, story: dict[str, Any] | None) -> Option:
    if story is None:
        return named_option(name)
    author, content = name.split("_", 1)[-1], story["content"]
    if content.startswith("https://"):
        return Option(media=[Media("text/html", content)], source=author)
    return text_option(content, author)


def _convert_drafts(row: Row, beside: Beside) -> Iterator[Judgment | Reject]:
    drafts = [row.take(name) for name in _DRAFTS]
    options = [text_option(draft["candidate"], name) for name, draft in zip(_DRAFTS, drafts, strict=True)]
    tags = {"wqrm_scores": [draft.get("wqrm_score") for draft in drafts]}
    for number, places in enumerate(row.take("annotations")):
        if places.keys() != set(_DRAFTS) or not set(places.values()) <= _PLACES.keys():
            yield row.reject(f"ranking {number + 1} does not place each draft")
            continue
        tiers: dict[int, list[int]] = {}
        for index, name in enumerate(_DRAFTS):
            tiers.setdefault(_PLACES[places[name]], []).append(index)
        yield Judgment(
            context=prompt(row.fields["instruction"]["plot"]),
            options=options,
            ranking=[tiers[place] for place in sorted(tiers)],
            annotator_kind="human",
            tags={**tags, "annotation": number},
        )


def _score(option: int, aspect: str, value: Any) -> Rating:
    return Rating(option, aspect, as_number(value, "score"), 1.0, 10.0)


def _asks(phrase: str) -> Callable[[Sample], bool]:
    def check(sample: Sample) -> bool:
        return all(_asks_for(row["messages"], phrase) for row in sample.rows)

    return check


def _asks_for(turns: Any, phrase: str) -> bool:
    if not isinstance(turns, list) or len(turns) != 3 or not all(isinstance(turn, dict) for turn in turns):
        return False
    return phrase in str(turns[1].get("content"))


_EDIT_FIELDS = frozenset({"id", "instruction", "type", "source", "preedit", "postedit", "creativity_scores"})
_VERDICT_FIELDS = frozenset({"story_id", "expert_idx", "ttcw_idx", "category", "binary_verdict", "explanation"})

FORMATS = (
    RowFormat(
        name="lamp-rankings",
        title="LAMP: writers rank versions of a paragraph (Chakrabarty et al., 2025)",
        fields=frozenset({"rater", "instruction", "responses", "mapping", "rank_1", "rank_2", "rank_3"}),
        convert=_convert_ranking,
    ),
    RowFormat(
        name="lamp-edits",
        title="LAMP: writers edit and score a paragraph (Chakrabarty et al., 2025)",
        fields=_EDIT_FIELDS | {"fine_grained_edits"},
        convert=_convert_edit,
    ),
    RowFormat(
        name="lamp-edit-messages",
        title="LAMP: edits as conversations (Chakrabarty et al., 2025)",
        fields=frozenset({"messages"}),
        check=_asks(_EDIT_REQUEST),
        convert=_convert_edit_messages,
    ),
    RowFormat(
        name="lamp-score-messages",
        title="LAMP: scores of writing quality as conversations (Chakrabarty et al., 2025)",
        fields=frozenset({"messages"}),
        check=_asks(_SCORE_REQUEST),
        convert=_convert_score_messages,
    ),
    RowFormat(
        name="lamp-validation",
        title="LAMP: pairs and scores of writing quality (Chakrabarty et al., 2025)",
        fields=frozenset({"original_id", "split", "source", "type", "sample_type", "text_input", "output"}),
        convert=_convert_validation,
    ),
    RowFormat(
        name="ttcw",
        title="Torrance Test of Creative Writing: experts' verdicts on stories (Chakrabarty et al., 2024)",
        fields=_VERDICT_FIELDS,
        auxiliary=frozenset({"ttcw_stories", "ttcw_tests"}),
        convert=_convert_verdict,
    ),
    RowFormat(
        name="wqrm",
        title="WQRM: writers rank three drafts (Chakrabarty et al., 2025)",
        fields=frozenset({"instruction", *_DRAFTS, "id", "genre", "llm", "annotations"}),
        convert=_convert_drafts,
    ),
)
