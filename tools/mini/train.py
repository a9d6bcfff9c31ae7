"""The training of albert-mini: one pass over the training set, all tasks mixed in every step."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tools.mini.batches import Batch, assemble, plan
from tools.mini.encoding import Rows
from tools.mini.losses import WEIGHTS, batch_losses
from tools.mini.masking import Masker
from tools.mini.model import MiniModel
from tools.mini.renaming import Renamer
from tools.mini.schedule import Optimisers, learning_rate
from tools.mini.words_read import WordsRead


@dataclass(frozen=True)
class Training:
    """How a model is trained.

    Attributes:
        tokens: Most tokens of a batch, padding to its longest row counted.
        peak: Highest learning rate.
        warmup: Steps until it is reached.
        clip: Longest gradient.
        seed: Of batches, masks and other names.
        small: Part of the items, the first ones, that is learnt in batches of half the tokens. Small steps teach more a
            token while nearly everything is still to be learnt.
        masked: Part of the questions whose text has masked words at first; it falls evenly to none.
        renamed: Part of the rows of questions and of names in which other words stand for the names, at last.
        renaming: Parts of the training between which it rises to that, evenly from none.
        muon: Part of the training after which Muon takes over; None for never.
        steps: Steps to end after; None for one pass over the data.
        report: Steps between two lines of the log.
        look: Steps between two evaluations.
    """

    tokens: int = 4096
    peak: float = 1.2e-3
    warmup: int = 200
    clip: float = 1.0
    seed: int = 5
    small: float = 0.4
    masked: float = 0.5
    renamed: float = 0.0
    renaming: tuple[float, float] = (0.0, 0.0)
    muon: float | None = None
    steps: int | None = None
    report: int = 50
    look: int = 1000


def batches(
    data: Sequence[Rows], masker: Masker, training: Training, renamer: Renamer | None = None
) -> tuple[int, float, Iterator[Batch]]:
    """Return how many batches the training has, how many items one has in the mean, and the batches."""
    lengths, rows = [part.lengths() for part in data], [part.rows_per_item for part in data]
    spells = [part.spell for part in data]

    def planned() -> Iterator[list[tuple[int, int]]]:
        order = np.random.default_rng(training.seed)
        return plan(lengths, rows, spells, training.tokens, order, small=training.small)

    whole = sum(1 for _ in planned())
    steps = whole if training.steps is None else min(whole, training.steps)
    chance = np.random.default_rng(training.seed + 1)
    made = (
        assemble(
            data,
            items,
            masker,
            chance,
            masked=training.masked * (1 - step / steps),
            renamer=renamer,
            renamed=training.renamed * risen(step / steps, training.renaming),
        )
        for step, items in zip(range(steps), planned(), strict=False)
    )
    return steps, sum(map(len, data)) / whole, made


def risen(progress: float, between: tuple[float, float]) -> float:
    """Return 0 before the first of two parts of a training, 1 from the second on, and evenly what is between."""
    begin, end = between
    return 1.0 if progress >= end else max(0.0, (progress - begin) / (end - begin))


def train(
    model: MiniModel,
    data: Sequence[Rows],
    masker: Masker,
    training: Training,
    *,
    look: Callable[[int], Mapping[str, Any]],
    renamer: Renamer | None = None,
    words: WordsRead | None = None,
    directory: Path | None = None,
    say: Callable[[str], None] = print,
) -> list[dict[str, Any]]:
    """Train a model in place.

    Args:
        model: The model.
        data: Data sets of the tasks.
        masker: Hides words.
        training: How.
        look: Called with the number of steps done, every ``training.look`` of them and at the end; returns figures.
        renamer: Changes names.
        words: Gets the words of all batches.
        directory: Where checkpoints and ``log.jsonl`` go; None for nowhere.
        say: Where the log goes as text.

    Returns:
        The log: for every ``training.report`` steps the mean losses, for every look its figures.
    """
    if training.renamed and renamer is None:
        raise ValueError("a training with renamed rows takes a renamer; received none")
    steps, items, source = batches(data, masker, training, renamer)
    optimisers = Optimisers(model, None if training.muon is None else round(training.muon * steps))
    log: list[dict[str, Any]] = []
    sums: dict[str, float] = {}
    totals: dict[str, int] = {}
    began = time.monotonic()
    looking = 0.0
    tokens = 0

    def note(entry: dict[str, Any]) -> None:
        entry["seconds"] = round(time.monotonic() - began - looking, 1)
        log.append(entry)
        say(json.dumps(entry))
        if directory is not None:
            with (directory / "log.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")

    for step, batch in enumerate(source):
        if words is not None:
            words.add(batch.ids, batch.mask)
        with torch.autocast("cpu", torch.bfloat16):
            losses = batch_losses(model, batch)
        total = torch.stack([WEIGHTS[task] * loss for task, loss in losses.items()]).sum() / items
        total.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), training.clip)
        optimisers.step(learning_rate(step, steps, peak=training.peak, warmup=training.warmup))
        tokens += int(batch.mask.sum())
        for task, loss in losses.items():
            sums[task] = sums.get(task, 0.0) + float(loss.detach())
            many = (
                len(batch.labels[task])
                if task in batch.labels
                else int(((batch.words >= 0) if task == "masks" else batch.hints[..., 0] >= 0).any(axis=1).sum())
            )
            totals[task] = totals.get(task, 0) + many
        if (step + 1) % training.report == 0:
            means = {task: round(sums[task] / totals[task], 4) for task in sorted(sums)}
            note({"step": step + 1, "of": steps, "tokens": tokens, "norm": round(float(norm), 2), "losses": means})
            sums, totals = {}, {}
        left = steps - (step + 1)
        # Not twice in a row: what comes shortly before the end is seen at the end.
        if left == 0 or ((step + 1) % training.look == 0 and 2 * left >= training.look):
            start = time.monotonic()
            found = look(step + 1)
            looking += time.monotonic() - start
            note({"step": step + 1, "of": steps, "tokens": tokens, "figures": found})
            if directory is not None:
                save(model, directory / "checkpoint.pt")
    return log


def save(model: MiniModel, path: Path) -> None:
    """Write the weights, whole or not at all."""
    unfinished = path.with_suffix(".part")
    torch.save(model.state_dict(), unfinished)
    unfinished.replace(path)
