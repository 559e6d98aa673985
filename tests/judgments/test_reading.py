"""Reading: what a user may name, what is said of every row, and what happens to formats that misbehave."""

from __future__ import annotations

import io
import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from llull.errors import InputError
from llull.judgments import Judgment, Preferences, named_option, prompt, read, reading, recognition, text_option
from llull.judgments.format import Beside, GroupFormat, RowFormat
from llull.judgments.rows import BadRow, Row

PAIRS = [{"prompt": f"question {n}", "chosen": f"good {n}", "rejected": f"bad {n}"} for n in range(5)]


def put_lines(path: Path, rows: list[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in rows), encoding="utf-8")
    return path


def winners(preferences: Preferences) -> list[str]:
    return [judgment.options[judgment.ranking[0][0]].text for judgment in preferences]


# What a user may name


def test_a_folder_gives_all_preference_files_within_and_names_the_others(tmp_path):
    put_lines(tmp_path / "one.jsonl", PAIRS[:2])
    put_lines(tmp_path / "deep" / "two.jsonl", PAIRS[2:])
    put_lines(tmp_path / "jokes.jsonl", [{"item": "j1", "text": "A man visits the doctor."}])
    put_lines(tmp_path / "strange.jsonl", [{"height": 1}])
    put_lines(tmp_path / ".hidden" / "three.jsonl", PAIRS)
    (tmp_path / "notes.txt").write_text("nothing to read")
    preferences = read(tmp_path)
    assert sorted(winners(preferences)) == [f"good {n}" for n in range(5)]
    assert preferences.reading is not None
    skipped = {Path(path).name: reason for path, reason in preferences.reading.skipped.items()}
    assert skipped.keys() == {"jokes.jsonl", "strange.jsonl"}
    assert "read along with those of Jester" in skipped["jokes.jsonl"]
    assert "no known format has the columns height" in skipped["strange.jsonl"]


