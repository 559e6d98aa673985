"""Reports: one self-contained page that says how good a preference model is, for whom, and why."""

from llull.report.comparison import ComparedModel, ComparisonReport, write_comparison
from llull.report.content import Report, Reproduction
from llull.report.page import render, write_report

__all__ = ["ComparedModel", "ComparisonReport", "Report", "Reproduction", "render", "write_comparison", "write_report"]
