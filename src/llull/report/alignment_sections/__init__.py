"""The sections of the report of an alignment, each a function of the whole report."""
