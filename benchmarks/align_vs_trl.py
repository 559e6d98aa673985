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


def usage() -> tuple[float, float]:
    """CPU seconds of this process so far, and its peak resident memory in bytes."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    # Not ``ru_maxrss``: a child's begins with the memory of the process that started it.
    lines = Path("/proc/self/status").read_text().splitlines()
    peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    return used.ru_utime + used.ru_stime, peak * 1024


def run_ours(rows: list[dict[str, list[int]]], asked: argparse.Namespace) -> dict:
    import numpy as np
    import torch

    from llull.align.references import KnownValues
    from llull.align.settings import Training
    from llull.align.trainer import Trainer
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
    policy = LanguageModel(make_model(asked.shape))
    settings = Training(
        batch_size=asked.batch,
        learning_rate=RATE,
        schedule="constant",
        warmup=0.0,
        token_budget=asked.budget,
        evaluate_every=0,
        save_every=10**9,
    )
    began = usage()[0]
    reference = policy.log_probs(data.trees(np.arange(len(ids))), asked.budget)
    referring = usage()[0] - began
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(policy, DPO(BETA), data, settings, Path(folder), reference=KnownValues(reference.sums))
        seen: list[tuple[float, float]] = []
        write = trainer._write

        def watched(kind: str, figures: dict[str, float]) -> None:
            seen.append((time.perf_counter(), usage()[0]))
            write(kind, figures)

        trainer._write = watched
        history = trainer.train()
    tokens = sum(u["tokens"] for u in history.updates[1:])
    return result(seen, [u["loss"] for u in history.updates], asked, tokens) | {"reference_cpu": referring}


def run_trl(rows: list[dict[str, list[int]]], asked: argparse.Namespace) -> dict:
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
            seen.append((time.perf_counter(), usage()[0]))

    order = our_order(rows, asked)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()), eos_token="</s>", pad_token="</s>")
    with tempfile.TemporaryDirectory() as folder:
        config = DPOConfig(
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
            bf16=False,
            use_cpu=True,
            optim="adamw_torch_fused",
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
        )
        dataset = Dataset.from_list([rows[i] for i in order])
        trainer = SameIds(
            make_model(asked.shape), args=config, train_dataset=dataset, processing_class=tokenizer, callbacks=[Watch()]
        )
        trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    lengths = np.array([[len(r["prompt_ids"]) + len(r[k]) for k in ("chosen_ids", "rejected_ids")] for r in rows])
    return result(seen, losses, asked, float(lengths.sum()))


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


def result(seen: list[tuple[float, float]], losses: list[float], asked: argparse.Namespace, tokens: float) -> dict:
    """Figures of all updates but the first, which pays for warming up."""
    updates = len(losses) - 1
    wall, cpu = (seen[-1][i] - seen[0][i] for i in (0, 1))
    return {"wall": wall / updates, "cpu": cpu / updates, "memory": usage()[1], "losses": losses, "tokens": tokens}


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
    if asked.side:
        rows = json.loads(asked.rows.read_text())
        print(json.dumps((run_ours if asked.side == "ours" else run_trl)(rows, asked)))
        return
    rows = read_pairs(asked.data, asked.updates, asked.batch)
    with tempfile.TemporaryDirectory() as folder:
        asked.rows = Path(folder) / "rows.json"
        asked.rows.write_text(json.dumps(rows))
        found = {"ours": [], "trl": []}
        for _ in range(asked.repeats):
            for side, runs in found.items():
                runs.append(in_own_process(side, asked))
    report(found, rows, asked)


def in_own_process(side: str, asked: argparse.Namespace) -> dict:
    options = ["shape", "updates", "batch", "micro", "budget", "threads", "rows"]
    words = [word for name in options for word in (f"--{name}", str(getattr(asked, name)))]
    environment = os.environ | {"OMP_NUM_THREADS": str(asked.threads), "TQDM_DISABLE": "1", "HF_HUB_OFFLINE": "1"}
    run = subprocess.run(
        [sys.executable, __file__, "--side", side, *words], env=environment, capture_output=True, text=True, check=False
    )
    if run.returncode:
        sys.exit(f"{side} failed:\n{run.stderr[-3000:]}")
    return json.loads(run.stdout.splitlines()[-1])


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
        tokens = found[side][0]["tokens"] / (len(rows) / asked.batch - (side == "ours"))
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
    for side, style in (("trl", "-"), ("ours", "--")):
        losses = found[side][0]["losses"]
        axes.plot(range(1, len(losses) + 1), losses, style, label={"ours": "Llull", "trl": "TRL"}[side])
    axes.set(xlabel="update", ylabel="loss")
    axes.legend()
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
