"""Train the same pairs with Llull and with TRL: CPU time, memory and losses of the same updates.

Both sides start from the same random weights, see the same token ids in the same order, and take the same optimizer
steps; the reference's log-probabilities are computed before on both sides and not timed. Each side runs in a process of
its own, in turns. TRL runs in the configuration that was fastest here: no gradient checkpointing, chosen and rejected
in one forward pass, ``precompute_ref_log_probs``, its fused language-modeling head, micro-batches of ``--micro`` pairs.

Run: python benchmarks/align_vs_trl.py [--shape 15m|60m] [--data ../shared/data/hh_rlhf] [--plot losses.png]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TARGET_SPEED, TARGET_MEMORY, TARGET_LOSS = 5.0, 0.2, 1e-4
SHAPES = {
    "15m": {"hidden_size": 288, "intermediate_size": 768, "num_hidden_layers": 6, "num_attention_heads": 6},
    "60m": {"hidden_size": 512, "intermediate_size": 2048, "num_hidden_layers": 8, "num_attention_heads": 8},
}
SIDES = {"ours": "Llull", "trl": "TRL", "liger": "TRL, Liger"}
VOCABULARY = 32_000
RATE, BETA = 1e-4, 0.1


def read_pairs(folder: Path, updates: int, batch: int) -> list[dict[str, list[int]]]:
    """Token ids of HH-RLHF pairs under a byte-level vocabulary of 32,000 learned from their own texts."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    import llull

    pairs = llull.read(str(folder / "helpful-base*.gz")).pairs()
    contexts, texts = pairs.options.contexts(), pairs.options.texts()
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.ByteLevel(), decoders.ByteLevel()
    special = ["<s>", "</s>"]
    tokenizer.train_from_iterator(
        contexts + texts, trainers.BpeTrainer(vocab_size=VOCABULARY, special_tokens=special, show_progress=False)
    )
    rows = []
    for w, l in zip(pairs.winner.tolist(), pairs.loser.tolist(), strict=True):  # noqa: E741
        prompt = [0, *tokenizer.encode(contexts[pairs.options.context[w]]).ids]
        chosen, rejected = ([*tokenizer.encode(texts[i]).ids, 1] for i in (w, l))
        if len(prompt) + max(len(chosen), len(rejected)) <= 512:
            rows.append({"prompt_ids": prompt, "chosen_ids": chosen, "rejected_ids": rejected})
    return rows[: updates * batch]


def make_model(shape: str):
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(vocab_size=VOCABULARY, tie_word_embeddings=True, max_position_embeddings=512, **SHAPES[shape])
    return LlamaForCausalLM(config)


def on_gpu() -> bool:
    """Whether this process computes on one."""
    import torch

    return torch.cuda.is_initialized()


def moment() -> tuple[float, float]:
    """Seconds on the clock, when a GPU has done what it was given, and CPU seconds of this process so far."""
    import torch

    if on_gpu():
        torch.cuda.synchronize()
    used = resource.getrusage(resource.RUSAGE_SELF)
    return time.perf_counter(), used.ru_utime + used.ru_stime


def peak_memory() -> float:
    """Peak of the GPU's allocated memory where one is used, else of this process's resident memory, in bytes."""
    import torch

    if on_gpu():
        return torch.cuda.max_memory_allocated()
    # Not ``ru_maxrss``: a child's begins with the memory of the process that started it.
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def run_ours(rows: list[dict[str, list[int]]], asked: argparse.Namespace, model, **training) -> dict:
    """Train a model with Llull; ``training`` are further settings of its `Training`."""
    import numpy as np
    import torch

    from llull.align.references import KnownValues
    from llull.align.settings import Training
    from llull.align.trainer import Trainer, make_accelerator
    from llull.align.training_set import TrainingSet
    from llull.language.model import LanguageModel
    from llull.objectives import DPO, PairUnits

    torch.set_num_threads(asked.threads)
    ids = [np.array(row[name], np.int32) for row in rows for name in ("chosen_ids", "rejected_ids")]
    at = torch.arange(len(rows)) * 2
    data = TrainingSet(
        prompts=tuple(np.array(row["prompt_ids"], np.int32) for row in rows),
        options=tuple(ids),
        scored=(None,) * len(ids),
        prompt=np.repeat(np.arange(len(rows)), 2),
        units={"main": PairUnits.of(at, at + 1)},
    )
    policy = LanguageModel(model)
    settings = Training(
        batch_size=asked.batch,
        learning_rate=RATE,
        schedule="constant",
        warmup=0.0,
        token_budget=asked.budget,
        evaluate_every=0,
        save_every=10**9,
        **training,
    )
    with tempfile.TemporaryDirectory() as folder:
        accelerator = make_accelerator(settings, Path(folder))
        policy.to(accelerator.device)
        began = moment()[1]
        with accelerator.autocast():
            reference = policy.log_probs(data.trees(np.arange(len(ids))), asked.budget)
        referring = moment()[1] - began
        known = KnownValues(reference.sums)
        trainer = Trainer(policy, DPO(BETA), data, settings, Path(folder), reference=known, accelerator=accelerator)
        seen: list[tuple[float, float]] = []
        write = trainer._write

        def watched(kind: str, figures: dict[str, float]) -> None:
            seen.append(moment())
            write(kind, figures)

        trainer._write = watched
        history = trainer.train()
    tokens = statistics.mean(u["tokens"] for u in history.updates)
    found = result(seen, [u["loss"] for u in history.updates], tokens, asked.skip)
    return found | {"reference_cpu": referring, "layout": policy.layout}


