import math
import re

import pytest

from llull.evaluate import Estimate, ReliabilityBin
from llull.report.plots import Mark, Row, dot_plot, reliability_plot


def plot(*marks, series=("one",)):
    return dot_plot(
        [Row("row", "note", marks)],
        series=series,
        reference=0.0,
        reference_name="nothing",
        tick=lambda x: f"{x:g}",
        described="a plot",
        axis="axis",
    )


def test_series_differ_by_shape_and_are_named():
    drawn = plot(Mark(0, 1, 0, 2), Mark(1, 1, 0, 2), Mark(2, 1, 0, 2), Mark(3, 1, 0, 2), series=("a", "b", "c", "d"))
    assert {"dot s0", "dot s1 open", "dot s2", "dot s3 open"} <= set(re.findall(r'class="(dot[^"]*)"', drawn))
    assert re.findall(r"</svg>(\w)</li>", drawn) == ["a", "b", "c", "d"]


def test_one_series_needs_no_legend():
    assert "legend" not in plot(Mark(0, 1, 0, 2))


@pytest.mark.parametrize("scale", [1e-4, 0.03, 1, 7, 2500])
def test_everything_lies_within_the_area_and_ticks_are_few(scale):
    drawn = plot(Mark(0, 0.4 * scale, -0.3 * scale, 1.1 * scale))
    places = [float(x) for x in re.findall(r'(?:x1|x2|cx)="([-\d.]+)%"', drawn)]
    assert all(0 <= place <= 100 for place in places)
    assert 3 <= drawn.count('class="tick"') <= 7


def test_a_value_without_interval_is_a_dot_alone():
    drawn = plot(Mark(0, 1.0, math.nan, math.nan))
    assert drawn.count("<circle") == 1
    assert "interval" not in drawn
    assert "nan" not in drawn


def test_rows_all_equal_to_the_reference_can_be_drawn():
    assert "nan" not in plot(Mark(0, 0.0, 0.0, 0.0))


def found(confidence, right, clusters):
    low = math.floor(confidence * 20) / 20
    return ReliabilityBin(
        low, low + 0.05, confidence, Estimate(right, right - 0.1, right + 0.1, 0.05, clusters, clusters)
    )


def test_reliability_leaves_out_stretches_with_few_contexts():
    drawn = reliability_plot([found(0.52, 0.5, 300), found(0.72, 0.7, 100), found(0.97, 0.2, 3)], "described")
    assert drawn.count("<circle") == 2
    assert drawn.count('class="interval') == 2
    x = [float(value) for value in re.findall(r'<circle cx="([\d.]+)%"', drawn)]
    assert x == pytest.approx([4.0, 44.0])


def test_reliability_of_few_contexts_shows_all_stretches():
    drawn = reliability_plot([found(0.52, 0.5, 9), found(0.72, 0.7, 8)], "described")
    assert drawn.count("<circle") == 2
    assert "in the table only" not in drawn


def test_reliability_of_nothing_is_an_empty_plot():
    assert reliability_plot([], "described").count("<circle") == 0
