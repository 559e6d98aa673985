"""``llull align`` from the command line: train, report, go on, and say in one line what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llull.cli import main
from llull.judgments import Judgment, Preferences
from llull.judgments.record import Message, text_option

WORDS = ["dog", "cat", "ball", "tree", "boat", "hat", "cake", "bird", "book", "drum", "frog", "kite"]


def votes(path: Path) -> Path:
    """Stories in which somebody is happy are preferred to those in which somebody is sad."""
    found = [
        Judgment(
            context=[Message("user", f"Once upon a time, there was a {word}.")],
            options=[text_option(f" The {word} was {mood}. {end}") for mood in ("happy", "sad")],
            ranking=[[0], [1]],
            annotator=f"reader {number % 3}",
        )
        for number, (word, end) in enumerate((word, end) for word in WORDS for end in ("The end.", "They went home."))
    ]
    return Preferences.from_judgments(found).save(path)


def align(data: Path, model: Path, out: Path, *more: str) -> int:
    common = ["--held_out", "0.25", "--samples", "3", "--sample_tokens", "12", "--training.batch_size", "6"]
    rates = ["--training.learning_rate", "0.001", "--training.epochs", "2"]
    return main(["align", str(data), "--policy", str(model), "--out", str(out), *common, *rates, *more])


@pytest.mark.slow
def test_a_policy_learns_what_readers_prefer_and_the_run_can_be_read(
    tmp_path: Path, shared_models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from transformers import AutoModelForCausalLM

    data, out = votes(tmp_path / "votes.parquet"), tmp_path / "run"
    assert align(data, shared_models / "stories-260k", out, "--objective", "dpo", "--objective.beta", "0.2") == 0
    said = capsys.readouterr().out
    assert "memory: about" in said
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["before"]["accuracy"]["value"] == 0.5
    assert metrics["after"]["accuracy"]["value"] == 1.0
    assert metrics["generation"]["after"]["kl"]["n"] == 3
    page = (out / "report.html").read_text()
    assert "0.2 * (policy(y) - reference(y))" in page
    assert AutoModelForCausalLM.from_pretrained(out / "model").config.vocab_size == 512
    assert align(data, shared_models / "stories-260k", out, "--objective", "dpo", "--objective.beta", "0.2") == 0
    assert "going on after update" in capsys.readouterr().out
    assert json.loads((out / "metrics.json").read_text())["after"] == metrics["after"]
    assert align(data, shared_models / "stories-260k", out, "--objective", "simpo") == 1
    assert "other data, model, objective or settings" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("words", [("--objective", "KTO"), ("--objective", "plackett-luce-dpo", "--adapter.rank", "4")])
def test_the_same_judgments_serve_other_kinds_of_objectives(
    words: tuple[str, ...], tmp_path: Path, shared_models: Path
) -> None:
    data, out = votes(tmp_path / "votes.parquet"), tmp_path / "run"
    assert align(data, shared_models / "stories-260k", out, *words) == 0
    assert (out / "report.html").exists()
    assert (out / "model" / "adapter_config.json").exists() == ("--adapter.rank" in words)


def test_what_is_missing_is_said_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = votes(tmp_path / "votes.parquet")
    assert main(["align", str(data), "--out", str(tmp_path / "run")]) == 1
    assert "--policy" in capsys.readouterr().err
    assert main(["align", str(data), "--policy", str(tmp_path / "nowhere"), "--out", str(tmp_path / "run")]) == 1
    said = capsys.readouterr().err
    assert "nowhere" in said
    assert said.count("\n") == 1
    with pytest.raises(SystemExit):
        main(["align", str(data), "--policy", "x", "--objective", "dpoo"])
    assert "DPO" in capsys.readouterr().err


def test_objectives_are_listed_with_their_formulas(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["objectives", "--name", "simpo"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("SimPO (pairs)")
    assert "policy(y) / length(y)" in said
    assert main(["objectives", "--name", "nothing"]) == 1


@pytest.mark.slow
def test_objectives_are_given_what_they_read_beside_the_judgments(
    tmp_path: Path, shared_models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = votes(tmp_path / "votes.parquet")
    rows = [
        {
            "context_id": word,
            "context": [{"role": "user", "content": f"Once upon a time, there was a {word}."}],
            "source": "start",
            "samples": [{"text": f" The {word} {end}.", "finish": "stop"} for end in ("ran", "slept")],
        }
        for word in WORDS
    ]
    samples = tmp_path / "samples.jsonl"
    samples.write_text("".join(json.dumps(row) + "\n" for row in rows))
    model = shared_models / "stories-260k"
    hypo = ("--objective", "HyPO", "--beside.samples", str(samples))
    assert align(data, model, tmp_path / "hypo", *hypo) == 0
    weighted = ("--objective", "WeightedTokenDPO", "--segments.cut", "sentences", "--segments.worth", "changed")
    assert align(data, model, tmp_path / "weighted", *weighted) == 0
    taught = ("--objective", "AlignDistil", "--teachers", f'["{tmp_path / "hypo" / "model"}","{model}"]')
    assert align(data, model, tmp_path / "taught", *taught) == 0
    capsys.readouterr()
    assert align(data, model, tmp_path / "gap", "--objective", "RewardGapDPO", "--columns.reward", "mood") == 1
    assert "rate no option for 'mood'; the aspects they rate: none" in capsys.readouterr().err


@pytest.mark.slow
def test_teachers_have_to_be_others_and_the_same_when_a_run_goes_on(
    tmp_path: Path, shared_models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, model, out = votes(tmp_path / "votes.parquet"), shared_models / "stories-260k", tmp_path / "run"
    distil = ("--objective", "AlignDistil")
    assert align(data, model, tmp_path / "alone", *distil) == 1
    assert "nothing to learn from itself" in capsys.readouterr().err
    two = f'["{model}","{model}"]'
    assert align(data, model, tmp_path / "tdpo", "--objective", "TDPO", "--teachers", two) == 1
    assert "TDPO compares distributions with one model at most" in capsys.readouterr().err
    assert align(data, model, tmp_path / "dpo", "--objective", "dpo", "--training.learning_rate", "0.002") == 0
    other = tmp_path / "dpo" / "model"
    assert align(data, model, out, *distil, "--teachers", f'["{other}","{model}"]') == 0
    assert align(data, model, out, *distil, "--teachers", f'["{model}","{other}"]') == 1
    assert "is of a training with other data" in capsys.readouterr().err
