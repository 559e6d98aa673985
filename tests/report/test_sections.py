import re
from dataclasses import replace
from html import unescape

import pytest
from sample_report import bare, sample

from llull.evaluate import compared, lead_over_rule
from llull.report import Report
from llull.report.sections import (
    calibration,
    data,
    drivers,
    examples,
    headline,
    judges,
    learning,
    problems,
    quality,
    reproduction,
)


@pytest.fixture(scope="module")
def report() -> Report:
    return sample()


def text_of(markup):
    """What a reader sees, with one space between pieces."""
    without = re.sub(r"<style>.*?</style>", " ", markup or "", flags=re.S)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", without)))


def cells(markup, row):
    """The cells of the first table row that begins with a text."""
    for found in re.findall(r"<tr>(.*?)</tr>", markup, re.S):
        values = [
            unescape(re.sub(r"<[^>]+>", "", cell)) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", found, re.S)
        ]
        if values[0] == row:
            return values
    raise AssertionError(f"no row {row}")


def test_headline_says_accuracy_with_interval_and_lead_over_the_best_rule(report):
    said = text_of(headline.section(report))
    accuracy = report.main.overall["accuracy"]
    assert f"{100 * accuracy.value:.1f}% of 1" in said
    assert f"({100 * accuracy.low:.1f} to {100 * accuracy.high:.1f}%)" in said
    rule, lead = lead_over_rule(report.main)
    assert f"“{rule}”" in said
    assert f"better by {100 * lead.value:.1f} points" in said


def test_headline_says_for_whom_one_model_is_not_enough(report):
    said = text_of(headline.section(report))
    change = next(d for d in compared(report.evaluations).differences if d.metric == "accuracy" and d.by == "")
    assert (
        f"better than the model “shared”, which reaches {100 * report.evaluations[1].overall['accuracy'].value:.1f}%"
        in said
    )
    assert f"+{-100 * change.change.value:.1f} points" in said
    assert "better for terse <b>" in said


def test_headline_of_the_worse_model_says_that_it_is_worse_and_no_better_than_a_coin(report):
    turned = replace(report, evaluations=report.evaluations[::-1])
    said = text_of(headline.section(turned))
    assert "worse than the model “each <i>”" in said
    assert "No better than a coin for community terse <b>" in said


def test_headline_trusts_probabilities_only_if_they_come_true(report):
    # Its mean confidence is far below its accuracy, though the calibration slope alone would pass.
    assert report.main.overall["overconfidence"].high < 0
    assert "less sure than it could be" in text_of(headline.section(report))


def test_quality_shows_the_numbers_of_the_evaluation(report):
    markup = quality.section(report)
    for part in report.main.slices:
        row = cells(markup, "All pairs" if part.by == "" else f"{part.by}: {part.name}")
        accuracy = part["accuracy"]
        assert row[1:4] == [str(part.n_pairs), str(part.n_contexts), f"{100 * accuracy.value:.1f}%"]
        assert row[4] == f"{100 * accuracy.low:.1f} to {100 * accuracy.high:.1f}%"
        assert row[5] == f"{part['log_loss'].value:.3f}"
    assert f"{report.main.overall.n_ties} of {report.main.overall.n_pairs} pairs are ties" in text_of(markup)


def test_quality_shows_differences_from_the_side_of_the_main_model(report):
    table = quality.section(report).split("Is one model enough?")[1]
    change = next(d for d in compared(report.evaluations).differences if d.metric == "accuracy" and d.by == "").change
    row = cells(table, "All pairs")
    assert row[1:4] == ["shared", "each <i>", f"+{-100 * change.value:.1f}"]
    assert row[4] == f"+{-100 * change.high:.1f} to +{-100 * change.low:.1f}"


def test_quality_shows_every_rule_and_leaves_out_those_that_cannot_tell(report):
    markup = quality.section(report)
    for rule, parts in report.main.baselines.items():
        row = cells(markup, rule)
        whole = parts[0]
        expected = f"{100 * whole['accuracy'].value:.1f}%" if whole.n_undecided < whole.n_pairs else "–"
        assert row[1] == expected
        assert row[-1] == f"{100 * whole.n_undecided / whole.n_pairs:.1f}%"


def test_dots_and_intervals_lie_where_the_numbers_say(report):
    markup = quality.section(report)
    svg = markup[markup.index('<svg role="img"') :]
    tick = {
        unescape(label): float(x)
        for x, label in re.findall(r'<text x="([\d.]+)%"[^>]*class="tick">([^<]*)</text>', svg.split("</svg>")[0] + svg)
    }
    (low, x_low), (high, x_high) = [(float(name.rstrip("%")) / 100, x) for name, x in tick.items()][:2]
    accuracy = report.main.overall["accuracy"]

    def place(value):
        return x_low + (value - low) / (high - low) * (x_high - x_low)

    dot = re.search(r'<circle cx="([\d.]+)%"', svg)
    line = re.search(r'<line x1="([\d.]+)%" x2="([\d.]+)%" [^>]*class="interval s0"', svg)
    assert float(dot[1]) == pytest.approx(place(accuracy.value), abs=0.02)
    assert float(line[1]) == pytest.approx(place(accuracy.low), abs=0.02)
    assert float(line[2]) == pytest.approx(place(accuracy.high), abs=0.02)


