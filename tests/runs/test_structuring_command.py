"""``llull structure`` from the command line."""

from __future__ import annotations

import json
from pathlib import Path

from llull.cli import main
from llull.judgments.simulate import demo


def test_the_demo_is_read_and_what_was_found_is_written(tmp_path: Path, capsys) -> None:
    data = demo().save(tmp_path / "demo.parquet")
    words = ["structure", str(data), "--features", "TextStatistics", "--groups", "community", "--quick"]
    assert main([*words, "--out", str(tmp_path / "out")]) == 0
    assert "Do people want" in capsys.readouterr().out
    found = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert list(found) == ["heterogeneity", "disagreement", "transitivity", "protocols"]
    assert found["heterogeneity"]["spread_p"] <= 0.05
    assert "Do people want different things?" in found["heterogeneity"]["question"]
    assert "there are no ratings" in found["protocols"]["verdict"]


def test_without_a_folder_nothing_is_written(tmp_path: Path, monkeypatch) -> None:
    data = demo().save(tmp_path / "demo.parquet")
    monkeypatch.chdir(tmp_path)
    assert main(["structure", str(data), "--features", "TextStatistics", "--quick"]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["demo.parquet"]
