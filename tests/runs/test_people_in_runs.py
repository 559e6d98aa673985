"""Communities in the report of ``llull fit``, and the page of ``llull compare``, where tastes are opposed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from llull.cli import main
from llull.judgments.simulate import demo
from llull.report.people_content import PeopleFound


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return demo().save(tmp_path_factory.mktemp("people") / "demo.parquet")


@pytest.fixture(scope="module")
def fitted(data: Path) -> Path:
    out = data.parent / "fit"
    options = ["--model.features", "TextStatistics", "--model.population", "Mixture", "--learning", "false"]
    assert main(["fit", str(data), *options, "--folds", "2", "--out", str(out)]) == 0
    return out


def test_the_report_of_a_mixture_has_its_communities(fitted: Path) -> None:
    page = (fitted / "report.html").read_text(encoding="utf-8")
    sections = re.findall(r'<section id="([^"]+)"', page)
    assert {"communities", "disagreement"} <= set(sections)
    found = PeopleFound.from_dict(json.loads((fitted / "metrics.json").read_text(encoding="utf-8"))["people"])
    assert found.communities is not None
    assert len(found.communities.communities) == 2
    assert found.communities.communities[0].name in page


def test_a_report_written_again_shows_the_same_people(fitted: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.html"
    assert main(["report", str(fitted), "--out", str(again)]) == 0
    assert again.read_text(encoding="utf-8") == (fitted / "report.html").read_text(encoding="utf-8")


def test_compare_writes_a_page_that_says_which_to_take(data: Path, tmp_path: Path, capsys) -> None:
    options = ["--features", "TextStatistics", "--folds", "2", "--models", "shared,per-group"]
    assert main(["compare", str(data), *options, "--out", str(tmp_path)]) == 0
    page = (tmp_path / "compare.html").read_text(encoding="utf-8")
    assert "compare.html" in capsys.readouterr().out.replace("\n", "")
    assert "Take per-group: " in page
    assert "Per-group beats shared by" in page
    assert "Do people want different things?" in page
