"""Samples on disk: what is stored comes back as it was, or not at all."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llull.errors import InputError
from llull.language.sampling import Sample, SampleCache, Sampler, Settings
from llull.language.sampling.sampler import Request

FULL = Sample(
    "Ÿes.\n",
    "stop",
    ids=np.array([3, 1], np.int32),
    model_log_probs=np.array([-0.1, -2.5], np.float32),
    sampling_log_probs=np.array([0.0, -np.inf], np.float32),
)
BARE = Sample("", "length")


def test_what_is_stored_comes_back(tmp_path: Path) -> None:
    with SampleCache(tmp_path) as cache:
        cache.put("m", [(b"1", FULL), (b"2", BARE)])
        cache.put("other", [(b"1", BARE)])
    with SampleCache(tmp_path) as cache:
        found = cache.get("m", [b"1", b"2", b"3"], log_probs=False)
        assert set(found) == {b"1", b"2"}
        assert (found[b"1"].text, found[b"1"].finish) == (FULL.text, "stop")
        for name in ("ids", "model_log_probs", "sampling_log_probs"):
            stored = getattr(found[b"1"], name)
            assert stored.dtype == getattr(FULL, name).dtype
            np.testing.assert_array_equal(stored, getattr(FULL, name))
        assert (found[b"2"].ids, found[b"2"].model_log_probs) == (None, None)
        assert set(cache.get("m", [b"1", b"2"])) == {b"1"}
        assert (cache.count("m"), cache.count("other"), cache.count("none")) == (2, 1, 0)


def test_many_keys_are_found(tmp_path: Path) -> None:
    keys = [str(number).encode() for number in range(1201)]
    with SampleCache(tmp_path) as cache:
        cache.put("m", [(key, Sample(key.decode(), "stop")) for key in keys])
        found = cache.get("m", keys, log_probs=False)
    assert [found[key].text for key in keys] == [key.decode() for key in keys]


@pytest.mark.parametrize("column", ["text", "finish", "ids", "sampling_log_probs"])
def test_damaged_samples_are_not_there(tmp_path: Path, column: str) -> None:
    with SampleCache(tmp_path) as cache:
        cache.put("m", [(b"1", FULL)])
    other: Any = "other" if column in ("text", "finish") else b"\0\0\0\0\0\0\0\0"
    with sqlite3.connect(tmp_path / "samples.sqlite") as database:
        database.execute(f"UPDATE samples SET {column} = ?", (other,))
    with SampleCache(tmp_path) as cache:
        assert not cache.get("m", [b"1"])


def test_a_file_that_is_no_cache_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "samples.sqlite").write_bytes(b"something else, and long enough to be a header of a database" * 20)
    with pytest.raises(InputError, match="cannot be opened"):
        SampleCache(tmp_path)


class Echo(Sampler):
    """Gives each request's own description, and counts."""

    def __init__(self, cache: SampleCache) -> None:
        super().__init__(cache)
        self.drawn = 0

    @property
    def source(self) -> str:
        return "echo"

    def prepare(self, prompts: Sequence[Any]) -> list[tuple[Any, bytes]]:
        return [(prompt, str(prompt).encode()) for prompt in prompts]

    def draw(self, requests: Sequence[Request], settings: Settings) -> Iterator[list[tuple[int, Sample]]]:
        for at, one in reversed(list(enumerate(requests))):
            self.drawn += 1
            text = f"{one.prompt} {one.occurrence} {one.number} {settings.temperature} {settings.stop}"
            values = np.zeros(1, np.float32) if settings.log_probs else None
            yield [(at, Sample(text, "stop", model_log_probs=values))]


def test_each_setting_but_the_number_of_samples_asks_anew(tmp_path: Path) -> None:
    with SampleCache(tmp_path) as cache:
        echo = Echo(cache)
        prompts: list[Any] = ["a", "b", "a"]
        first = echo.sample(prompts, Settings(n=2))
        assert [[sample.text[:5] for sample in of_prompt] for of_prompt in first] == [
            ["a 0 0", "a 0 1"],
            ["b 0 0", "b 0 1"],
            ["a 1 0", "a 1 1"],
        ]
        assert echo.drawn == 6
        echo.sample(prompts[::-1], Settings(n=2))
        echo.sample(prompts, Settings(n=1, log_probs=False))
        assert echo.drawn == 6
        others = [
            Settings(temperature=0.5),
            Settings(top_p=0.5),
            Settings(top_k=5),
            Settings(min_p=0.5),
            Settings(stop=("a",)),
            Settings(seed=1),
            Settings(max_tokens=5),
        ]
        for count, settings in enumerate(others, 1):
            echo.sample(["a"], settings)
            assert echo.drawn == 6 + count


def test_samples_without_log_probabilities_do_not_serve_who_wants_them(tmp_path: Path) -> None:
    with SampleCache(tmp_path) as cache:
        echo = Echo(cache)
        echo.sample(["a"], Settings(log_probs=False))
        echo.sample(["a"], Settings())
        assert echo.drawn == 2
        (sample,) = echo.sample(["a"], Settings())[0]
        assert echo.drawn == 2
        assert sample.model_log_probs is not None


def test_a_sample_is_an_option() -> None:
    option = FULL.option(source="model-a")
    assert (option.text, option.source, option.messages[0].role) == (FULL.text, "model-a", "assistant")
