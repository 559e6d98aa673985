"""Progress of a training on one line: update, loss, accuracy, tokens a second, time left."""

from __future__ import annotations

import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar


class Progress:
    """A bar on a terminal; a line every tenth of the training elsewhere.

    Args:
        console: where to.
        updates: of the whole training.
        done: updates that were done before.
    """

    def __init__(self, console: Console, updates: int, done: int) -> None:
        self.console, self.updates = console, updates
        self.lively = console.is_terminal
        self._bar = Bar(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"),
            TimeRemainingColumn(),
            console=console,
            disable=not self.lively,
        )
        self._task = self._bar.add_task("", total=updates, completed=done, figures="")
        self._every = max(updates // 10, 1)
        self._tokens, self._started = 0.0, time.perf_counter()

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def show(self, figures: dict[str, float]) -> None:
        """Show the figures of one update."""
        self._tokens += figures["tokens"]
        speed = self._tokens / max(time.perf_counter() - self._started, 1e-9)
        accuracy = f" accuracy {figures['accuracy']:.3f}" if "accuracy" in figures else ""
        words = f"loss {figures['loss']:.4f}{accuracy} {speed:,.0f} tokens/s"
        done = int(figures["update"])
        self._bar.update(self._task, completed=done, figures=words)
        if not self.lively and (done % self._every == 0 or done == self.updates):
            self.console.print(f"update {done:,} of {self.updates:,}: {words}")
