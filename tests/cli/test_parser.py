"""Options, configuration files and their errors, on a small command made here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from llull.cli.parser import parse, resolved
from llull.runs.fitting import fit


@dataclass
class Penalty:
    """How much to shrink.

    Args:
        l2: strength.
    """

    l2: float | None = None


def command(data: list[str], penalty: Penalty = Penalty(), groups: str | None = None, seed: int = 0) -> None:  # noqa: B008
    """Do a thing.

    Args:
        data: files.
        penalty: how much to shrink.
        groups: key of the groups.
        seed: of all randomness.
    """


def test_positionals_and_nested_options():
    arguments = parse(command, "thing", ["a", "b", "--penalty.l2", "0.5", "--groups", "source"])
    assert arguments == {"data": ["a", "b"], "penalty": Penalty(0.5), "groups": "source", "seed": 0}


def test_options_may_come_before_positionals():
    assert parse(command, "thing", ["--seed", "3", "a", "b"])["data"] == ["a", "b"]


def test_configuration_file_gives_every_parameter_and_the_command_line_wins(tmp_path: Path):
    config = tmp_path / "x.yaml"
    config.write_text("data: [u, v]\npenalty:\n  l2: 3\nseed: 7\n")
    arguments = parse(command, "thing", ["--config", str(config), "--penalty.l2", "0.1"])
    assert arguments == {"data": ["u", "v"], "penalty": Penalty(0.1), "groups": None, "seed": 7}
    assert parse(command, "thing", ["w", "--config", str(config)])["data"] == ["w"]


def test_resolved_configuration_gives_the_same_arguments_again(tmp_path: Path):
    words = ["a", "--penalty.l2", "0.25", "--seed", "5"]
    config = tmp_path / "resolved.yaml"
    config.write_text(resolved(command, "thing", words))
    assert parse(command, "thing", ["--config", str(config)]) == parse(command, "thing", words)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["a", "--penalty.l3", "4"], "did you mean penalty.l2?"),
        (["a", "--sed", "4"], "did you mean seed?"),
        (["a", "--penalty.l2", "much"], "--penalty.l2 cannot be 'much'; it takes float"),
        ([], "say which DATA"),
    ],
)
def test_errors_are_one_line_that_names_the_way_out(words: list[str], said: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stop:
        parse(command, "thing", words)
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--model.link", "Davidson"], "--model.link cannot be 'Davidson'; did you mean DavidsonTies?"),
        (["--model.features", "SentenceEncoder", "--model.features.contxt", "with"], "did you mean context?"),
    ],
)
def test_classes_are_named_and_their_options_checked(words: list[str], said: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        parse(fit, "fit", ["a", *words])
    error = capsys.readouterr().err
    assert said in error
    assert error.startswith("llull fit: ")
    assert error.count("\n") == 1


def test_unknown_key_of_a_configuration_file_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    config = tmp_path / "x.yaml"
    config.write_text("data: [u]\npenatly:\n  l2: 3\n")
    with pytest.raises(SystemExit):
        parse(command, "thing", ["--config", str(config)])
    error = capsys.readouterr().err
    assert "did you mean penalty" in error
    assert error.count("\n") == 1


def test_print_config_keeps_what_the_file_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    config = tmp_path / "x.yaml"
    config.write_text("data: [u, v]\nseed: 7\n")
    with pytest.raises(SystemExit):
        parse(command, "thing", ["--config", str(config), "--penalty.l2", "2", "--print_config"])
    config.write_text(capsys.readouterr().out)
    again = parse(command, "thing", ["--config", str(config)])
    assert again == {"data": ["u", "v"], "penalty": Penalty(2.0), "groups": None, "seed": 7}


def test_options_are_not_abbreviated(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        parse(command, "thing", ["a", "--group", "x"])
    assert "did you mean groups?" in capsys.readouterr().err


def test_print_config(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stop:
        parse(command, "thing", ["a", "--print_config"])
    assert stop.value.code == 0
    assert "l2: null" in capsys.readouterr().out
