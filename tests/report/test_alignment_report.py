import itertools
import math
import re
from dataclasses import replace

import pytest
from sample_alignment import HOSTILE, about, alone, certain, failing, healthy, little
from strict_page import Strict

from llull.report.alignment import render_alignment, write_alignment_report
from llull.report.alignment_content import difference
from llull.report.alignment_sections.warnings import found_warnings
from llull.report.line_plots import Line, condensed, line_plot


def words(report) -> str:
    """All the text of a page, without its tags."""
    page = re.sub(r"<style>.*?</style>", "", render_alignment(report), flags=re.S)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", page))


def headline(report) -> str:
    page = render_alignment(report)
    return re.sub(r"<[^>]+>", "", page[page.index('class="headline"') :].split("</section>")[0])


@pytest.mark.parametrize("make", [healthy, failing, little])
def test_the_page_is_well_formed_and_needs_nothing_from_elsewhere(make):
    html = render_alignment(make())
    assert "@import" not in html
    assert "url(" not in html
    assert "nan" not in words(make())
    for tag, attributes in Strict(html).elements:
        assert tag not in ("script", "link", "iframe", "img", "object", "base")
        assert not any(name.startswith("on") for name in attributes)
        assert attributes.get("href", "#").startswith("#")


@pytest.mark.parametrize("make", [healthy, failing, little])
def test_links_ids_and_headings_are_in_order(make):
    page = Strict(render_alignment(make()))
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = {attributes["href"][1:] for tag, attributes in page.elements if tag == "a"}
    assert links
    assert links <= set(ids)
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_hostile_text_is_shown_and_never_run():
    page = Strict(render_alignment(healthy()))
    for place in ("title", "h1", "pre", "li", "th"):
        assert any(HOSTILE in text for text in page.inside[place]), place
    assert any(HOSTILE in text for text in page.inside["div"])


def test_plots_and_tables_say_what_they_show():
    page = Strict(render_alignment(healthy()))
    plots = [attributes for tag, attributes in page.elements if tag == "svg" and attributes.get("role") == "img"]
    assert [plot["aria-label"].split(" over ")[0] for plot in plots] == ["Loss", "Ranking accuracy", "Margin", "Drift"]
    assert all("Best after 160" in plot["aria-label"] for plot in plots)
    assert len(page.inside["caption"]) == page.elements.count(("thead", {})) == 5
    assert all(caption.strip() for caption in page.inside["caption"])
    assert all(a.get("scope") in ("col", "row") for tag, a in page.elements if tag == "th")
    scrolled = [a for tag, a in page.elements if a.get("class") == "scroll"]
    assert all(a["tabindex"] == "0" and a["aria-label"] for a in scrolled)


def test_the_headline_says_what_was_gained_and_what_it_cost():
    said = headline(healthy())
    assert "64.2% (62.2 to 66.2%) of 400 held-out judgments rightly, from 50.0% before" in said
    assert "excludes no change: the policy ranks better (+14.2 points, +12.2 to +16.2)" in said
    assert "did not clearly become likelier or less likely (+0.020 nats per token" in said
    assert "3.40 nats per sample" in said
    assert "0.021 nats per token" in said
    assert "161.0 tokens" in said
    assert "after update 160 of 200" in said
    assert "no better accuracy in 2 evaluations" in said
    assert "Beware" not in said


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (about(0.6, 0.05), "excludes no change: the policy ranks better"),
        (about(0.54, 0.05), "includes no change"),
        (about(0.4, 0.05), "excludes no change: the policy ranks worse"),
        (alone(0.75), "too few contexts to tell whether this is a change"),
    ],
)
def test_a_change_is_told_only_where_the_interval_excludes_none(after, said):
    found = healthy()
    assert said in headline(replace(found, after={**found.after, "accuracy": after}))


def test_a_change_taken_judgment_by_judgment_is_preferred_to_bounds():
    found = healthy()
    both = {"before": {"accuracy": about(0.6, 0.03)}, "after": {"accuracy": about(0.63, 0.03)}}
    assert "includes no change" in headline(replace(found, **both))
    assert "wider than need be" in headline(replace(found, **both))
    paired = replace(found, **both, changes={"accuracy": about(0.03, 0.01)})
    assert "excludes no change: the policy ranks better (+3.0 points, +2.0 to +4.0)" in headline(paired)


def test_bounds_on_a_change_hold_for_any_dependence():
    before, after = about(0.5, 0.03), about(0.6, 0.05)
    found = difference(before, after)
    assert found.value == pytest.approx(0.1)
    # The worst case is full opposition, in which errors add up.
    assert (found.low, found.high) == pytest.approx((0.1 - 0.08, 0.1 + 0.08))
    assert found.error == pytest.approx(before.error + after.error)
    assert difference(certain(0.5), after).high - difference(certain(0.5), after).low == pytest.approx(0.1)
    assert math.isnan(difference(alone(0.5), after).low)


