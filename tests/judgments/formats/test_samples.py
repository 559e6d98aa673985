"""Answers drawn from a model, read as options that nobody has judged."""

import json

import pytest

import llull
from llull.errors import InputError


def row(samples, **more):
    context = [{"role": "user", "content": "Name a sea."}]
    return {"context_id": "c", "context": context, "source": "model-a", "samples": samples} | more


def write(path, *rows):
    path.write_text("".join(json.dumps(one) + "\n" for one in rows))
    return str(path)


def test_samples_become_options_without_a_verdict(tmp_path):
    drawn = [{"text": "Aral", "finish": "stop", "ids": [1, 2]}, {"text": "Black", "finish": "length"}]
    (judgment,) = llull.read(write(tmp_path / "s.jsonl", row(drawn)))
    assert [option.text for option in judgment.options] == ["Aral", "Black"]
    assert {option.source for option in judgment.options} == {"model-a"}
    assert (judgment.verdict, judgment.ranking) == ("cannot_judge", [])
    assert judgment.tags["samples"] == [{"finish": "stop"}, {"finish": "length"}]
    assert judgment.context[0].content == "Name a sea."


def test_a_row_without_texts_is_refused(tmp_path):
    with pytest.raises(InputError, match="samples"):
        llull.read(write(tmp_path / "s.jsonl", row([{"finish": "stop"}])), strict=True)
