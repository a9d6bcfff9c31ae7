"""The picture of a training: the losses on the way, and what the model could do."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

#: Two sets of curves that stand above each other in the picture.
SPLITS = {"held_out": "held-out names", "new_patterns": "held-out names, sentence patterns never seen"}


def read_log(path: Path) -> list[dict[str, Any]]:
    """Return the entries of a training's log."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def joined(logs: Sequence[Sequence[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return the logs of one stage after another as one, whose steps and tokens count on."""
    entries: list[dict[str, Any]] = []
    for log in logs:
        before = entries[-1] if entries else {"step": 0, "tokens": 0}
        entries += [{**entry, **{key: before[key] + entry[key] for key in ("step", "tokens")}} for entry in log]
    return entries


def draw(log: Sequence[dict[str, Any]], borders: Sequence[int], path: Path) -> None:
    """Draw losses and figures against the tokens read, and write the picture.

    Args:
        log: Entries as :func:`tools.mini.train.train` makes them, of all stages.
        borders: Tokens read where a stage ends and another begins, each from the end of the one before.
        path: A ``.png`` file.
    """
    from matplotlib.figure import Figure  # without pyplot: no display, no state

    figure = Figure(figsize=(9, 10), dpi=90, layout="constrained")
    panels = figure.subplots(3, 1, sharex=True)
    losses = [entry for entry in log if "losses" in entry]
    for task in sorted({task for entry in losses for task in entry["losses"]}):
        points = [(entry["tokens"] / 1e6, entry["losses"][task]) for entry in losses if task in entry["losses"]]
        panels[0].plot(*zip(*points, strict=True), label=task, linewidth=1)
    panels[0].set_yscale("log")
    panels[0].set_ylabel("loss of an item")
    looks = [entry for entry in log if "figures" in entry]
    for panel, (split, title) in zip(panels[1:], SPLITS.items(), strict=True):
        names = [name for name in looks[-1]["figures"] if name.endswith(f" {split}")]
        for name in names:
            points = [(entry["tokens"] / 1e6, entry["figures"][name]) for entry in looks if name in entry["figures"]]
            panel.plot(*zip(*points, strict=True), label=name.split()[0], marker=".", linewidth=1)
        panel.set_title(title, fontsize=10)
        panel.set_ylabel("points of 100")
        panel.set_ylim(0, 101)
    panels[-1].set_xlabel("million tokens read")
    for panel in panels:
        panel.grid(alpha=0.3)
        for end in accumulate(borders):
            panel.axvline(end / 1e6, color="black", linewidth=0.8, linestyle="--")
    panels[0].legend(fontsize=7, ncols=2)
    panels[1].legend(fontsize=7, loc="lower right")
    figure.savefig(path, metadata={"Software": None})
