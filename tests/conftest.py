"""What every test may ask for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real preference data sets; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("LLULL_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"the real data sets are not at {folder} (set LLULL_DATA to where they are)")
    return folder


@pytest.fixture(scope="session")
def shared_models() -> Path:
    """The folder of tiny pretrained language models; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("LLULL_MODELS", ROOT.parent / "shared" / "models"))
    if not folder.is_dir():
        pytest.skip(f"the pretrained models are not at {folder} (set LLULL_MODELS to where they are)")
    return folder
