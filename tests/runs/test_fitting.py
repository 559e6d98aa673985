"""The main job, from votes to a run folder, and what can be done with the folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from llull.cli import main
from llull.errors import InputError
from llull.judgments import Judgment, Preferences, named_option
from llull.judgments.simulate import demo
from llull.models import load_model
from llull.report import Report
from llull.runs.content import load_report
from llull.runs.folder import RunFolder


@pytest.fixture(scope="module")
def votes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return demo(seed=0).save(tmp_path_factory.mktemp("votes") / "votes.parquet")


def words(votes: Path, out: Path, *more: str) -> list[str]:
    features = ["--model.features", "TextStatistics", "--learning", "false", "--folds", "3"]
    return ["fit", str(votes), "--groups", "community", "--out", str(out), *features, *more]


@pytest.fixture(scope="module")
def run(votes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "one"
    assert main(words(votes, out)) == 0
    return out


def accuracy(metrics: dict, model: int, name: str) -> float:
    return next(s for s in metrics["models"][model]["slices"] if s["name"] == name)["scores"]["accuracy"]["value"]


def test_the_folder_holds_everything(run: Path):
    names = {path.name for path in run.iterdir()}
    assert {"config.yaml", "environment.json", "metrics.json", "model", "report.html", "rejects.jsonl"} <= names
    assert yaml.safe_load((run / "config.yaml").read_text())["groups"] == "community"
    page = (run / "report.html").read_text()
    assert "llull fit" in page
    assert json.loads((run / "environment.json").read_text())["data_fingerprint"] in page


def test_opposed_communities_need_a_model_each(run: Path):
    metrics = json.loads((run / "metrics.json").read_text())
    for community in ("careful", "direct"):
        assert accuracy(metrics, 0, community) > accuracy(metrics, 1, community) + 0.05


def test_the_same_configuration_gives_the_same_numbers(run: Path, tmp_path: Path):
    assert main(["fit", "--config", str(run / "config.yaml"), "--out", str(tmp_path / "again")]) == 0
    first, again = ((folder / "metrics.json").read_text() for folder in (run, tmp_path / "again"))
    assert first == again
    assert (tmp_path / "again" / "model" / "arrays.safetensors").read_bytes() == (
        run / "model" / "arrays.safetensors"
    ).read_bytes()


def test_the_report_can_be_written_again_from_the_folder(run: Path, tmp_path: Path):
    assert main(["report", str(run), "--out", str(tmp_path / "again.html")]) == 0
    assert (tmp_path / "again.html").read_text() == (run / "report.html").read_text()


def test_a_report_of_data_that_changed_is_refused(votes: Path, tmp_path: Path):
    own = Preferences.load(votes).save(tmp_path / "own.parquet")
    assert main(words(own, tmp_path / "run")) == 0
    assert isinstance(load_report(RunFolder(tmp_path / "run")), Report)
    Preferences.load(votes).select(range(100)).save(own)
    with pytest.raises(InputError, match="have changed since"):
        load_report(RunFolder(tmp_path / "run"))


@pytest.mark.parametrize("how", ["temperature", "isotonic"])
def test_predictions_come_true_on_the_judgments_they_are_calibrated_on(run: Path, votes: Path, tmp_path: Path, how):
    """As often as a pair's winner is preferred, so high are the probabilities on average, weighted by log-odds."""
    found = []
    for name, more in (("plain", []), ("right", ["--calibrate_on", str(votes), "--calibrate", how])):
        out = tmp_path / f"{name}.jsonl"
        assert main(["predict", str(run), str(votes), "--out", str(out), *more]) == 0
        found.append(np.array([json.loads(line)["prob_first"] for line in out.read_text().splitlines()]))
    plain, right = found
    # Winners stand first; a calibrated model is as surely right as it is sure.
    loss = [-np.log(np.clip(prob, 1e-6, 1)).mean() for prob in (plain, right)]
    assert loss[1] <= loss[0] + 1e-6
    order = np.argsort(plain)
    assert (np.diff(right[order]) >= -1e-6).all()


def test_predictions_are_those_of_the_saved_model(run: Path, votes: Path, tmp_path: Path):
    out = tmp_path / "predictions.jsonl"
    assert main(["predict", str(run), str(votes), "--out", str(out)]) == 0
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    model = load_model(run / "model")
    pairs = model.pairs(Preferences.load(votes))
    assert len(lines) == len(pairs)
    np.testing.assert_allclose([line["prob_first"] for line in lines], model.prob(pairs), atol=1e-6)
    ids = pairs.options.ids
    assert [line["first"] for line in lines] == [ids[i] for i in pairs.winner]


def test_evaluating_on_the_data_of_the_fit_says_so(
    run: Path, votes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(["evaluate", str(run), str(votes), "--out", str(tmp_path / "m.json")]) == 0
    assert "flatter" in capsys.readouterr().out
    metrics = json.loads((tmp_path / "m.json").read_text())
    assert metrics["slices"][0]["scores"]["accuracy"]["value"] > 0.5


def test_options_known_by_name_get_an_indicator_each(tmp_path: Path):
    rng = np.random.default_rng(0)
    strength = {"a": 1.5, "b": 0.0, "c": -1.5}
    votes = []
    for _ in range(600):
        x, y = rng.choice(list(strength), 2, replace=False)
        wins = rng.random() < 1 / (1 + np.exp(strength[y] - strength[x]))
        votes.append(Judgment([named_option(x), named_option(y)], ranking=[[0], [1]] if wins else [[1], [0]]))
    path = Preferences.from_judgments(votes).save(tmp_path / "battles.parquet")
    assert main(["fit", str(path), "--out", str(tmp_path / "run"), "--learning", "false"]) == 0
    model = load_model(tmp_path / "run" / "model")
    found = dict(zip(model.names_, model.coef_, strict=True))
    assert found["a"] > found["b"] > found["c"]
    rows = json.loads((tmp_path / "run" / "metrics.json").read_text())["coefficients"]
    assert {row["feature"]: row["coefficient"] for row in rows} == pytest.approx(found)
    assert "What drives preferences" in (tmp_path / "run" / "report.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["fit", "absent.csv"], "absent.csv: there is no such file"),
        (["report", "absent"], "absent: there is no such folder"),
        (["predict", "absent", "x.csv"], "absent"),
    ],
)
def test_bad_input_is_one_line(arguments: list[str], said: str, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_data_that_only_rate_say_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    from llull.judgments import Rating

    rated = [Judgment([named_option("a")], verdict="rated", ratings=[Rating(0, "fun", 1.0)], annotator="x")]
    path = Preferences.from_judgments(rated).save(tmp_path / "rated.parquet")
    assert main(["fit", str(path), "--out", str(tmp_path / "run")]) == 1
    assert "--rating" in capsys.readouterr().err
