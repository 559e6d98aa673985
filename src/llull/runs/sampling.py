"""The command ``llull sample``: answers of a model to the contexts of some data, ready to be judged."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from rich.console import Console
from rich.progress import Progress

import llull.judgments
from llull.encoders.cache import cache_folder
from llull.errors import InputError
from llull.judgments.record import Message, context_id
from llull.language.sampling import Sample, SampleCache, Sampler, ServerSampler, Settings
from llull.runs.data import print_reading
from llull.runs.folder import MODEL

Context = list[dict[str, str]]

_PROMPT_KEYS = frozenset({"prompt", "context", "messages", "id"})
_AT_ONCE = 512


def sample(
    data: list[str],
    model: str | None = None,
    server: str | None = None,
    n: int = 4,
    max_tokens: int = 256,
    temperature: float = 1.0,
    top_p: float = 1.0,
    top_k: int | None = None,
    min_p: float = 0.0,
    stop: list[str] | None = None,
    seed: int = 0,
    log_probs: bool = True,
    contexts: int | None = None,
    system: str | None = None,
    batch_size: int = 64,
    precision: Literal["float32", "bf16"] = "float32",
    tokenizer: str | None = None,
    concurrency: int = 16,
    key_variable: str | None = None,
    max_requests: int | None = None,
    out: str = "samples.jsonl",
    format: str | None = None,
) -> Path:
    """Draw answers to the contexts of some data from a language model, in this process or on a server.

    Each line of the output has a context, its id, the model as the source, and the samples: text, why it ended (stop,
    length or filtered), ids and log-probabilities of its tokens, under the model itself and under the distribution they
    were drawn from. Samples are kept as they are drawn, so that a run that was stopped goes on where it was when the
    same command is given again, and one with a greater n draws only what it lacks.

    Args:
        data: files, folders, patterns or hub names of judgments, as for `llull read`; or files of prompts: text with
            one in each line, or JSON lines with a text or messages under "prompt", "context" or "messages", and no
            options.
        model: folder of a run, or folder or hub name of a model; with a server, the model's name there.
        server: address of a server with OpenAI's protocol, such as http://localhost:8000/v1.
        n: samples of each context.
        max_tokens: of a sample.
        temperature: divides the logits; 0 takes the most probable token.
        top_p: keep the most probable tokens, as few as have this probability together.
        top_k: keep so many most probable tokens.
        min_p: keep tokens that are at least so probable relative to the most probable one.
        stop: strings that a sample ends before.
        seed: of all randomness.
        log_probs: keep the log-probabilities of the tokens.
        contexts: only the first so many.
        system: a system message for contexts that have none.
        batch_size: samples drawn side by side in this process.
        precision: of the model in this process.
        tokenizer: with a server: folder or hub name of a tokenizer that makes ids here, for models without a template.
        concurrency: requests under way at once, with a server.
        key_variable: environment variable that holds the server's key.
        max_requests: with a server: stop after so many requests, those that failed included.
        out: file to write, as JSON lines.
        format: format of all the files of judgments, instead of finding it from their first rows.
    """
    if model is None:
        raise InputError("say which model to sample from, with --model FOLDER, ORG/NAME, or its name on the --server")
    console = Console()
    settings = Settings(n, max_tokens, temperature, top_p, top_k, min_p, tuple(stop or ()), seed, log_probs)
    asked = list(_unique(_read(data, format, console)))[:contexts]
    if not asked:
        raise InputError("no context to answer: the data has none")
    with SampleCache(cache_folder()) as cache:
        if server is None:
            sampler = _local(model, system, precision, batch_size, cache)
        else:
            if system is not None and tokenizer is None:
                asked = [_with_system(context, system) for context in asked]
            sampler = _remote(server, model, tokenizer, system, concurrency, key_variable, max_requests, cache)
        path, finished, size = _write(Path(out), sampler, asked, settings, model, console)
    total = len(asked) * n
    console.print(
        f"wrote {path}: {total:,} samples of {len(asked):,} contexts, {finished / total:.0%} of them whole, "
        f"{size / total:,.0f} characters on average"
    )
    return path


def read_prompts(path: Path) -> list[Context] | None:
    """The prompts of a file: text with one in each line, or JSON lines that hold prompts and nothing else.

    Args:
        path: of the file.

    Returns:
        The prompts as messages; None if the file is of another kind.

    Raises:
        InputError: if a line of a file of prompts has none.
    """
    if path.suffix not in (".txt", ".jsonl") or not path.is_file():
        return None
    lines = path.read_text(encoding="utf-8").splitlines()
    numbered = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if path.suffix == ".txt":
        return [[{"role": "user", "content": line}] for _, line in numbered]
    rows = [(number, _object(line)) for number, line in numbered]
    if not rows or not rows[0][1] or not set(rows[0][1]) <= _PROMPT_KEYS:
        return None
    return [_context(row, f"{path}:{number}") for number, row in rows]


def _object(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _context(row: Mapping[str, Any], where: str) -> Context:
    said = next((row[name] for name in ("messages", "context", "prompt") if name in row), None)
    if isinstance(said, str):
        return [{"role": "user", "content": said}]
    turns = said if isinstance(said, list) else []
    if not turns or not all(isinstance(t, dict) and {"role", "content"} <= set(t) for t in turns):
        raise InputError(f'{where}: no prompt; give a text or messages with role and content under "prompt"')
    return [{"role": str(turn["role"]), "content": str(turn["content"])} for turn in turns]


def _read(data: Sequence[str], format: str | None, console: Console) -> Iterator[Context]:
    judged = []
    for name in data:
        prompts = read_prompts(Path(name)) if format is None else None
        if prompts is None:
            judged.append(name)
        else:
            yield from prompts
    if judged:
        preferences = llull.judgments.read(*judged, format=format)
        print_reading(preferences, console)
        for turns in preferences.table["context"].to_pylist():
            if turns:
                yield [{"role": turn["role"], "content": turn["content"]} for turn in turns]


def _unique(contexts: Iterable[Context]) -> Iterator[Context]:
    seen = set()
    for context in contexts:
        if (found := _id(context)) not in seen:
            seen.add(found)
            yield context


def _id(context: Context) -> str:
    return context_id([Message(turn["role"], turn["content"]) for turn in context])


def _with_system(context: Context, system: str) -> Context:
    if any(turn["role"] == "system" for turn in context):
        return context
    return [{"role": "system", "content": system}, *context]


def _local(model: str, system: str | None, precision: str, batch_size: int, cache: SampleCache) -> Sampler:
    import torch

    from llull.align.policies import load_policy
    from llull.align.reward_saving import is_reward_model
    from llull.language.sampling.hugging_face import HuggingFaceSampler
    from llull.language.templates import Template

    inner = Path(model) / MODEL
    found = str(inner) if inner.is_dir() else model
    if is_reward_model(found):
        raise InputError(f"{model} is a reward model, which scores answers and gives none")
    policy = load_policy(found)
    if precision == "bf16":
        # Buffers stay precise: those of positions would place distant tokens wrongly.
        for parameter in policy.model.parameters():
            parameter.data = parameter.data.bfloat16()
    scorer = policy.model.to("cuda" if torch.cuda.is_available() else "cpu")
    template = Template(policy.tokenizer, system=system)
    return HuggingFaceSampler(scorer, template, batch_size=batch_size, cache=cache)


def _remote(
    server: str,
    model: str,
    tokenizer: str | None,
    system: str | None,
    concurrency: int,
    key_variable: str | None,
    max_requests: int | None,
    cache: SampleCache,
) -> Sampler:
    template = None
    if tokenizer is not None:
        from transformers import AutoTokenizer

        from llull.language.loading import loaded
        from llull.language.templates import Template

        template = Template(loaded(AutoTokenizer.from_pretrained, tokenizer, "tokenizer"), system=system)
    return ServerSampler(
        server,
        model,
        template=template,
        concurrency=concurrency,
        key_variable=key_variable,
        max_requests=max_requests,
        cache=cache,
    )


def _write(
    path: Path, sampler: Sampler, contexts: Sequence[Context], settings: Settings, model: str, console: Console
) -> tuple[Path, int, int]:
    """Write the samples as they come; also how many of them are whole, and how many characters they have."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".part")
    whole = size = 0
    with (
        unfinished.open("w", encoding="utf-8") as stream,
        Progress(console=console, transient=True, disable=not console.is_terminal) as bar,
    ):
        task = bar.add_task("drawing samples", total=len(contexts) * settings.n)
        for start in range(0, len(contexts), _AT_ONCE):
            part = contexts[start : start + _AT_ONCE]
            before = start * settings.n
            found = sampler.sample(
                part, settings, progress=lambda done, _, before=before: bar.update(task, completed=before + done)
            )
            for context, samples in zip(part, found, strict=True):
                whole += sum(one.finish == "stop" for one in samples)
                size += sum(len(one.text) for one in samples)
                row = {"context_id": _id(context), "context": context, "source": model}
                stream.write(json.dumps(row | {"samples": list(map(_row, samples))}, ensure_ascii=False) + "\n")
    unfinished.replace(path)
    return path, whole, size


def _row(sample: Sample) -> dict[str, Any]:
    row: dict[str, Any] = {"text": sample.text, "finish": sample.finish}
    for name in ("ids", "model_log_probs", "sampling_log_probs"):
        values: np.ndarray | None = getattr(sample, name)
        row |= {name: values.tolist()} if values is not None else {}
    return row