def test_a_corrupt_file_in_a_folder_is_not_passed_over(tmp_path):
    put_lines(tmp_path / "one.jsonl", PAIRS)
    (tmp_path / "two.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(InputError, match=r"two\.parquet: the Parquet data is corrupt"):
        read(tmp_path)


def test_folders_without_judgments(tmp_path):
    with pytest.raises(InputError, match="the folder holds no files that Llull reads"):
        read(tmp_path)
    put_lines(tmp_path / "strange.jsonl", [{"height": 1}])
    with pytest.raises(InputError, match="none of its 1 files holds judgments"):
        read(tmp_path)


def test_a_pattern(tmp_path):
    put_lines(tmp_path / "a1.jsonl", PAIRS[:2])
    put_lines(tmp_path / "a2.jsonl", PAIRS[2:4])
    put_lines(tmp_path / "b.jsonl", PAIRS)
    assert winners(read(str(tmp_path / "a*.jsonl"))) == ["good 0", "good 1", "good 2", "good 3"]
    with pytest.raises(InputError, match="no file matches this pattern"):
        read(str(tmp_path / "c*.jsonl"))
    put_lines(tmp_path / "a3.jsonl", [{"height": 1}])
    with pytest.raises(InputError, match=r"a3\.jsonl: no known format"):
        read(str(tmp_path / "a*.jsonl"))


def test_a_file_whose_name_looks_like_a_pattern(tmp_path):
    assert len(read(put_lines(tmp_path / "votes[1].jsonl", PAIRS))) == 5


def test_several_sources_are_one_set_in_the_order_given(tmp_path):
    one, two = put_lines(tmp_path / "z.jsonl", PAIRS[:1]), put_lines(tmp_path / "a.jsonl", PAIRS[1:2])
    preferences = read(one, two)
    assert winners(preferences) == ["good 0", "good 1"]
    assert [judgment.tags["source"] for judgment in preferences] == ["z", "a"]


def test_what_save_wrote_is_loaded_as_it_is(tmp_path):
    first = read(put_lines(tmp_path / "votes.jsonl", PAIRS))
    first.save(tmp_path / "run" / "judgments.parquet")
    put_lines(tmp_path / "run" / "rejects.jsonl", [{"file": "x", "line": 1, "reason": "y"}])
    first.save(tmp_path / "copy.parquet")
    for source in (tmp_path / "run", tmp_path / "copy.parquet", f"llull:{tmp_path / 'copy.parquet'}"):
        again = read(source)
        assert list(again) == list(first)
        assert again.reading is not None
        (account,) = again.reading.files
        assert (account.format, account.rows, account.rows_judged, account.judgments) == ("llull", 5, 5, 5)


def test_a_file_with_the_columns_of_a_judgment_but_not_its_types(tmp_path):
    first = read(put_lines(tmp_path / "votes.jsonl", PAIRS))
    table = first.table.set_column(3, "options", pa.array(["x"] * 5))
    pq.write_table(table, tmp_path / "judgments.parquet")
    with pytest.raises(InputError, match="the judgments in it cannot be loaded"):
        read(tmp_path)


def test_a_format_named_before_the_path(tmp_path):
    path = put_lines(tmp_path / "votes.jsonl", PAIRS)
    assert winners(read(f"trl:{path}")) == winners(read(path, format="trl")) == winners(read(path))


def test_a_format_named_before_a_folder_passes_over_its_auxiliary_files(tmp_path):
    put_lines(tmp_path / "jokes.jsonl", [{"item": "j1", "text": "A man visits the doctor."}])
    put_lines(tmp_path / "ratings.jsonl", [{"user": "u1", "ratings": {"j1": 2.5}}])
    preferences = read(f"jester:{tmp_path}")
    assert preferences[0].options[0].text == "A man visits the doctor."
    assert preferences.reading is not None
    assert list(preferences.reading.skipped) == [str(tmp_path / "jokes.jsonl")]


def test_rows_of_a_neighbor_that_cannot_be_read_are_counted(tmp_path):
    put_lines(
        tmp_path / "jokes.jsonl",
        ["{oops", {"item": "j1", "text": "A man visits the doctor."}, {"text": "No key."}, {"item": [], "text": "x"}],
    )
    preferences = read(put_lines(tmp_path / "ratings.jsonl", [{"user": "u1", "ratings": {"j1": 2.5}}] * 2))
    assert [judgment.options[0].text for judgment in preferences] == ["A man visits the doctor."] * 2
    assert preferences.reading is not None
    notes = preferences.reading.files[0].notes
    assert notes["a row of jokes.jsonl that cannot be read, passed over"] == 3


def test_files_named_together_may_include_those_that_go_along(tmp_path):
    jokes = put_lines(tmp_path / "jokes.jsonl", [{"item": "j1", "text": "A man visits the doctor."}])
    ratings = put_lines(tmp_path / "ratings.jsonl", [{"user": "u1", "ratings": {"j1": 2.5}}])
    strange = put_lines(tmp_path / "strange.jsonl", [{"height": 1}])
    preferences = read(jokes, ratings)
    assert len(preferences) == 1
    assert preferences.reading is not None
    assert list(preferences.reading.skipped) == [str(jokes)]
    with pytest.raises(InputError, match="no known format has the columns height"):
        read(ratings, strange)
    with pytest.raises(InputError, match=r"none of the 2 files named holds judgments \(.*jokes.jsonl: this file"):
        read(jokes, jokes)
    with pytest.raises(InputError, match="this file holds no judgments"):
        read(jokes)


@pytest.mark.parametrize("source", ["hh-rlfh:{}", "{}"])
def test_an_unknown_format_gets_the_nearest_known_name(tmp_path, source):
    path = put_lines(tmp_path / "votes.jsonl", PAIRS)
    with pytest.raises(InputError, match=r"'hh-rlfh' is not a known format; did you mean hh-rlhf"):
        read(source.format(path), format=None if ":" in source else "hh-rlfh")


def test_sources_that_are_not_there(tmp_path):
    with pytest.raises(InputError, match="there is nothing to read"):
        read()
    with pytest.raises(InputError, match="there is no such file"):
        read(tmp_path / "absent.jsonl")
    with pytest.raises(InputError, match="there is no such file"):
        read("nonsense:absent.jsonl")


# What a file may be


def test_wrong_columns_name_the_nearest_format_and_what_it_lacks(tmp_path):
    path = put_lines(tmp_path / "a.jsonl", [{"chosen": "\n\nHuman: a\n\nAssistant: b", "worse": "x"}])
    with pytest.raises(InputError, match=r"no known format has the columns chosen, worse \(nearest is [\w-]+, which"):
        read(path)
    with pytest.raises(InputError, match=r"it lacks the column rejected of hh-rlhf; it has chosen, worse"):
        read(path, format="hh-rlhf")


def test_files_without_rows(tmp_path):
    for name, text in (
        ("a.jsonl", ""),
        ("a.csv", "chosen,rejected\n"),
        ("b.csv", ""),
        ("a.json", " \n"),
        ("b.json", "[]"),
    ):
        (tmp_path / name).write_text(text)
        with pytest.raises(InputError, match="it has no rows"):
            read(tmp_path / name)
        with pytest.raises(InputError, match="it has no rows"):
            read(tmp_path / name, format="table")


def test_a_file_of_bad_rows_only(tmp_path):
    with pytest.raises(InputError, match=r"its only row cannot be read \(line 1: it is not JSON"):
        read(put_lines(tmp_path / "one.jsonl", ["{oops"]))
    path = put_lines(tmp_path / "a.jsonl", ["{oops", "{again"])
    with pytest.raises(InputError, match=r"none of its first 2 rows can be read \(line 1: it is not JSON"):
        read(path)


def test_bad_rows_are_set_aside_and_written_down(tmp_path):
    path = put_lines(tmp_path / "a.jsonl", [PAIRS[0], "{oops", {**PAIRS[1], "chosen": 7}, PAIRS[2]])
    preferences = read(path, rejects=tmp_path / "out" / "rejects.jsonl")
    assert winners(preferences) == ["good 0", "good 2"]
    lines = (tmp_path / "out" / "rejects.jsonl").read_text().splitlines()
    rejects = [json.loads(line) for line in lines]
    assert [(reject["file"], reject["line"]) for reject in rejects] == [(str(path), 2), (str(path), 3)]
    assert "it is not JSON" in rejects[0]["reason"]
    assert preferences.reading is not None
    (account,) = preferences.reading.files
    assert (account.rows, account.rows_judged, account.rows_rejected) == (4, 2, 2)
    assert "4 rows -> 2 judgments, 2 rejects" in account.summary()


def test_no_rejects_are_written_down_too(tmp_path):
    read(put_lines(tmp_path / "a.jsonl", PAIRS), rejects=tmp_path / "rejects.jsonl")
    assert (tmp_path / "rejects.jsonl").read_text() == ""


@pytest.mark.parametrize("bad", ["{oops", {"prompt": "q", "chosen": 7, "rejected": "x"}])
def test_strict_raises_at_the_first_bad_row(tmp_path, bad):
    path = put_lines(tmp_path / "a.jsonl", [PAIRS[0], bad, "{again"])
    with pytest.raises(InputError, match=r"a\.jsonl, line 2: "):
        read(path, strict=True)


# Formats that misbehave. Whatever they do, no row may vanish from the account.


def _misbehave(row: Row, beside: Beside) -> Iterator[Any]:
    what = row.take("what")
    sound = Judgment([named_option("a"), named_option("b")], ranking=[[0], [1]])
    if what == "good":
        yield sound
    elif what == "two":
        yield sound
        yield Judgment([named_option("c"), named_option("d")], ranking=[[1], [0]])
    elif what == "good then bad":
        yield sound
        raise BadRow("the rest is bad")
    elif what == "reject then good":
        yield row.reject("half of it")
        yield sound
    elif what == "unsound":
        yield Judgment([named_option("a")], ranking=[[0], [5]])
    elif what == "not text":
        yield Judgment([text_option(7)], prompt("q"), ranking=[[0]])  # pyright: ignore[reportArgumentType]
    elif what == "no name":
        yield Judgment([named_option("a")], ranking=[[0]], annotator=3)  # pyright: ignore[reportArgumentType]
    elif what == "group":
        yield Judgment([named_option("a")], ranking=[[0]], groups={"age": 3})  # pyright: ignore[reportArgumentType]
    elif what == "context":
        yield Judgment([named_option("a")], prompt(None), ranking=[[0]])  # pyright: ignore[reportArgumentType]
    elif what == "key":
        yield {"a": 1}["b"]
    elif what == "index":
        yield [][0]
    elif what == "attribute":
        yield None.options  # pyright: ignore[reportOptionalMemberAccess]
    elif what == "divide":
        yield 1 / 0
    elif what == "overflow":
        yield float(10**400)
    elif what == "garbage":
        yield "a judgment"


KINDS = {
    "good": (1, 0),
    "two": (2, 0),
    "good then bad": (1, 1),
    "reject then good": (1, 1),
    "unsound": (0, 1),
    "not text": (0, 1),
    "no name": (0, 1),
    "group": (0, 1),
    "context": (0, 1),
    "key": (0, 1),
    "index": (0, 1),
    "attribute": (0, 1),
    "divide": (0, 1),
    "overflow": (0, 1),
    "garbage": (0, 1),
    "nothing": (0, 1),
}
"""What a row does: judgments and rejects that it gives."""


@pytest.fixture
def adversary(monkeypatch):
    def use(made):
        monkeypatch.setattr(recognition, "known_formats", lambda: {"adversary": made})
        return made

    return use


@pytest.mark.parametrize("seed", range(3))
def test_every_row_is_accounted_for_whatever_a_converter_does(tmp_path, adversary, seed):
    adversary(RowFormat(name="adversary", title="", fields=frozenset({"what"}), convert=_misbehave))
    kinds = random.Random(seed).choices(list(KINDS), k=200)
    path = put_lines(tmp_path / "a.jsonl", [{"what": "good"}, *({"what": kind} for kind in kinds), "{oops"])
    preferences = read(path)
    assert preferences.reading is not None
    (account,) = preferences.reading.files
    assert account.rows == 202 == account.rows_judged + account.rows_rejected
    assert account.judgments == len(preferences) == 1 + sum(KINDS[kind][0] for kind in kinds)
    assert len(account.rejects) == 1 + sum(KINDS[kind][1] for kind in kinds)
    assert account.rows_rejected == 1 + sum(KINDS[kind][0] == 0 for kind in kinds)
    assert all(reject.file == str(path) and reject.line > 0 and reject.reason for reject in account.rejects)


def test_grouped_rows_are_accounted_for(tmp_path, adversary):
    def convert(rows: list[Row], beside: Beside) -> Iterator[Judgment]:
        if len(rows) == 1:
            raise BadRow("it stands alone")
        yield Judgment([named_option(str(row.take("name"))) for row in rows], ranking=[[n] for n in range(len(rows))])

    adversary(
        GroupFormat(
            name="adversary",
            title="",
            fields=frozenset({"name"}),
            together=lambda fields: fields["set"],
            convert=convert,
        )
    )
    rows = [
        {"name": "a", "set": 1},
        {"name": "b", "set": 2},
        {"name": "c", "set": 1},
        {"name": "d"},
        {"name": "e", "set": [1]},
        "{oops",
    ]
    preferences = read(put_lines(tmp_path / "a.jsonl", rows))
    assert preferences.reading is not None
    (account,) = preferences.reading.files
    assert (account.rows, account.rows_judged, account.rows_rejected, account.judgments) == (6, 2, 4, 1)
    assert sorted(reject.line for reject in account.rejects) == [2, 4, 5, 6]


class _Loser(RowFormat):
    """A format that drops every second row, and gives the other with rows of its own making."""

    def outcomes(self, rows, beside):
        for row in rows:
            if row.line % 2:
                yield [Row(row.fields, row.file, row.line, row._notes)], Judgment([named_option("a")], ranking=[[0]])


def test_rows_that_a_format_loses_are_rejects(tmp_path, adversary):
    adversary(_Loser(name="adversary", title="", fields=frozenset({"what"}), convert=_misbehave))
    preferences = read(put_lines(tmp_path / "a.jsonl", [{"what": "good"}] * 4))
    assert preferences.reading is not None
    (account,) = preferences.reading.files
    assert account.rows == 4 == account.rows_judged + account.rows_rejected
    assert [reject.reason for reject in account.rejects] == ["adversary made nothing of it"] * 4


def test_an_unknown_label_stops_the_read_and_names_the_known_ones(tmp_path, adversary):
    def convert(row: Row, beside: Beside) -> Iterator[Judgment]:
        yield Judgment([named_option("a"), named_option("b")], ranking=row.label("vote", {"left": [[0], [1]]}))

    adversary(RowFormat(name="adversary", title="", fields=frozenset({"vote"}), convert=convert))
    path = put_lines(tmp_path / "a.jsonl", [{"vote": "left"}, {"vote": None}, {"vote": "lfet"}])
    with pytest.raises(InputError, match=r"line 3: field 'vote' has the unknown label 'lfet' \(known: 'left'\)"):
        read(path)


# The hub


def hub_of(monkeypatch, **answers):
    """Stand in for the hub: each named data set is what it gives, or the error it raises."""
    calls = []

    def load_dataset(*args, **options):
        calls.append((args, options))
        answer = answers["answer"] if "answer" in answers else answers[args[-1].replace("/", "_")]
        if isinstance(answer, Exception):
            raise answer
        return datasets.DatasetDict({name: datasets.Dataset.from_list(rows) for name, rows in answer.items()})

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    return calls


def test_all_splits_of_a_hub_data_set(monkeypatch):
    calls = hub_of(monkeypatch, answer={"train": PAIRS[:3], "test": PAIRS[3:]})
    preferences = read("hub:org/votes")
    assert calls == [(("org/votes",), {})]
    assert winners(preferences) == [f"good {n}" for n in range(5)]
    assert [(j.tags["source"], j.tags["split"]) for j in preferences] == [("votes", "train")] * 3 + [
        ("votes", "test")
    ] * 2
    assert preferences.reading is not None
    assert [file.path for file in preferences.reading.files] == ["hub:org/votes@train", "hub:org/votes@test"]


def test_one_split_of_one_configuration(monkeypatch):
    calls = hub_of(monkeypatch, answer={"train": PAIRS[:3], "test": PAIRS[3:]})
    preferences = read("hub:org/votes/easy@test")
    assert calls == [(("org/votes", "easy"), {})]
    assert winners(preferences) == ["good 3", "good 4"]
    assert preferences[0].tags["source"] == "easy"
    with pytest.raises(InputError, match="it has no split 'dev'; there is train, test"):
        read("hub:org/votes@dev")


def test_a_configuration_that_is_a_folder(monkeypatch):
    def load_dataset(repo, config=None, data_dir=None):
        if config is not None:
            raise ValueError("BuilderConfig 'easy' not found. Available: ['default']")
        assert data_dir == "easy"
        return datasets.DatasetDict({"train": datasets.Dataset.from_list(PAIRS)})

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    assert len(read("hub:org/votes/easy")) == 5


@pytest.mark.parametrize(
    "fault",
    [
        ConnectionError("Couldn't reach 'org/votes' on the Hub\nmore\nlines"),
        FileNotFoundError("no such data set"),
        RuntimeError(),
    ],
)
def test_a_hub_that_does_not_answer_is_one_line(monkeypatch, fault):
    hub_of(monkeypatch, answer=fault)
    with pytest.raises(InputError, match="hub:org/votes: the data set cannot be loaded") as caught:
        read("hub:org/votes")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["hub:votes", "hub:org/", "hub:org/votes@", "hub:"])
