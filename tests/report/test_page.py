import itertools
import re
from dataclasses import replace

import pytest
from sample_report import bare, sample
from strict_page import Strict

from llull.report import Report, render, write_report
from llull.report.style import STYLE


@pytest.fixture(scope="module")
def report() -> Report:
    return sample()


@pytest.fixture(scope="module")
def page(report):
    return Strict(render(report))


def test_the_page_needs_nothing_from_elsewhere(report, page):
    html = render(report)
    assert "@import" not in html
    assert "url(" not in html
    for tag, attributes in page.elements:
        assert tag not in ("script", "link", "iframe", "img", "object", "base")
        assert not any(name.startswith("on") for name in attributes)
        assert "src" not in attributes
        if "href" in attributes:
            assert attributes["href"].startswith("#")


def test_hostile_text_is_shown_and_never_run(report, page):
    assert "<script" not in render(report)
    assert not [tag for tag, _ in page.elements if tag in ("script", "img", "b") and _.get("onerror")]
    for place in ("title", "h1", "pre"):
        assert any('<script>alert("x")</script>' in text for text in page.inside[place]), place
    assert any("terse <b>" in text for text in page.inside["text"])


def test_every_link_leads_somewhere_and_every_id_is_unique(page):
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [attributes["href"][1:] for tag, attributes in page.elements if tag == "a"]
    assert len(links) == 9
    assert set(links) <= set(ids)


def test_headings_go_down_one_level_at_a_time(page):
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_plots_and_tables_say_what_they_show(page):
    plots = [attributes for tag, attributes in page.elements if tag == "svg" and attributes.get("role") == "img"]
    assert len(plots) == 4
    assert all(len(attributes["aria-label"]) > 20 for attributes in plots)
    tables = [tag for tag, _ in page.elements if tag == "table"]
    captions = page.inside["caption"]
    assert len(tables) == len(captions) > 8
    assert all(caption.strip() for caption in captions)
    assert all(a.get("scope") in ("col", "row") for tag, a in page.elements if tag == "th")


def test_the_page_says_how_wide_a_phone_is_and_which_language(page):
    metas = [attributes for tag, attributes in page.elements if tag == "meta"]
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in metas
    assert ("html", {"lang": "en"}) in page.elements


def luminance(color):
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_contrast_of_all_text_colors_in_light_dark_and_print():
    themes = re.findall(r":root \{(.*?)\}", STYLE, re.S)
    assert len(themes) == 3
    for theme in themes:
        colors = dict(re.findall(r"--(\w+): (#\w+)", theme))
        colors = {n: c if len(c) == 7 else "#" + "".join(2 * x for x in c[1:]) for n, c in colors.items()}
        for ink in ("ink", "quiet", "accent", "second", "third", "fourth"):
            for ground in ("paper", "panel"):
                high, low = sorted((luminance(colors[ink]), luminance(colors[ground])), reverse=True)
                assert (high + 0.05) / (low + 0.05) >= 4.5, (ink, ground)


def test_the_style_is_for_light_dark_phone_and_paper():
    for rule in ("prefers-color-scheme: dark", "@media print", "max-width: 34rem", ".scroll { overflow-x: auto"):
        assert rule in STYLE
    assert STYLE.count("{") == STYLE.count("}")


def test_a_report_of_little_is_a_page_too(report):
    page = Strict(render(bare(report)))
    assert "The data were not searched for problems." in " ".join(page.inside["p"])
    assert len([tag for tag, _ in page.elements if tag == "section"]) == 5


def test_writing_makes_the_folder_and_leaves_only_the_page(tmp_path, report):
    path = write_report(tmp_path / "runs" / "one" / "report.html", report)
    assert [entry.name for entry in path.parent.iterdir()] == ["report.html"]
    assert path.read_text(encoding="utf-8") == render(report)


def test_text_that_is_no_unicode_does_not_stop_the_report(tmp_path, report):
    path = write_report(tmp_path / "report.html", replace(bare(report), title="half a \ud83d pair"))
    assert "half a \\ud83d pair" in path.read_text(encoding="utf-8")
