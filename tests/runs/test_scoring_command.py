"""Scores of options and reward models from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("peft")

from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: E402

from llull.align.policies import load_policy  # noqa: E402
from llull.align.reward_saving import load_reward_model  # noqa: E402
from llull.cli import main  # noqa: E402
from llull.judgments import Judgment, Preferences, prompt, text_option  # noqa: E402
from llull.judgments.simulate import demo  # noqa: E402
from llull.language.model import LanguageModel  # noqa: E402
from llull.runs.folder import BLOCKS  # noqa: E402
from llull.runs.scoring import agreement  # noqa: E402


@pytest.fixture(scope="module")
def stories(shared_models: Path) -> str:
    return str(shared_models / "stories-260k")


@pytest.fixture(scope="module")
def votes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    texts = ["She ran to the park.", "The cat was big.", "Tom saw a red ball and was very happy."]
    made = [
        Judgment(
            [text_option(texts[i], source=f"m{i}"), text_option(texts[j], source=f"m{j}")],
            prompt(f"Once upon a time, there was a {what}."),
            ranking=[[0], [1]] if i else [[0, 1]],
        )
        for what in ("dog", "girl", "bird")
        for i, j in ((0, 1), (1, 2), (2, 0))
    ]
    return Preferences.from_judgments(made).save(tmp_path_factory.mktemp("votes") / "votes.parquet")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLULL_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def run(stories: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    data = demo(seed=0).select(range(0, 2000, 20)).save(folder / "demo.parquet")
    words = ["--features.lora.rank", "2", "--features.batch_size", "16", "--features.max_tokens", "256"]
    out = folder / "one"
    assert main(["fit", str(data), "--features.lm", stories, *words, "--groups", "community", "--out", str(out)]) == 0
    return out


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def plain_log_prob(model: str, context: str, option: str) -> tuple[float, int]:
    tokenizer = AutoTokenizer.from_pretrained(model)
    causal = AutoModelForCausalLM.from_pretrained(model).eval()
    start = tokenizer(context)["input_ids"]
    # An option goes on where its context ends, without the space that begins a text.
    said = tokenizer(f"\n{option}", add_special_tokens=False)["input_ids"]
    said = [*said[len(tokenizer("\n", add_special_tokens=False)["input_ids"]) :], tokenizer.eos_token_id]
    with torch.no_grad():
        logits = causal(input_ids=torch.tensor([start + said])).logits[0].log_softmax(-1)
    at = range(len(start) - 1, len(start) + len(said) - 1)
    return sum(logits[i, token].item() for i, token in zip(at, said, strict=True)), len(said)


def test_a_policy_gives_log_probabilities(stories: str, votes: Path, tmp_path: Path, capsys: Any) -> None:
    assert main(["score", stories, str(votes), "--out", str(tmp_path / "s.jsonl")]) == 0
    found = lines(tmp_path / "s.jsonl")
    options = Preferences.load(votes).pairs().options
    assert [line["option"] for line in found] == options.ids
    assert [line["source"] for line in found] == options.sources
    assert len({line["context"] for line in found}) == 3
    expected, tokens = plain_log_prob(stories, options.contexts()[options.context[4]], options.texts()[4])
    assert found[4]["score"] == pytest.approx(expected, abs=1e-3)
    assert found[4]["tokens"] == tokens
    assert "log-probabilities of 9 options" in capsys.readouterr().out


def test_per_token_divides_by_tokens(stories: str, votes: Path, tmp_path: Path) -> None:
    for name, more in (("sum", []), ("mean", ["--per_token", "true"])):
        assert main(["score", stories, str(votes), "--out", str(tmp_path / name), *more]) == 0
    for whole, each in zip(lines(tmp_path / "sum"), lines(tmp_path / "mean"), strict=True):
        assert each["score"] == pytest.approx(whole["score"] / whole["tokens"], abs=1e-5)


def test_a_reference_gives_log_ratios(stories: str, votes: Path, tmp_path: Path) -> None:
    policy = load_policy(stories)
    with torch.no_grad():
        for parameter in policy.model.parameters():
            parameter.mul_(1.01)
    policy.model.model.save_pretrained(tmp_path / "moved")
    policy.tokenizer.save_pretrained(tmp_path / "moved")
    wanted = {"moved": [str(tmp_path / "moved")], "start": [stories], "ratio": [str(tmp_path / "moved")]}
    for name, words in wanted.items():
        more = ["--reference", stories] if name == "ratio" else []
        assert main(["score", *words, str(votes), "--out", str(tmp_path / f"{name}.jsonl"), *more]) == 0
    moved, start, ratio = ([line["score"] for line in lines(tmp_path / f"{name}.jsonl")] for name in wanted)
    np.testing.assert_allclose(ratio, np.array(moved) - np.array(start), atol=2e-6)
    assert np.abs(ratio).max() > 1e-2


def test_scores_that_are_known_are_not_computed_again(
    stories: str, votes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["score", stories, str(votes), "--out"]
    assert main([*words, str(tmp_path / "first")]) == 0

    def refuse(*_: Any) -> None:
        raise AssertionError("nothing is left to compute")

    monkeypatch.setattr(LanguageModel, "log_probs", refuse)
    assert main([*words, str(tmp_path / "again")]) == 0
    assert (tmp_path / "again").read_text() == (tmp_path / "first").read_text()


def test_a_run_of_fit_scores_and_says_how_often_they_agree(run: Path, votes: Path, tmp_path: Path, capsys: Any) -> None:
    assert main(["score", str(run), str(votes), "--out", str(tmp_path / "s.jsonl")]) == 0
    said = " ".join(capsys.readouterr().out.split())
    preferences = Preferences.load(votes)
    pairs = preferences.pairs()
    scores = np.array([line["score"] for line in lines(tmp_path / "s.jsonl")])
    decided = ~pairs.tie
    right = (scores[pairs.winner] > scores[pairs.loser])[decided].mean()
    assert "rewards of 9 options" in said
    assert f"in {right:.3f} (" in said
    assert f"of {decided.sum()} decided pairs" in said
    assert agreement(scores, pairs, preferences).value == pytest.approx(right)


def test_an_option_left_out_has_no_score(stories: str, votes: Path, tmp_path: Path) -> None:
    words = ["--limits.max_tokens", "24", "--limits.cut", "drop"]
    assert main(["score", stories, str(votes), "--out", str(tmp_path / "s"), *words]) == 0
    scores = [line["score"] for line in lines(tmp_path / "s")]
    assert None in scores
    assert any(score is not None for score in scores)


def test_a_reward_run_reports_like_any_other(run: Path, tmp_path: Path) -> None:
    names = {path.name for path in run.iterdir()}
    assert {"config.yaml", "environment.json", "metrics.json", "metrics.jsonl", "model", "report.html"} <= names
    found = json.loads((run / "metrics.json").read_text())["models"][0]
    accuracy = found["slices"][0]["scores"]["accuracy"]
    assert accuracy["low"] <= accuracy["value"] <= accuracy["high"]
    assert {"longest", "shortest"} <= set(found["baselines"])
    assert {part["name"] for part in found["slices"]} >= {"careful", "direct"}
    assert main(["report", str(run), "--out", str(tmp_path / "again.html")]) == 0
    assert (tmp_path / "again.html").read_text() == (run / "report.html").read_text()
    assert load_reward_model(run / "model").model.layout == "tree"
    assert (run / BLOCKS).exists()


def test_hidden_states_are_features_of_any_preference_model(stories: str, tmp_path: Path) -> None:
    data = demo(seed=0).select(range(0, 2000, 10)).save(tmp_path / "demo.parquet")
    words = ["--model.features", "HiddenStates", "--model.features.model", stories, "--learning", "false"]
    assert main(["fit", str(data), *words, "--folds", "2", "--out", str(tmp_path / "run")]) == 0
    assert main(["predict", str(tmp_path / "run"), str(data), "--out", str(tmp_path / "p.jsonl")]) == 0
    assert {line["prob_first"] > 0.5 for line in lines(tmp_path / "p.jsonl")} == {True, False}


@pytest.mark.slow
def test_a_population_above_a_model_that_learns_is_a_preference_model(stories: str, tmp_path: Path) -> None:
    data = demo(seed=0).select(range(0, 2000, 25)).save(tmp_path / "demo.parquet")
    words = ["--features.lora.rank", "2", "--features.batch_size", "16", "--features.max_tokens", "256"]
    out = tmp_path / "run"
    parts = ["--model.population", "Mixture", "--model.population.tastes", "2"]
    assert main(["fit", str(data), "--features.lm", stories, *words, *parts, "--out", str(out)]) == 0
    found = json.loads((out / "metrics.json").read_text())
    assert [each["model"].split(", ")[-1] for each in found["models"]] == ["end to end", "frozen"]
    assert main(["predict", str(out), str(data), "--out", str(tmp_path / "p.jsonl")]) == 0
    assert {line["prob_first"] > 0.5 for line in lines(tmp_path / "p.jsonl")} == {True, False}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["fit", "{votes}", "--features.lm", "{stories}", "--model.features", "OneHot"], "give one"),
        (
            ["fit", "{votes}", "--features.lm", "{stories}", "--features.head", "mlp", "--model.l2", "1"],
            "are of a reward model",
        ),
        (["score", "{run}", "{votes}", "--reference", "{stories}"], "is a reward model"),
        (["score", "{stories}", "{votes}", "--reference", "{run}"], "a reference is a language model"),
        (["score", "nowhere/at/all", "{votes}"], "nowhere/at/all"),
        (["predict", "{run}", "{votes}"], "llull score gives its rewards"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    words: list[str], said: str, stories: str, votes: Path, run: Path, tmp_path: Path, capsys: Any
) -> None:
    filled = [word.format(stories=stories, votes=votes, run=run) for word in words]
    assert main([*filled, "--out", str(tmp_path / "out")]) == 1
    fault = capsys.readouterr().err.strip().splitlines()[-1]
    assert said in fault
    assert fault.startswith("llull")