def test_names_that_are_no_hub_names(name):
    with pytest.raises(InputError, match="does not name a data set"):
        read(name)


def test_a_hub_data_set_that_llull_pushed(monkeypatch, tmp_path):
    first = read(put_lines(tmp_path / "votes.jsonl", PAIRS))
    monkeypatch.setattr(datasets, "load_dataset", lambda repo: datasets.DatasetDict({"train": first.dataset}))
    again = read("hub:org/votes")
    assert list(again) == list(first)


def test_a_local_folder_laid_out_like_a_hub_data_set(monkeypatch, tmp_path):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    put_lines(tmp_path / "votes" / "train.jsonl", PAIRS)
    put_lines(tmp_path / "votes" / "test.jsonl", PAIRS[:1])
    preferences = read(f"hub:{tmp_path / 'votes'}@train")
    assert winners(preferences) == [f"good {n}" for n in range(5)]
    assert preferences[0].tags["source"] == "votes"


# Progress


def test_progress_is_shown_on_a_terminal_only(tmp_path, monkeypatch, capsys):
    path = put_lines(tmp_path / "votes.jsonl", PAIRS * 500)
    read(path)
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setenv("TERM", "xterm")
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    with reading._progress() as tick:
        tick(str(path), 2_000)
    assert "reading" in screen.getvalue()
    assert "2,000 rows of votes.jsonl" in screen.getvalue()
    assert capsys.readouterr().out == ""
