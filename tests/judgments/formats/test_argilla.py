from __future__ import annotations

from llull.judgments import Preferences, prompt

RECORD = {"id": "r1", "status": "completed", "prompt": "Q", "response_1": "A", "response_2": "B", "topic": "art"}
USERS = {"best.responses.users": ["u1", "u2", "u3"], "best.responses.status": ["submitted", "draft", "discarded"]}
ROWS = [
    {
        **RECORD,
        "best.responses": [
            [{"value": "response-2", "rank": 1}, {"value": "response-1", "rank": 2}],
            [{"value": "response-1", "rank": 1}, {"value": "response-2", "rank": 1}],
            None,
        ],
        **USERS,
        "why.responses": ["It is kinder."],
        "why.responses.users": ["u1"],
        "why.responses.status": ["submitted"],
        "best.suggestion": [{"value": "response-1", "rank": 1}, {"value": "response-2", "rank": 1}],
        "best.suggestion.score": 0.5,
        "best.suggestion.agent": "gpt-4",
    },
    {
        **RECORD,
        "best.responses": ["response_1"],
        "best.responses.users": ["u1"],
        "best.responses.status": ["submitted"],
    },
    {**RECORD, "best.responses": ["tie"], "best.responses.users": ["u1"], "best.responses.status": ["submitted"]},
    {**RECORD, "best.responses": [4], "best.responses.users": ["u1"], "best.responses.status": ["submitted"]},
    {**RECORD, "best.responses": ["a", "b"], "best.responses.users": ["u1"], "best.responses.status": ["submitted"]},
    {
        "id": "r2",
        "status": "completed",
        "prompt": "Q",
        "response": "A",
        "best.responses": [4, 5],
        "best.responses.users": ["u1", "u2"],
        "best.responses.status": ["submitted", "submitted"],
    },
    {
        "id": "r3",
        "status": "completed",
        "prompt": "Q",
        "best.responses": [["art", "food"]],
        "best.responses.users": ["u1"],
    },
]


def test_a_label_chooses_one_answer_of_several_and_a_ranking_may_tie_them(read_rows):
    record = {"id": "r1", "prompt": "Q", "response_1": "A", "response_2": "B", "response_3": "C"}
    tied = [{"value": f"response_{number}", "rank": min(number, 2)} for number in (1, 2, 3)]
    votes = read_rows(
        [{**record, "best.responses": [answer], "best.responses.users": ["u"]} for answer in ("response_2", tied)]
    )
    assert [judgment.ranking for judgment in votes] == [[[1], [0]], [[1], [2]], [[0], [1, 2]]]
    assert [judgment.weight for judgment in votes] == [0.5, 0.5, 1]


def test_answers_and_suggestions(read_rows, assert_kept, tmp_path):
    votes = read_rows(ROWS)
    (account,) = votes.reading.files
    assert (account.format, account.rows, account.judgments) == ("argilla", 7, 8)
    assert [(reject.line, reject.reason) for reject in account.rejects] == [
        (1, "an answer to 'best' is a draft that was never submitted"),
        (4, "question 'best' is a rating, and the record holds 2 answers it could be of"),
        (5, "question 'best' has 2 answers of 1 users in 1 statuses"),
    ]
    first, discarded, suggested, label, tie, rated, _, topics = votes
    assert first.context == prompt("Q")
    assert [option.text for option in first.options] == ["B", "A"]
    assert (first.ranking, first.criterion, first.annotator) == ([[0], [1]], "best", "u1")
    assert (first.annotator_kind, first.rationale) == ("human", "It is kinder.")
    assert (discarded.verdict, discarded.ranking, discarded.annotator) == ("cannot_judge", [], "u3")
    assert (suggested.annotator, suggested.annotator_kind, suggested.ranking) == ("gpt-4", "model", [[0, 1]])
    assert suggested.tags["suggestion_score"] == 0.5
    assert (label.ranking, [option.text for option in label.options]) == ([[0], [1]], ["A", "B"])
    assert tie.ranking == [[0, 1]]
    assert (rated.verdict, rated.ratings[0].aspect, rated.ratings[0].value) == ("rated", "best", 4.0)
    assert ([option.source for option in topics.options], topics.ranking) == (["art", "food"], [[0, 1]])
    assert_kept(ROWS[0], list(votes)[:3], but=["best.responses.users", "best.responses.status", "why.responses.status"])
    assert list(Preferences.load(votes.save(tmp_path / "votes.parquet"))) == list(votes)