def run_trl(rows: list[dict[str, list[int]]], asked: argparse.Namespace, model, **config) -> dict:
    """Train a model with TRL; ``config`` is of its `DPOConfig`."""
    import numpy as np
    import torch
    from datasets import Dataset
    from tokenizers import Tokenizer, models
    from torch.utils.data import SequentialSampler
    from transformers import PreTrainedTokenizerFast, TrainerCallback
    from trl import DPOConfig, DPOTrainer

    torch.set_num_threads(asked.threads)

    class SameIds(DPOTrainer):
        """Takes ids as they are, in the order they come in."""

        def _prepare_dataset(self, dataset, *others, **named):
            return dataset

        def _get_train_sampler(self, *others):
            return SequentialSampler(self.train_dataset)

    seen: list[tuple[float, float]] = []

    class Watch(TrainerCallback):
        def on_step_end(self, *others, **named):
            seen.append(moment())

    order = our_order(rows, asked)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()), eos_token="</s>", pad_token="</s>")
    with tempfile.TemporaryDirectory() as folder:
        settings = DPOConfig(
            output_dir=folder,
            per_device_train_batch_size=asked.micro,
            gradient_accumulation_steps=asked.batch // asked.micro,
            num_train_epochs=1,
            learning_rate=RATE,
            lr_scheduler_type="constant",
            weight_decay=0.0,
            max_grad_norm=1.0,
            beta=BETA,
            max_length=None,
            precompute_ref_log_probs=True,
            precompute_ref_batch_size=asked.micro,
            gradient_checkpointing=False,
            disable_dropout=True,
            optim="adamw_torch_fused",
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            **config,
        )
        dataset = Dataset.from_list([rows[i] for i in order])
        trainer = SameIds(model, args=settings, train_dataset=dataset, processing_class=tokenizer, callbacks=[Watch()])
        trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    lengths = np.array([[len(r["prompt_ids"]) + len(r[k]) for k in ("chosen_ids", "rejected_ids")] for r in rows])
    return result(seen, losses, float(lengths.sum()) / len(losses), asked.skip)


def our_order(rows: list[dict[str, list[int]]], asked: argparse.Namespace) -> list[int]:
    """The pairs in the order in which Llull's updates take them."""
    import numpy as np
    import torch

    from llull.align.training_set import TrainingSet
    from llull.align.windows import windows
    from llull.objectives import PairUnits

    at = torch.arange(len(rows)) * 2
    one = np.ones(1, np.int32)
    data = TrainingSet(
        (one,) * len(rows), (one,) * 2 * len(rows), (None,) * 2 * len(rows),
        np.repeat(np.arange(len(rows)), 2), {"main": PairUnits.of(at, at + 1)},
    )  # fmt: skip
    return [i for window in windows(data, asked.batch, 1, 0) for i in window.units["main"].index.tolist()]


def result(seen: list[tuple[float, float]], losses: list[float], tokens: float, skip: int) -> dict:
    """Figures of all updates but the first ones, which pay for warming up; tokens of an update."""
    updates = len(losses) - skip
    wall, cpu = (seen[-1][i] - seen[skip - 1][i] for i in (0, 1))
    return {"wall": wall / updates, "cpu": cpu / updates, "memory": peak_memory(), "losses": losses, "tokens": tokens}


def matmul_peak(threads: int) -> float:
    """Floating-point operations a second of a large matrix product here."""
    import torch

    torch.set_num_threads(threads)
    a, b = torch.randn(2048, 2048), torch.randn(2048, 2048)
    best = 1e9
    for _ in range(5):
        start = time.perf_counter()
        a @ b
        best = min(best, time.perf_counter() - start)
    return 2 * 2048**3 / best


