import re
from html import unescape

from sample_people import people
from sample_report import HOSTILE, sample
from strict_page import Strict

from llull.evaluate import compared
from llull.report import ComparedModel, ComparisonReport, write_comparison
from llull.report.comparison import render_comparison
from llull.report.people_content import Verdict


def text_of(markup):
    without = re.sub(r"<style>.*?</style>", " ", markup, flags=re.S)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", without)))


def on_contexts():
    evaluations = sample().evaluations[::-1]
    return ComparisonReport(
        f"Compared {HOSTILE}",
        [ComparedModel("shared", "one taste & no more", 1.25), ComparedModel("each <i>", "one for each <group>", 2.5)],
        "each <i>",
        ["each <i> beats shared by much", "no gain from <b>"],
        evaluations=evaluations,
        verdicts=[Verdict("Do people differ <i>?", "They do & how.")],
        reproduction=sample().reproduction,
    )


def on_people():
    return ComparisonReport(
        "On new people",
        [ComparedModel("mixture <i>", "a few tastes", 1.25), ComparedModel("shared", "one taste", 2.5)],
        "mixture <i>",
        ["no gain from shared"],
        adaptation=people().adaptation,
    )


def test_the_page_is_well_formed_self_contained_and_runs_nothing(tmp_path):
    for report in (on_contexts(), on_people()):
        path = write_comparison(tmp_path / "compare.html", report)
        page = Strict(path.read_text(encoding="utf-8"))
        assert not {"script", "img", "link", "iframe"} & {tag for tag, _ in page.elements}
        assert not [a for _, attributes in page.elements for a in attributes if a.startswith("on")]


def test_it_says_which_to_take_and_why_before_all_else():
    said = text_of(render_comparison(on_contexts()))
    place = said.index("Take each <i>: one for each <group>.")
    assert said.index("Each <i> beats shared by much.") > place
    assert said.index("No gain from <b>.") > place
    assert said.index("The models side by side", place) > said.index("No gain from <b>.")
    assert "They do & how." in said


def test_the_table_has_the_paired_difference_from_the_first():
    report = on_contexts()
    said = text_of(render_comparison(report))
    change = next(d.change for d in compared(report.evaluations).differences if d.metric == "accuracy" and not d.by)
    accuracy = report.evaluations[1].overall["accuracy"]
    assert (
        f"each <i> {100 * accuracy.value:.1f}% {100 * accuracy.low:.1f} to "
        f"{100 * accuracy.high:.1f}% +{100 * change.value:.1f} +{100 * change.low:.1f} to +{100 * change.high:.1f}"
    ) in said


def test_of_the_simplest_it_is_said_that_no_other_is_better():
    said = text_of(render_comparison(on_people()))
    assert "It is the simplest of them, and none of the others predicts surely better." in said
    assert "mixture <i> 52.0% 58.0% 61.0% 1.2" in said
    assert "12 new people held out" in said
    assert "mixture <i>: a few tastes" in said
