"""Answers drawn from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from llull.cli import main  # noqa: E402
from llull.judgments import Judgment, Preferences, prompt, text_option  # noqa: E402
from llull.language.sampling import HuggingFaceSampler, Settings  # noqa: E402
from llull.runs.sampling import read_prompts  # noqa: E402

OPENINGS = ["Once upon a time, there was a dog.", "Tom had a ball.", "One day, a bird"]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLULL_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def stories(shared_models: Path) -> str:
    return str(shared_models / "stories-260k")


@pytest.fixture
def votes(tmp_path: Path) -> str:
    options = [text_option("She ran."), text_option("He sat.")]
    made = [Judgment(options, prompt(text), ranking=[[0], [1]], annotator=who) for text in OPENINGS for who in "ab"]
    return str(Preferences.from_judgments(made).save(tmp_path / "votes.parquet"))


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_contexts_of_judgments_are_answered_once_each(
    stories: str, votes: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "samples.jsonl"
    words = ["--model", stories, "--max_tokens", "12", "--out", str(out)]
    assert main(["sample", votes, *words, "--n", "3"]) == 0
    assert "9 samples of 3 contexts" in " ".join(capsys.readouterr().out.split())
    found = rows(out)
    assert [row["context"] for row in found] == [[{"role": "user", "content": text}] for text in OPENINGS]
    assert [row["context_id"] for row in found] == Preferences.load(votes).table["context_id"].to_pylist()[::2]
    for row in found:
        assert row["source"] == stories
        assert len({sample["text"] for sample in row["samples"]}) == 3
        for sample in row["samples"]:
            assert sample["finish"] in ("stop", "length")
            sizes = {len(sample[name]) for name in ("ids", "model_log_probs", "sampling_log_probs")}
            assert sizes == {len(sample["ids"])}
            assert sample["model_log_probs"] == sample["sampling_log_probs"]


def test_a_second_run_draws_only_what_it_lacks(
    stories: str, votes: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[int] = []
    draw = HuggingFaceSampler.draw

    def counting(self: HuggingFaceSampler, requests: Any, settings: Settings) -> Any:
        drawn.append(len(requests))
        return draw(self, requests, settings)

    monkeypatch.setattr(HuggingFaceSampler, "draw", counting)
    out = tmp_path / "samples.jsonl"
    words = ["--model", stories, "--max_tokens", "8", "--temperature", "0.8", "--out", str(out)]
    assert main(["sample", votes, *words, "--n", "2", "--contexts", "2"]) == 0
    few = rows(out)
    assert main(["sample", votes, *words, "--n", "4", "--batch_size", "3"]) == 0
    many = rows(out)
    assert drawn == [4, 8]
    assert [row["samples"][:2] for row in many[:2]] == [row["samples"] for row in few]


def test_files_of_prompts_are_answered(stories: str, tmp_path: Path) -> None:
    text, lines, out = tmp_path / "a.txt", tmp_path / "b.jsonl", tmp_path / "samples.jsonl"
    text.write_text("Once upon a time,\n\nTom had a dog.\nTom had a dog.\n", encoding="utf-8")
    turns = [{"role": "user", "content": "One day,"}]
    lines.write_text(json.dumps({"prompt": "She said"}) + "\n" + json.dumps({"messages": turns}), encoding="utf-8")
    words = [
        "--model",
        stories,
        "--max_tokens",
        "4",
        "--n",
        "1",
        "--log_probs",
        "false",
        "--precision",
        "bf16",
        "--stop",
        '[" was"]',
    ]
    assert main(["sample", str(text), str(lines), *words, "--out", str(out)]) == 0
    found = rows(out)
    said = [row["context"][0]["content"] for row in found]
    assert said == ["Once upon a time,", "Tom had a dog.", "She said", "One day,"]
    assert "model_log_probs" not in found[0]["samples"][0]
    assert all(" was" not in row["samples"][0]["text"] for row in found)


def test_what_is_no_file_of_prompts_is_left_to_the_readers(tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text(json.dumps({"prompt": "a", "chosen": "b", "rejected": "c"}), encoding="utf-8")
    assert read_prompts(pairs) is None
    assert read_prompts(tmp_path / "absent.txt") is None


def test_errors_are_said_in_one_line(
    votes: str, stories: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad, empty = tmp_path / "bad.jsonl", tmp_path / "empty.txt"
    bad.write_text('{"prompt": "a"}\n{"prompt": 3}\n', encoding="utf-8")
    empty.write_text("\n", encoding="utf-8")
    rewards = tmp_path / "rewards"
    rewards.mkdir()
    (rewards / "config.json").write_text('{"architectures": ["LlamaForSequenceClassification"]}', encoding="utf-8")
    for words, message in (
        ([votes], "say which model to sample from"),
        ([votes, "--model", stories, "--n", "0"], "sampling with n 0: give at least 1"),
        ([str(bad), "--model", stories], "bad.jsonl:2: no prompt; give a text or messages"),
        ([str(empty), "--model", stories], "no context to answer"),
        ([votes, "--model", str(rewards)], "is a reward model, which scores answers and gives none"),
        ([votes, "--model", "m", "--server", "localhost"], "give an address such as"),
        ([votes, "--model", "m", "--server", "http://h", "--tokenizer", str(tmp_path)], "no tokenizer could be loaded"),
    ):
        assert main(["sample", *words, "--out", str(tmp_path / "out.jsonl")]) == 1
        said = capsys.readouterr().err.strip()
        assert message in said
        assert "\n" not in said