def test_nothing_is_warned_of_in_a_healthy_alignment():
    assert found_warnings(healthy()) == []
    said = words(healthy())
    assert "Looked for and not seen: no clear learning, likelihood displacement, a taste for length" in said
    assert "Could not be looked for" not in said


ALL_WARNINGS = {
    "no clear learning": {"accuracy": about(0.505)},
    "likelihood displacement": {"chosen_log_prob": about(-1.9)},
    "a taste for length": {"longer_preferred": about(0.81)},
}


@pytest.mark.parametrize("name", ALL_WARNINGS)
def test_each_failure_on_judgments_is_warned_of_alone(name):
    found = healthy()
    report = replace(found, after={**found.after, **ALL_WARNINGS[name]})
    assert [warning.name for warning in found_warnings(report)] == [name]
    assert f"Beware: {name}; see below" in headline(report)


@pytest.mark.parametrize(
    ("name", "measured"),
    [
        ("far from the reference", {"kl": (certain(0.0), about(42.0, 3.0))}),
        ("less diversity", {"distinct_bigrams": (about(0.7), about(0.4))}),
    ],
)
def test_each_failure_on_samples_is_warned_of_alone(name, measured):
    found = healthy()
    report = replace(found, generation={**found.generation, **measured})
    assert [warning.name for warning in found_warnings(report)] == [name]


def test_small_or_uncertain_changes_are_not_warned_of():
    found = healthy()
    mild = {"longer_preferred": about(0.58), "chosen_log_prob": about(-1.55, 0.05)}
    assert found_warnings(replace(found, after={**found.after, **mild})) == []
    wide = {"longer_preferred": about(0.7, 0.3), "chosen_log_prob": alone(-3.0)}
    assert found_warnings(replace(found, after={**found.after, **wide})) == []


def test_what_was_not_measured_is_said_to_be_unknown():
    said = words(little())
    assert "No decided judgments were held out" in said
    assert "(KL) was not measured" in said
    assert "Could not be looked for, as nothing was measured: no clear learning" in said
    assert "Looked for and not seen" not in said
    assert "Nothing was cut or left out." in said


def test_every_metric_is_in_the_tables_with_its_meaning():
    report = healthy()
    page = Strict(render_alignment(report))
    heads = page.inside["th"]
    for name in ("accuracy", "likelihood accuracy", "margin", "chosen drift", "KL per sample", "distinct bigrams"):
        assert name in heads
    assert any("accuracy: share ranked <rightly>" in item for item in page.inside["li"])


def test_samples_stand_side_by_side_before_first():
    html = render_alignment(healthy())
    assert html.count('class="beside"') == len(healthy().samples)
    beside = html.split('class="beside"')[1]
    assert beside.index("there was a dog.") < beside.index("there was a happy dog.")
    assert "(empty)" in html


def test_curves_without_held_out_judgments_are_of_training_alone():
    report = replace(healthy(), before={}, after={}, evaluations=[], best=None)
    said = words(report)
    assert "these are judgments that were learned from" in said
    assert "Drift" not in said
    assert 'class="best"' not in render_alignment(report)


def test_condensing_keeps_the_mean_and_no_more_than_so_many_points():
    points = [(float(i), math.sin(i)) for i in range(240)]
    found = condensed(points, 60)
    assert len(found) == 60
    assert sum(y for _, y in found) / 60 == pytest.approx(sum(y for _, y in points) / 240)
    assert condensed([(0.0, 1.0), (1.0, math.nan), (2.0, 3.0)]) == [(0.0, 1.0), (2.0, 3.0)]


def drawn_line(points, **more):
    given = {"best": None, "level": None, "tick": "{:g}".format, "caption": "c", "end": 10.0, **more}
    return line_plot("title", [Line("one", points, 0)], **given)


@pytest.mark.parametrize("size", [1e-4, 0.3, 1, 4000])
def test_lines_lie_within_the_area_and_larger_is_higher(size):
    drawn = drawn_line([(0.0, -0.4 * size), (5.0, 1.1 * size), (10.0, 0.2 * size)], level=0.0, best=5.0)
    heights = [float(y) for y in re.findall(r'cy="([-\d.]+)%"', drawn)]
    assert len(heights) == 3
    assert heights[1] < heights[2] < heights[0]
    assert all(0 <= place <= 100 for place in (float(x) for x in re.findall(r'="([-\d.]+)%"', drawn)))
    assert re.search(r'x1="50.00%" x2="50.00%"[^>]*class="best"', drawn)


def test_a_line_of_one_point_is_a_dot_and_of_none_is_nothing():
    assert "<path" not in drawn_line([(0.0, 1.0)])
    assert drawn_line([(0.0, 1.0)]).count("<circle") == 1
    assert drawn_line([(0.0, math.nan)]) is None


def test_writing_makes_the_folder_and_leaves_only_the_page(tmp_path):
    path = write_alignment_report(tmp_path / "runs" / "a" / "report.html", healthy())
    assert [entry.name for entry in path.parent.iterdir()] == ["report.html"]
    assert path.read_text(encoding="utf-8") == render_alignment(healthy())
