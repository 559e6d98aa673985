"""``import llull`` is quick and brings in nothing heavy; what it offers comes when it is asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

import llull


def imported_with(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_llull_imports_no_heavy_library():
    modules = imported_with("import llull")
    assert "llull" in modules
    assert not modules & {"torch", "datasets", "numpy", "pyarrow", "transformers", "rich", "llull.judgments"}


def test_reading_imports_no_torch():
    modules = imported_with("import llull\nllull.read")
    assert "llull.judgments.reading" in modules
    assert "torch" not in modules


def test_every_name_that_llull_offers_is_there():
    from llull.judgments import Judgment, Preferences, read, write

    assert (llull.Judgment, llull.Preferences, llull.read, llull.write) == (Judgment, Preferences, read, write)
    assert set(llull.__all__) <= set(dir(llull))
    assert llull.judgments.Preferences is Preferences


def test_a_name_that_llull_lacks_is_an_attribute_error():
    with pytest.raises(AttributeError, match="llull has no 'reed'"):
        _ = llull.reed  # pyright: ignore[reportAttributeAccessIssue]
