"""Samples from a server that is busy, slow, broken, or in good health."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from interrupted_sampling import PROMPTS, SETTINGS
from scripted_server import ScriptedServer, serving
from small_tokenizers import byte_level

from llull.cli import main
from llull.errors import InputError
from llull.judgments import Message, prompt
from llull.judgments.record import Media
from llull.language.sampling import Retry, Sample, SampleCache, ServerSampler, Settings
from llull.language.sampling.connections import Connections
from llull.language.sampling.posting import Poster, _requested_wait, address
from llull.language.templates import Template

QUICK = Retry(times=3, wait=0.01, longest=0.05)


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with serving() as made:
        yield made


def sampler(server: ScriptedServer, **options: Any) -> ServerSampler:
    return ServerSampler(server.url, "m", **{"retry": QUICK, **options})


def texts(samples: list[list[Sample]]) -> list[list[str]]:
    return [[sample.text for sample in of_prompt] for of_prompt in samples]


def test_answers_are_in_order_however_they_come(server: ScriptedServer) -> None:
    server.pause = 0.02
    seen: list[tuple[int, int]] = []
    found = sampler(server, concurrency=4).sample(PROMPTS, SETTINGS, progress=lambda *said: seen.append(said))
    for at, of_prompt in enumerate(found):
        assert [(sample.prompt, sample.number) for sample in of_prompt] == [(at, 0), (at, 1)]
        assert all(f"question {at} with" in sample.text for sample in of_prompt)
    assert 1 < server.most_at_once <= 4
    assert [done for done, _ in seen] == list(range(21))
    assert {total for _, total in seen} == {20}


def test_each_sample_has_a_seed_of_its_own_wherever_it_is_asked_for(server: ScriptedServer) -> None:
    found = texts(sampler(server).sample(PROMPTS, SETTINGS))
    assert len({request["seed"] for request in server.requests}) == 20
    assert texts(sampler(server, concurrency=1).sample(PROMPTS[::-1], SETTINGS))[::-1] == found
    assert texts(sampler(server).sample(PROMPTS[3:4], SETTINGS)) == found[3:4]
    twice = texts(sampler(server).sample([PROMPTS[3], PROMPTS[3]], SETTINGS))
    assert twice[0] == found[3]
    assert not set(twice[0]) & set(twice[1])


def test_what_is_asked_for_is_sent(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", "secret")
    asked = Settings(1, 7, 0.5, 0.9, 3, 0.1, ("\n", "END"), seed=4)
    made = sampler(server, key_variable="SOME_KEY", extra={"chat_template_kwargs": {"enable_thinking": False}})
    made.sample(PROMPTS[:1], asked)
    (request,), (headers,) = server.requests, server.headers
    expected = {"model": "m", "max_tokens": 7, "temperature": 0.5, "top_p": 0.9, "top_k": 3, "min_p": 0.1}
    assert {name: request[name] for name in expected} == expected
    assert (request["stop"], request["n"], request["logprobs"]) == (["\n", "END"], 1, True)
    assert request["chat_template_kwargs"] == {"enable_thinking": False}
    assert (request["path"], request["messages"]) == ("/v1/chat/completions", PROMPTS[0])
    assert headers["Authorization"] == "Bearer secret"
    sampler(server).sample(PROMPTS[:1], Settings(log_probs=False))
    assert not {"top_k", "min_p", "stop", "logprobs"} & set(server.requests[1])
    assert "Authorization" not in server.headers[1]


def test_ids_go_to_completions(server: ScriptedServer) -> None:
    ids = np.array([5, 6, 7])
    ((sample,),) = sampler(server).sample([ids], Settings())
    assert (server.requests[0]["path"], server.requests[0]["prompt"]) == ("/v1/completions", [5, 6, 7])
    words = len(sample.text.split())
    np.testing.assert_array_equal(sample.model_log_probs, -0.5 * (np.arange(words) + 1))
    template = Template(byte_level())
    sampler(server, template=template).sample(PROMPTS[:1], Settings())
    assert server.requests[1]["path"] == "/v1/completions"
    assert template.tokenizer.decode(server.requests[1]["prompt"]) == "question 0"


def test_log_probabilities_are_of_the_distribution_they_are_said_to_be_of(server: ScriptedServer) -> None:
    def kinds(settings: Settings, **options: Any) -> tuple[bool, bool]:
        ((sample,),) = sampler(server, **options).sample(PROMPTS[:1], settings)
        return sample.model_log_probs is not None, sample.sampling_log_probs is not None

    assert kinds(Settings()) == (True, True)
    assert kinds(Settings(temperature=0.5)) == (True, False)
    assert kinds(Settings(temperature=0.5), log_probs_of="sampling") == (False, True)
    assert kinds(Settings(log_probs=False)) == (False, False)
    ((sample,),) = sampler(server).sample(PROMPTS[:1], Settings(temperature=0))
    assert sample.sampling_log_probs is not None
    assert not sample.sampling_log_probs.any()


def test_several_choices_of_one_request_and_too_few_of_them(server: ScriptedServer) -> None:
    server.faults = ["few 1", "reversed"]
    made = sampler(server, choices=4, concurrency=1)
    (samples,) = made.sample(PROMPTS[:1], Settings(n=6))
    # One of four came; the other three were asked for again, then the last two.
    assert [request["n"] for request in server.requests] == [4, 3, 2]
    assert [sample.text.rsplit(" ", 1)[1] for sample in samples] == ["0", "0", "1", "2", "0", "1"]
    assert len({request["seed"] for request in server.requests}) == 3
    assert len({sample.text for sample in samples}) == 6


@pytest.mark.parametrize(
    "fault", ["429", "500", "503 0", "408", "garbled", "empty", "hangup", "slow 5", "finish null", "finish abort"]
)
def test_what_may_pass_is_tried_again(server: ScriptedServer, fault: str) -> None:
    expected = texts(sampler(server).sample(PROMPTS[:2], SETTINGS))
    server.requests.clear()
    server.faults = [fault, "ok", fault, fault]
    found = sampler(server, timeout=1.0 if "slow" in fault else 30.0, concurrency=2).sample(PROMPTS[:2], SETTINGS)
    assert texts(found) == expected
    # A machine may be so busy that a request in good health is slow too.
    assert len(server.requests) == 7 or ("slow" in fault and len(server.requests) > 7)


def test_the_server_s_own_wish_to_wait_is_granted(server: ScriptedServer) -> None:
    server.faults = ["429 0.3"]
    sampler(server).sample(PROMPTS[:1], Settings())
    assert server.times[1] - server.times[0] >= 0.3
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
    server.faults = [f"503 {later}"]
    sampler(server).sample(PROMPTS[:1], Settings())
    # Dates have whole seconds.
    assert server.times[3] - server.times[2] >= 0.7


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        (None, None),
        ("nan", None),
        ("inf", None),
        ("1e999", None),
        ("soon", None),
        ("", None),
        ("Mon, 99 Foo 2026 00:00:00 GMT", None),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", None),
        ("-5", 0.0),
        ("2.5", 2.5),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Wed, 21 Oct 2015 07:28:00 -0000", 0.0),
    ],
)
def test_a_wish_to_wait_is_a_number_or_a_date_or_nothing(said: str | None, seconds: float | None) -> None:
    assert _requested_wait(said) == seconds


@pytest.mark.parametrize("said", ["nan", "inf", "-3", "soon", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_a_wish_that_means_nothing_breaks_nothing(server: ScriptedServer, said: str) -> None:
    expected = texts(sampler(server).sample(PROMPTS[:1], Settings()))
    server.faults = [f"429 {said}"]
    assert texts(sampler(server).sample(PROMPTS[:1], Settings())) == expected
    assert len(server.requests) == 3


@pytest.mark.parametrize("said", ["86400", "1e300"])
def test_no_wish_to_wait_is_granted_for_longer_than_ten_minutes(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    poster = Poster(Connections("http://127.0.0.1:9/v1", 1.0), retry=QUICK)
    waits: list[float] = []
    monkeypatch.setattr(poster.stop, "wait", lambda wait: waits.append(wait) is not None)
    poster._pause(0, _requested_wait(said))
    assert waits == [600.0]


def test_waits_double_up_to_a_limit_with_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    poster = Poster(Connections("http://127.0.0.1:9/v1", 1.0), retry=Retry(6, 1.0, 10.0))
    waits: list[float] = []
    monkeypatch.setattr(poster.stop, "wait", lambda wait: waits.append(wait) is not None)
    for attempt in list(range(6)) * 50:
        poster._pause(attempt, None)
    found = np.array(waits).reshape(50, 6)
    middle = np.array([1, 2, 4, 8, 10, 10])
    assert ((found >= middle / 2) & (found <= middle * 1.5)).all()
    assert (found.std(0) > middle / 10).all()


def test_a_refusal_is_final_and_said_in_one_line_without_the_key(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_KEY", "secret")
    for status in (400, 401, 404, 422):
        server.requests.clear()
        server.faults = [str(status)]
        with pytest.raises(InputError, match=rf"the server refuses \({status}\): no: Bearer \(key\)$") as raised:
            sampler(server, key_variable="SOME_KEY").sample(PROMPTS[:1], Settings())
        assert "secret" not in str(raised.value)
        assert len(server.requests) == 1


def test_a_redirect_is_not_followed(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", "secret")
    with serving() as other:
        server.faults = [f"redirect {other.url}/v1/chat/completions"]
        with pytest.raises(InputError, match=r"the server refuses \(307\)"):
            sampler(server, key_variable="SOME_KEY").sample(PROMPTS[:1], Settings())
        assert not other.requests


def test_trying_ends_and_what_came_is_kept(server: ScriptedServer, tmp_path: Path) -> None:
    with SampleCache(tmp_path) as cache:
        made = sampler(server, concurrency=1, cache=cache)
        server.faults = ["ok", "ok", "ok", *["500"] * 100]
        with pytest.raises(InputError, match=r"no answer in 4 tries; at the last the server answered 500: no: None"):
            made.sample(PROMPTS, SETTINGS)
        assert cache.count(made.source) == 3
        assert len(server.requests) == 7
        server.faults = []
        found = made.sample(PROMPTS, SETTINGS)
        assert len(server.requests) == 7 + 17
        assert texts(found) == texts(sampler(server).sample(PROMPTS, SETTINGS))


def test_after_a_refusal_others_under_way_are_kept(server: ScriptedServer, tmp_path: Path) -> None:
    with SampleCache(tmp_path) as cache:
        made = sampler(server, concurrency=3, cache=cache)
        server.faults = ["slow 0.3", "slow 0.3", "refuse_the_last_of 3"]
        with pytest.raises(InputError, match="refuses"):
            made.sample(PROMPTS, SETTINGS)
        assert cache.count(made.source) == 2
        assert len(server.requests) == 3


def test_no_server_is_an_error_in_one_line(server: ScriptedServer) -> None:
    made = ServerSampler("http://127.0.0.1:9", "m", retry=Retry(1, 0.01))
    with pytest.raises(InputError, match=r"127.0.0.1:9/v1/chat/completions: no answer in 2 tries; .* not be reached"):
        made.sample(PROMPTS[:1], Settings())


def test_what_a_filter_withheld_is_told_apart(server: ScriptedServer, tmp_path: Path) -> None:
    with SampleCache(tmp_path) as cache:
        server.faults = ["finish content_filter", "finish length"]
        made = sampler(server, concurrency=1, cache=cache)
        (samples,) = made.sample(PROMPTS[:1], Settings(n=2))
        assert [sample.finish for sample in samples] == ["filtered", "length"]
        (again,) = made.sample(PROMPTS[:1], Settings(n=2))
        assert [sample.finish for sample in again] == ["filtered", "length"]
    assert len(server.requests) == 2


def test_a_server_without_log_probabilities_is_an_error_where_they_are_wanted(server: ScriptedServer) -> None:
    server.faults = ["silent"]
    with pytest.raises(InputError, match=r"gives no log-probabilities for m; ask for none \(log_probs=False\)"):
        sampler(server).sample(PROMPTS[:1], Settings())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"url": "localhost:8000"}, "give an address such as"),
        ({"url": "file:///etc/passwd"}, "give an address such as"),
        ({"url": "http://localhost:port"}, "give an address such as"),
        ({"max_requests": 0}, "max_requests is 0; give at least 1, or None"),
        ({"length_parameter": "most"}, "length_parameter='most' is not known; it is one of auto, max_tokens"),
        ({"concurrency": 0}, "at least 1 of each"),
        ({"choices": 0}, "at least 1 of each"),
        ({"key_variable": "NOT_SET_ANYWHERE"}, "NOT_SET_ANYWHERE is to hold the server's key, and is not set"),
    ],
)
def test_what_cannot_work_is_refused_at_once(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ServerSampler(**{"url": "http://localhost", "model": "m", **options})


def test_addresses_get_the_usual_path_only_without_one() -> None:
    assert address("http://h:1") == address("http://h:1/") == address("http://h:1/v1/") == "http://h:1/v1"
    assert address("https://h/api/v2") == "https://h/api/v2"


def test_connections_are_used_again(server: ScriptedServer) -> None:
    made = sampler(server, concurrency=3)
    for seed in range(3):
        made.sample(PROMPTS, Settings(n=2, seed=seed))
    assert len(server.requests) == 60
    assert server.connections <= 3
    # A refusal, too, leaves its connection as good as it was.
    server.faults = ["500", "400"]
    with pytest.raises(InputError, match="refuses"):
        made.sample(PROMPTS[:1], Settings(seed=9))
    assert server.connections <= 3


def test_the_environment_s_proxy_is_asked(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", server.url.replace("//", "//me:secret@"))
    ServerSampler("http://far.invalid/v1", "m", retry=QUICK).sample(PROMPTS[:1], Settings())
    assert server.requests[0]["path"] == "http://far.invalid/v1/chat/completions"
    assert server.headers[0]["Host"] == "far.invalid"
    assert server.headers[0]["Proxy-Authorization"] == "Basic bWU6c2VjcmV0"
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    sampler(server).sample(PROMPTS[:1], Settings())
    assert server.requests[1]["path"] == "/v1/chat/completions"


def test_a_connection_that_was_closed_while_idle_is_no_failure(server: ScriptedServer) -> None:
    made = sampler(server, concurrency=1, retry=Retry(times=0))
    server.faults = ["ok_and_close", "ok", "ok_and_close"]
    found = made.sample(PROMPTS, SETTINGS)
    assert texts(found) == texts(sampler(server).sample(PROMPTS, SETTINGS))
    assert server.connections >= 3


def test_a_budget_of_requests_ends_a_run_in_one_line(server: ScriptedServer, tmp_path: Path) -> None:
    with SampleCache(tmp_path) as cache:
        server.faults = ["ok", "ok", *["500"] * 100]
        made = sampler(server, concurrency=1, retry=Retry(times=50, wait=0.001), cache=cache, max_requests=7)
        with pytest.raises(InputError) as raised:
            made.sample(PROMPTS, SETTINGS)
        assert "all 7 requests that max_requests allows were sent; at the last the server answered 500" in str(
            raised.value
        )
        assert "\n" not in str(raised.value)
        assert len(server.requests) == 7
        assert cache.count(made.source) == 2
        # It is spent for the sampler, not for each call.
        with pytest.raises(InputError, match=r"max_requests allows were sent\. Allow more"):
            made.sample(PROMPTS, SETTINGS)
        assert len(server.requests) == 7
        server.faults = []
        assert len(sampler(server, cache=cache, max_requests=18).sample(PROMPTS, SETTINGS)) == len(PROMPTS)
        assert len(server.requests) == 7 + 18


def test_a_budget_holds_over_all_threads(server: ScriptedServer) -> None:
    with pytest.raises(InputError, match="max_requests"):
        sampler(server, concurrency=8, max_requests=13).sample(PROMPTS, SETTINGS)
    assert len(server.requests) == 13


def test_the_name_of_the_longest_answer_is_found_out(server: ScriptedServer) -> None:
    expected = texts(sampler(server).sample(PROMPTS, SETTINGS))
    assert all("max_completion_tokens" not in request for request in server.requests)
    server.requests.clear()
    server.knows_max_tokens = False
    assert texts(sampler(server, concurrency=1).sample(PROMPTS, SETTINGS)) == expected
    # One refusal, and from then on the other name.
    assert ["max_tokens" in request for request in server.requests] == [True] + [False] * 20
    assert {request.get("max_completion_tokens") for request in server.requests[1:]} == {20}
    server.requests.clear()
    sampler(server, length_parameter="max_completion_tokens").sample(PROMPTS[:1], Settings())
    sampler(server, extra={"max_completion_tokens": 3}).sample(PROMPTS[:1], Settings())
    assert ["max_tokens" in request for request in server.requests] == [False, False]
    assert server.requests[1]["max_completion_tokens"] == 3
    with pytest.raises(InputError, match=r"refuses \(400\): .*max_completion_tokens"):
        sampler(server, length_parameter="max_tokens").sample(PROMPTS[:1], Settings())
    sampler(server, length_parameter="max_completion_tokens").sample([np.array([5, 6])], Settings())
    assert server.requests[-1]["max_tokens"] == 256


@pytest.mark.parametrize("most", [None, 1, 2, 3])
def test_samples_do_not_depend_on_how_many_were_asked_for_before(
    server: ScriptedServer, tmp_path: Path, most: int | None
) -> None:
    """Whatever was asked for first, and however many choices the server gives at most, it is as if asked at once."""
    server.most_choices = most
    (at_once,) = texts(sampler(server, choices=4).sample(PROMPTS[:1], Settings(n=10)))
    assert len(set(at_once)) == 10
    for first in range(1, 10):
        with SampleCache(tmp_path / str(first)) as cache:
            made = sampler(server, choices=4, cache=cache)
            assert texts(made.sample(PROMPTS[:1], Settings(n=first))) == [at_once[:first]]
            assert texts(made.sample(PROMPTS[:1], Settings(n=10))) == [at_once]
            asked = len(server.requests)
            assert texts(made.sample(PROMPTS[:1], Settings(n=10))) == [at_once]
            assert len(server.requests) == asked


def test_messages_of_judgments_are_prompts(server: ScriptedServer, tmp_path: Path) -> None:
    said = prompt("question 0", system="Be brief.")
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "question 0"}]
    with SampleCache(tmp_path) as cache:
        found = sampler(server, cache=cache).sample([said], Settings())
        assert server.requests[0]["messages"] == turns
        assert texts(sampler(server, cache=cache).sample([turns], Settings())) == texts(found)
    assert len(server.requests) == 1
    template = Template(byte_level())
    for one in (said, turns):
        sampler(server, template=template).sample([one], Settings())
    assert server.requests[1]["prompt"] == server.requests[2]["prompt"]
    shown = [Message("user", "What is this?", [Media("image", "a.png")])]
    with pytest.raises(InputError, match=r"message of the user has media \(image\)"):
        sampler(server).sample([shown], Settings())


def test_an_empty_prompt_is_refused(server: ScriptedServer) -> None:
    with pytest.raises(InputError, match="prompt 0: give messages"):
        sampler(server).sample([[]], Settings())


def test_the_command_asks_a_server(
    server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LLULL_CACHE", str(tmp_path / "cache"))
    prompts, out = tmp_path / "prompts.txt", tmp_path / "samples.jsonl"
    prompts.write_text("first\nsecond\n", encoding="utf-8")
    words = ["--server", server.url, "--model", "m", "--n", "2", "--system", "Be brief.", "--out", str(out)]
    assert main(["sample", str(prompts), *words]) == 0
    made = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    for row, said in zip(made, ["first", "second"], strict=True):
        assert row["context"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": said}]
        assert row["source"] == "m"
        assert [f"answer to {said} with" in sample["text"] for sample in row["samples"]] == [True, True]
    server.faults = ["400"]
    assert main(["sample", str(prompts), *words, "--seed", "1"]) == 1
    assert "the server refuses (400)" in capsys.readouterr().err


def test_a_killed_run_goes_on_where_it_was(server: ScriptedServer, tmp_path: Path) -> None:
    server.answers_before_it_hangs = 7
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    command = [sys.executable, str(Path(__file__).parent / "interrupted_sampling.py"), server.url, str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None
        # It has stored the seventh sample when it says so, and then waits for the eighth.
        said = [int(process.stdout.readline()) for _ in range(8)]
        deadline = time.monotonic() + 60
        while len(server.requests) < 8 and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait(30)
    finally:
        process.kill()
        process.stdout.close()
    assert said == list(range(8))
    server.released.set()
    server.answers_before_it_hangs = None
    asked = len(server.requests)
    with SampleCache(tmp_path) as cache:
        made = sampler(server, cache=cache)
        assert cache.count(made.source) == 7
        found = made.sample(PROMPTS, SETTINGS)
    assert asked == 8
    assert len(server.requests) == asked + 13
    assert texts(found) == texts(sampler(server).sample(PROMPTS, SETTINGS))
