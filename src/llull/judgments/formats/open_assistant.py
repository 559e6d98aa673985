"""Open-Assistant: trees of messages whose replies people ranked and labelled (Köpf et al., 2023).

Read are trees with nested replies, and flat files of messages with ``parent_id``. Each message with at least two ranked
replies gives one judgment, of all its replies in the context of the path to it; a smaller rank is better and replies
without a rank are left out of the ranking. Replies without ranks but with labels are rated. Labels (quality, toxicity,
...) are mean values from 0 to 1. Where events are kept, each person's ranking is a judgment of its own; one marked not
rankable says that all replies are bad.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llull.judgments.format import Beside, GroupFormat, RowFormat
from llull.judgments.formats.nested_values import is_missing, tiers_by_rank, unpacked, without
from llull.judgments.record import Judgment, Message, Option, Rating, text_option
from llull.judgments.rows import BadRow, Reject, Row, as_number

_ROLES = {"prompter": "user", "assistant": "assistant"}
_Node = dict[str, Any]


def _convert_tree(row: Row, beside: Beside) -> Iterator[Judgment | Reject]:
    yield from _judgments(row, unpacked(row.take("prompt"), "prompt"))


def _convert_messages(rows: list[Row], beside: Beside) -> Iterator[Judgment | Reject]:
    nodes: dict[Any, _Node] = {}
    for row in rows:
        for key in row.fields:
            row.take(key)
        nodes[row.fields["message_id"]] = {**row.fields, "replies": []}
    tops: dict[Any, list[_Node]] = {}
    for node in nodes.values():
        if node["parent_id"] in nodes:
            nodes[node["parent_id"]]["replies"].append(node)
        else:
            tops.setdefault(node["parent_id"], []).append(node)
    for parent, found in tops.items():
        if not is_missing(parent):
            rows[0].note("a message whose parent is not in the file begins a tree")
        for node in found:
            yield from _judgments(rows[0], node)


def _judgments(row: Row, top: _Node) -> Iterator[Judgment | Reject]:
    waiting: list[tuple[_Node, list[Message]]] = [(top, [])]
    judged = False
    while waiting:
        node, before = waiting.pop()
        replies: list[_Node] = node.get("replies") or []
        try:
            path = [*before, _message(node)]
            outcomes = list(_of_replies(node, path, replies)) if replies else []
        except BadRow as bad:
            yield row.reject(str(bad))
            judged = True
            continue
        if replies and not outcomes:
            row.note("replies with neither ranks nor labels")
        judged = judged or bool(outcomes)
        yield from outcomes
        waiting.extend((reply, path) for reply in reversed(replies))
    if not judged:
        yield row.reject("no reply in it is ranked or labelled")


def _of_replies(node: _Node, path: list[Message], replies: list[_Node]) -> Iterator[Judgment]:
    options = [_option(reply) for reply in replies]
    ranked = [
        (index, as_number(reply["rank"], "rank"))
        for index, reply in enumerate(replies)
        if not is_missing(reply.get("rank"))
    ]
    ratings = [
        Rating(index, name, value, 0.0, 1.0) for index, reply in enumerate(replies) for name, value in _labels(reply)
    ]
    facts = {
        "parent": without(node, ("replies", "text")),
        "messages": [without(reply, ("replies", "text", "rank")) for reply in replies],
    }
    if len(ranked) >= 2 or ratings:
        yield Judgment(
            context=path,
            options=options,
            ranking=tiers_by_rank(ranked) if len(ranked) >= 2 else [],
            verdict="ranked" if len(ranked) >= 2 else "rated",
            ratings=ratings,
            annotator_kind="human",
            tags={**facts, "ranks": [reply.get("rank") for reply in replies]},
        )
    for event in _rankings(node, replies):
        places = [next(i for i, reply in enumerate(replies) if reply["message_id"] == name) for name in event["ids"]]
        yield Judgment(
            context=path,
            options=options,
            ranking=[places] if event["bad"] else [[place] for place in places],
            verdict="both_bad" if event["bad"] else "ranked",
            annotator=event["user"],
            annotator_kind="human",
            tags=facts,
        )


def _rankings(node: _Node, replies: list[_Node]) -> Iterator[dict[str, Any]]:
    """Each person's ranking of these replies, ids best first. Events may be kept at the parent or at replies."""
    known = {reply.get("message_id") for reply in replies}
    seen: list[Any] = []
    for holder in (node, *replies):
        events = holder.get("events")
        for event in (events.get("ranking") or []) if isinstance(events, dict) else []:
            ids = event.get("ranked_message_ids") or []
            if len(ids) < 2 or not known.issuperset(ids) or event in seen:
                continue
            seen.append(event)
            user = event.get("user_id")
            yield {"ids": ids, "bad": bool(event.get("not_rankable")), "user": None if user is None else str(user)}


def _labels(reply: _Node) -> Iterator[tuple[str, float]]:
    """Names and values of labels, held by name or, in tables, as parallel lists."""
    labels = unpacked(reply.get("labels"), "labels") or {}
    if isinstance(labels.get("name"), list):
        pairs = zip(labels["name"], labels["value"], strict=True)
    else:
        pairs = ((name, held.get("value") if isinstance(held, dict) else held) for name, held in labels.items())
    for name, value in pairs:
        if not is_missing(value):
            yield name, as_number(value, name)


def _message(node: _Node) -> Message:
    if not isinstance(node.get("text"), str):
        raise BadRow(f"message {node.get('message_id')!r} has no text")
    return Message(_ROLES.get(node["role"]) or str(node["role"]), node["text"])


def _option(reply: _Node) -> Option:
    said = _message(reply)
    author = reply.get("model_name") or reply.get("user_id")
    return text_option(said.content, None if author is None else str(author), said.role)


FORMATS = (
    RowFormat(
        name="open-assistant",
        title="Open-Assistant: trees of messages (Köpf et al., 2023)",
        fields=frozenset({"message_tree_id", "tree_state", "prompt"}),
        convert=_convert_tree,
    ),
    GroupFormat(
        name="open-assistant-messages",
        title="Open-Assistant: one message a row (Köpf et al., 2023)",
        fields=frozenset({"message_id", "parent_id", "text", "role", "message_tree_id"}),
        together=lambda fields: fields["message_tree_id"],
        convert=_convert_messages,
    ),
)
