from __future__ import annotations

from llull.judgments import Message, Preferences


def node(name, text, role="assistant", rank=None, replies=(), **given):
    return {
        "message_id": name,
        "user_id": f"author of {name}",
        "text": text,
        "role": role,
        "lang": "en",
        "rank": rank,
        "synthetic": False,
        "labels": {},
        "replies": list(replies),
    } | given


TREE = {
    "message_tree_id": "t1",
    "tree_state": "ready_for_export",
    "prompt": node(
        "t1",
        "Q",
        "prompter",
        replies=[
            node("a", "A", rank=1, labels={"quality": {"value": 0.75, "count": 3}}),
            node(
                "b",
                "B",
                rank=0,
                replies=[node("e", "More?", "prompter", replies=[node("f", "F", labels={"quality": {"value": 0.5}})])],
            ),
            node("c", "C"),
        ],
        labels={"spam": {"value": 0.0, "count": 2}},
        events={
            "ranking": [
                {"type": "ranking", "user_id": "u1", "ranked_message_ids": ["a", "c", "b"], "not_rankable": False},
                {"type": "ranking", "user_id": "u2", "ranked_message_ids": ["a", "b"], "not_rankable": True},
            ]
        },
    ),
}


def test_trees(read_rows, assert_kept, tmp_path):
    alone = {"message_tree_id": "t2", "tree_state": "x", "prompt": node("t2", "Q", "prompter")}
    broken = {
        "message_tree_id": "t3",
        "tree_state": "x",
        "prompt": node("t3", None, "prompter", replies=[node("z", "Z")]),
    }
    votes = read_rows([TREE, alone, broken])
    (account,) = votes.reading.files
    assert (account.format, account.rows, account.judgments) == ("open-assistant", 3, 4)
    assert [(reject.line, reject.reason) for reject in account.rejects] == [
        (2, "no reply in it is ranked or labelled"),
        (3, "message 't3' has no text"),
    ]
    top, person, unrankable, later = votes
    assert top.context == [Message("user", "Q")]
    assert [(option.text, option.source) for option in top.options] == [
        ("A", "author of a"),
        ("B", "author of b"),
        ("C", "author of c"),
    ]
    assert top.ranking == [[1], [0]]
    assert [(r.option, r.aspect, r.value) for r in top.ratings] == [(0, "quality", 0.75)]
    assert (person.annotator, person.ranking) == ("u1", [[0], [2], [1]])
    assert (unrankable.annotator, unrankable.verdict, unrankable.ranking) == ("u2", "both_bad", [[0, 1]])
    assert [(message.role, message.content) for message in later.context] == [
        ("user", "Q"),
        ("assistant", "B"),
        ("user", "More?"),
    ]
    assert (later.verdict, later.ratings[0].value) == ("rated", 0.5)
    assert_kept(TREE, list(votes))
    assert list(Preferences.load(votes.save(tmp_path / "votes.parquet"))) == list(votes)


def test_flat_messages_give_the_same(read_rows):
    rows = []
    waiting = [(TREE["prompt"], None)]
    while waiting:
        held, parent = waiting.pop()
        rows.append({**{k: v for k, v in held.items() if k != "replies"}, "parent_id": parent, "message_tree_id": "t1"})
        waiting.extend((reply, held["message_id"]) for reply in reversed(held["replies"]))
    lonely = {**rows[0], "message_id": "x", "message_tree_id": "t9", "parent_id": "gone"}
    tree, flat = read_rows([TREE]), read_rows([*reversed(rows), lonely], name="flat.jsonl")
    (account,) = flat.reading.files
    assert (account.format, account.rows, account.rows_judged) == ("open-assistant-messages", len(rows) + 1, len(rows))
    assert account.notes["a message whose parent is not in the file begins a tree"] == 1

    def facts(judgment):
        names = [option.text for option in judgment.options]
        return (
            [message.content for message in judgment.context],
            sorted(names),
            [sorted(names[index] for index in tier) for tier in judgment.ranking],
            judgment.verdict,
            judgment.annotator,
        )

    assert sorted(map(repr, map(facts, flat))) == sorted(map(repr, map(facts, tree)))


def test_labels_of_a_table_are_parallel_lists(read_rows):
    rows = [
        {"message_id": "p", "parent_id": None, "text": "Q", "role": "prompter", "message_tree_id": "p", "rank": None},
        {
            "message_id": "r",
            "parent_id": "p",
            "text": "A",
            "role": "assistant",
            "message_tree_id": "p",
            "rank": None,
            "labels": {"name": ["spam", "quality"], "value": [0.0, 0.9], "count": [3, 3]},
        },
    ]
    (judgment,) = read_rows(rows)
    assert [(rating.aspect, rating.value) for rating in judgment.ratings] == [("spam", 0.0), ("quality", 0.9)]
