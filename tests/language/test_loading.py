"""Loading says nothing, leaves a program's own bars alone, and fails in one line."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from tiny_models import make_model
from transformers import AutoModelForCausalLM
from transformers.utils import logging

from llull.errors import InputError
from llull.language.loading import loaded, without_bars


@pytest.mark.parametrize("drawn", [True, False])
def test_bars_are_as_they_were_before(drawn: bool) -> None:
    before = logging.is_progress_bar_enabled()
    (logging.enable_progress_bar if drawn else logging.disable_progress_bar)()
    try:
        with suppress(KeyError), without_bars():
            assert not logging.is_progress_bar_enabled()
            raise KeyError
        assert logging.is_progress_bar_enabled() == drawn
    finally:
        (logging.enable_progress_bar if before else logging.disable_progress_bar)()


def test_loading_draws_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    make_model("llama").save_pretrained(tmp_path)
    before = logging.is_progress_bar_enabled()
    logging.enable_progress_bar()
    try:
        capfd.readouterr()
        AutoModelForCausalLM.from_pretrained(str(tmp_path))
        assert capfd.readouterr().err, "transformers by itself draws something, or this test shows nothing"
        model = loaded(AutoModelForCausalLM.from_pretrained, tmp_path, "model")
        assert capfd.readouterr() == ("", "")
        assert type(model).__name__ == "LlamaForCausalLM"
    finally:
        if not before:
            logging.disable_progress_bar()


def test_what_cannot_be_loaded_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no model could be loaded from there: ") as caught:
        loaded(AutoModelForCausalLM.from_pretrained, tmp_path, "model")
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)

    def fails(name: str) -> None:
        raise OSError

    with pytest.raises(InputError, match="OSError"):
        loaded(fails, "anything", "tokenizer")