def test_calibration_shows_every_stretch(report):
    markup = calibration.section(report)
    for found in report.main.reliability:
        row = cells(markup, f"{100 * found.low:g}% to {100 * found.high:g}%")
        assert row[1] == f"{100 * found.confidence:.1f}%"
        assert row[2] == f"{100 * found.correct.value:.1f}%"
        assert row[4] == str(found.correct.n)
    assert f"calibration error is {100 * report.main.overall['ece'].value:.1f}%" in text_of(markup)


def test_drivers_show_described_features_largest_first_and_groups_side_by_side(report):
    markup = drivers.section(report)
    assert markup.index("reading ease") < markup.index("a &amp; b")
    assert "dim 3" not in markup
    assert "2 coefficients of features without a meaningful name are left out" in text_of(markup)
    assert cells(markup, "reading ease")[:3] == ["reading ease", "0.75 (0.65 to 0.85)", "0.75 (0.65 to 0.85)"]
    assert cells(markup, "Feature") == ["Feature", "terse <b>", "talkative", "What it measures"]
    assert cells(markup, "reading ease")[3] == "how easy"
    # A meaning that only repeats the name is not said twice.
    assert cells(markup, "a & b")[3] == ""


def test_examples_are_the_surest_right_the_surest_wrong_and_the_undecided(report):
    said = text_of(examples.section(report))
    seen = report.main.predictions
    decided = seen.prob[~seen.pairs.tie]
    order = ["Right, and sure of it", "Wrong, and sure of it", "Could not tell"]
    right, wrong, open_ = (said.index(title) for title in order)
    assert right < wrong < open_
    assert f"gave {100 * decided.max():.1f}%" in said[right:wrong]
    assert f"gave {100 * decided.min():.1f}%" in said[wrong:open_]
    assert said.count("The model gave") == 12
    assert "community: terse <b>" in said


def test_long_texts_are_folded_and_still_whole(report):
    markup = examples.section(report)
    folded = re.findall(r"<details>(.*?)</details>", markup, re.S)
    assert folded
    context, winner, _ = report.main.predictions.pairs.texts(0)
    assert len(context) > 360
    shown = [unescape(text) for text in re.findall(r'<div class="said">(.*?)</div>', markup, re.S)]
    assert any(text.count("and so on") == 90 for text in shown)
    assert winner


def test_no_context_is_shown_twice(report):
    contexts = re.findall(r"question (\d+) ", text_of(examples.section(report)))
    previews_and_wholes = {number: contexts.count(number) for number in contexts}
    assert len(previews_and_wholes) == 12


def test_learning_shows_means_and_ranges_over_seeds(report):
    markup = learning.section(report)
    for contexts, mean, low, high in report.learning.mean():
        row = cells(markup, f"{contexts}")
        assert row[1:3] == [f"{100 * mean:.1f}%", f"{100 * low:.1f} to {100 * high:.1f}%"]


def test_data_and_judges_show_the_description(report):
    found = report.description
    said = text_of(data.section(report))
    assert f"{found.judgments} judgments" in said.replace("judgments 180", "180 judgments")
    assert cells(data.section(report), "the longer option")[1] == f"{100 * found.longer_wins.share:.1f}%"
    assert cells(data.section(report), "votes<1>.jsonl") == ["votes<1>.jsonl", "plain", "181", "180", "1"]
    who = judges.section(report)
    assert cells(who, "human")[1] == "180"
    assert cells(who, "talkative")[1] == str(found.groups["community"]["talkative"])
    assert cells(who, "pairs")[3] == f"{100 * found.agreement.percent:.1f}%"
    assert cells(who, "ratings of clear")[2] == str(found.ratings["clear"].overlap.shared)


def test_problems_show_what_was_found_rejected_and_noted(report):
    said = text_of(problems.section(report))
    assert "means <little> 12 6.7%" in said
    assert "Rows that could not be read: 1" in said
    assert "votes<1>.jsonl, line 7" in said
    assert "a note & more votes<1>.jsonl 3" in said
    assert "No problem was found" in text_of(problems.section(replace(report, problems=[])))


def test_reproduction_shows_command_seed_data_and_versions(report):
    markup = reproduction.section(report)
    assert report.reproduction.command in text_of(markup)
    assert cells(markup, "seed")[1] == "17"
    assert cells(markup, "fingerprint of the data")[1] == "0123456789abcdef"
    assert cells(markup, "numpy")[1] == "2.0"
    assert "seed: 17" in text_of(markup)


def test_sections_without_content_are_left_out(report):
    for section in (drivers, learning, data, judges, reproduction):
        assert section.section(bare(report)) is None
