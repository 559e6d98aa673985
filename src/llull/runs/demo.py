"""``llull demo``: the main job on a data set that comes with Llull, without network."""

from __future__ import annotations

from rich.console import Console

from llull.judgments import simulate
from llull.runs.fitting import fit
from llull.runs.folder import REPORT, RunFolder


def demo(out: str = "runs/demo", seed: int = 0) -> RunFolder:
    """Run the main job on simulated votes of two communities with partly opposed tastes.

    The votes hold what real ones do: ties, reasons, a preference for the first option shown, and some planted faults
    that the report should name.

    Args:
        out: folder of the run; the votes are written there too, as judgments.parquet.
        seed: of the votes and of the run.
    """
    folder = RunFolder(out)
    votes = simulate.demo(seed).save(folder.path / "judgments.parquet")
    run = fit([str(votes)], groups="community", out=out, seed=seed)
    Console().print(f"open {run.path / REPORT} in a browser", style="bold")
    return run