def work(rows: list[dict[str, list[int]]], shape: str) -> float:
    """Multiplications and additions that a step on these pairs cannot do without: forward and backward, prompt once."""
    sizes = SHAPES[shape]
    d, layers = sizes["hidden_size"], sizes["num_hidden_layers"]
    per_token = 2 * layers * (4 * d * d + 3 * d * sizes["intermediate_size"])
    total = 0.0
    for row in rows:
        p, c, r = (len(row[k]) for k in ("prompt_ids", "chosen_ids", "rejected_ids"))
        attended = p * p / 2 + c * (p + c / 2) + r * (p + r / 2)
        total += (p + c + r) * per_token + 4 * layers * d * attended + (c + r) * 2 * d * VOCABULARY
    return 3 * total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/hh_rlhf"))
    parser.add_argument("--shape", choices=SHAPES, default="15m")
    parser.add_argument("--updates", type=int, default=20)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--micro", type=int, default=4, help="pairs of one forward pass of TRL")
    parser.add_argument("--budget", type=int, default=1024, help="tokens of one forward pass of Llull")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--side", choices=["ours", "trl"], help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    asked.skip = 1
    if asked.side:
        rows, model = json.loads(asked.rows.read_text()), make_model(asked.shape)
        ours = asked.side == "ours"
        print(
            json.dumps(run_ours(rows, asked, model) if ours else run_trl(rows, asked, model, bf16=False, use_cpu=True))
        )
        return
    rows = read_pairs(asked.data, asked.updates, asked.batch)
    options = ["shape", "updates", "batch", "micro", "budget", "threads"]
    found = in_turns(Path(__file__), ["ours", "trl"], rows, asked, options, {"CUDA_VISIBLE_DEVICES": ""})
    report(found, rows, asked)


def in_turns(
    script: Path,
    sides: list[str],
    rows: list[dict[str, list[int]]],
    asked: argparse.Namespace,
    options: list[str],
    environment: dict[str, str],
) -> dict[str, list[dict]]:
    """What each side found in each repeat, every run in a process of its own with the named options."""
    found: dict[str, list[dict]] = {side: [] for side in sides}
    words = [word for name in options for word in (f"--{name}", str(getattr(asked, name)))]
    quiet = {"OMP_NUM_THREADS": str(asked.threads), "TQDM_DISABLE": "1", "HF_HUB_OFFLINE": "1"}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.json"
        path.write_text(json.dumps(rows))
        for _ in range(asked.repeats):
            for side, runs in found.items():
                run = subprocess.run(
                    [sys.executable, str(script), "--side", side, "--rows", str(path), *words],
                    env=os.environ | quiet | environment, capture_output=True, text=True, check=False,
                )  # fmt: skip
                if run.returncode:
                    sys.exit(f"{side} failed:\n{run.stderr[-3000:]}")
                runs.append(json.loads(run.stdout.splitlines()[-1]))
    return found


def report(found: dict[str, list[dict]], rows: list[dict[str, list[int]]], asked: argparse.Namespace) -> None:
    import torch
    import trl

    middle = {
        side: {k: statistics.median(r[k] for r in runs) for k in ("wall", "cpu", "memory")}
        for side, runs in found.items()
    }
    ours, theirs = middle["ours"], middle["trl"]
    print(
        f"{asked.shape}: {len(rows)} HH-RLHF pairs, {asked.batch} an update, {asked.threads} threads, "
        f"TRL {trl.__version__}"
    )
    print(f"{'':8}{'pairs / CPU-second':>20}{'pairs / second':>16}{'tokens / CPU-second':>21}{'peak memory':>14}")
    for side, figures in middle.items():
        tokens = found[side][0]["tokens"]
        print(
            f"{side:8}{asked.batch / figures['cpu']:>20.2f}{asked.batch / figures['wall']:>16.2f}"
            f"{tokens / figures['cpu']:>21,.0f}{figures['memory'] / 2**30:>10.2f} GiB"
        )
    speed, memory = theirs["cpu"] / ours["cpu"], ours["memory"] / theirs["memory"]
    losses = [torch.tensor(found[side][0]["losses"][:20]) for side in ("ours", "trl")]
    apart = (losses[0] - losses[1]).abs().max().item()
    per_update = work(rows, asked.shape) / (len(rows) / asked.batch)
    share = per_update / ours["wall"] / matmul_peak(asked.threads)
    print(f"pairs per CPU-second: {speed:.2f} times TRL's (target {TARGET_SPEED})")
    print(f"pairs per second: {theirs['wall'] / ours['wall']:.2f} times TRL's")
    print(f"peak memory: {memory:.2f} of TRL's (target {TARGET_MEMORY})")
    print(f"largest difference of the losses of 20 updates: {apart:.1e} (target {TARGET_LOSS})")
    print(f"reference log-probabilities: {found['ours'][0]['reference_cpu']:.1f} CPU-seconds for all pairs")
    print(f"share of the measured matrix-product peak: {share:.2f}")
    if asked.plot:
        draw(found, asked.plot)


def draw(found: dict[str, list[dict]], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 3.5), layout="constrained")
    # Ours last and dashed: where the curves agree, both are seen.
    for side in sorted(found, key=lambda side: side == "ours"):
        losses, style = found[side][0]["losses"], "--" if side == "ours" else "-"
        axes.plot(range(1, len(losses) + 1), losses, style, label=SIDES[side])
    axes.set(xlabel="update", ylabel="loss")
    axes.legend()
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
