"""Train the same pairs with Llull and with TRL, with and without Liger's kernels, on one GPU: speed, memory, losses.

All sides start from the same random weights of Qwen2.5's shapes, in float32 under bf16 autocast, see the same token ids
in the same order, and take the same optimizer steps; the reference's log-probabilities are computed before and not
timed. Each side runs in a process of its own, in turns. Llull attends by FlexAttention. TRL runs without gradient
checkpointing, with its fused language-modeling head and micro-batches of ``--micro`` pairs; look for the ``--micro``
and the ``--budget`` that are fastest on the GPU at hand. The first updates, in which kernels are compiled, are not
timed.

Run: python benchmarks/align_gpu.py [--shape 0.5b|1.5b] [--sides ours trl liger] [--data ../shared/data/hh_rlhf]
To try the script itself: python benchmarks/align_gpu.py --device cpu --shape tiny
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import sys
from pathlib import Path

from align_vs_trl import SIDES, draw, in_turns, read_pairs, run_ours, run_trl

TARGET_SPEED, TARGET_MEMORY = 2.0, 0.5
SHAPES = {
    "tiny": {
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "vocab_size": 32_000,
    },
    "0.5b": {
        "hidden_size": 896,
        "intermediate_size": 4864,
        "num_hidden_layers": 24,
        "num_attention_heads": 14,
        "num_key_value_heads": 2,
        "vocab_size": 151_936,
    },
    "1.5b": {
        "hidden_size": 1536,
        "intermediate_size": 8960,
        "num_hidden_layers": 28,
        "num_attention_heads": 12,
        "num_key_value_heads": 2,
        "vocab_size": 151_936,
    },
}


def make_model(shape: str):
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(0)
    config = Qwen2Config(
        tie_word_embeddings=True,
        max_position_embeddings=4096,
        rope_parameters={"rope_type": "default", "rope_theta": 1e6},
        **SHAPES[shape],
    )
    return Qwen2ForCausalLM(config)


def run(side: str, rows: list[dict[str, list[int]]], asked: argparse.Namespace) -> dict:
    model, cpu = make_model(asked.shape), asked.device == "cpu"
    if side == "ours":
        return run_ours(rows, asked, model, precision="bf16")
    return run_trl(rows, asked, model, bf16=True, use_cpu=cpu, use_liger_kernel=side == "liger")


def lacking(asked: argparse.Namespace) -> str | None:
    """What is not here that these sides need, in one line."""
    missing = [name for name in ("torch", "transformers", "trl", "datasets") if importlib.util.find_spec(name) is None]
    if missing:
        return f"{', '.join(missing)} not installed: pip install {' '.join(missing)}"
    import torch

    if asked.device == "cuda" and not torch.cuda.is_available():
        return "no GPU is here; to try the script itself: --device cpu --shape tiny"
    if "liger" in asked.sides and asked.device == "cpu":
        return "Liger's kernels need a GPU; choose --sides ours trl"
    if "liger" in asked.sides and importlib.util.find_spec("liger_kernel") is None:
        return "Liger is not installed: pip install liger-kernel, or choose --sides ours trl"
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/hh_rlhf"))
    parser.add_argument("--shape", choices=SHAPES, default="0.5b")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--sides", nargs="+", choices=SIDES, help="all of them, on a CPU all but liger, if not given")
    parser.add_argument("--updates", type=int, default=20)
    parser.add_argument("--skip", type=int, default=3, help="updates at the start that are not timed")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--micro", type=int, default=8, help="pairs of one forward pass of TRL")
    parser.add_argument("--budget", type=int, default=16_384, help="tokens of one forward pass of Llull")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if not 0 < asked.skip < asked.updates:
        parser.error(f"--skip {asked.skip} must leave some of {asked.updates} updates, and be at least 1")
    if asked.batch % asked.micro:
        parser.error(f"--batch {asked.batch} must be a multiple of --micro {asked.micro}")
    asked.sides = asked.sides or [side for side in SIDES if side != "liger" or asked.device == "cuda"]
    if asked.side:
        print(json.dumps(run(asked.side, json.loads(asked.rows.read_text()), asked)))
        return
    if problem := lacking(asked):
        sys.exit(problem)
    rows = read_pairs(asked.data, asked.updates, asked.batch)
    if len(rows) < asked.updates * asked.batch:
        sys.exit(f"{asked.data} has {len(rows):,} pairs for {asked.updates} updates of {asked.batch}; ask for fewer")
    options = ["shape", "device", "updates", "skip", "batch", "micro", "budget", "threads"]
    hidden = {"CUDA_VISIBLE_DEVICES": ""} if asked.device == "cpu" else {}
    found = in_turns(Path(__file__), list(dict.fromkeys(asked.sides)), rows, asked, options, hidden)
    report(found, asked)
    if asked.plot:
        draw(found, asked.plot)


def report(found: dict[str, list[dict]], asked: argparse.Namespace) -> None:
    import torch
    import trl

    where = "a CPU" if asked.device == "cpu" else torch.cuda.get_device_name()
    print(
        f"{asked.shape}: updates of {asked.batch} HH-RLHF pairs, bf16, {where}, torch {torch.__version__}, "
        f"TRL {trl.__version__}, medians of {asked.repeats}"
    )
    middle = {
        side: {k: statistics.median(r[k] for r in runs) for k in ("wall", "memory", "tokens")}
        for side, runs in found.items()
    }
    print(f"{'':12}{'pairs / second':>16}{'tokens / second':>17}{'peak memory':>14}{'first loss':>12}{'last loss':>11}")
    for side, figures in middle.items():
        losses = found[side][0]["losses"]
        print(
            f"{SIDES[side]:12}{asked.batch / figures['wall']:>16.2f}{figures['tokens'] / figures['wall']:>17,.0f}"
            f"{figures['memory'] / 2**30:>10.2f} GiB{losses[0]:>12.4f}{losses[-1]:>11.4f}"
        )
    if "ours" in found and found["ours"][0]["layout"] != "tree":
        print("Llull could not use prefix trees here: options are in rows of their own, and slower")
    for side in [side for side in middle if side != "ours" and "ours" in middle]:
        ours, theirs = middle["ours"], middle[side]
        pairs = zip(found["ours"][0]["losses"], found[side][0]["losses"], strict=True)
        print(
            f"against {SIDES[side]}: {theirs['wall'] / ours['wall']:.2f} times the pairs per second (target "
            f"{TARGET_SPEED:g}), {ours['memory'] / theirs['memory']:.2f} of its memory (target {TARGET_MEMORY:g}), "
            f"losses at most {max(abs(a - b) for a, b in pairs):.1e} apart"
        )


if __name__ == "__main__":
    main()
