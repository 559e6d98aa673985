"""The sections of a report, each a function from the report to markup, or to None where it has nothing to say."""
