"""What follows the training: the held-out sets, the files of the package, the figures and the picture."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence, Set
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from tools.mini.data import fingerprint, items_of, make, stored_fingerprints, tokenizer_in
from tools.mini.encoding import texts_of
from tools.mini.evaluation import FIGURE
from tools.mini.worlds.names import held_out_words
from tools.mini.writing import held_out_path, read_items, write_items

if TYPE_CHECKING:
    from tools.mini.stages import Stage

#: Seed of the held-out sets.
HELD_OUT_SEED = 2024
#: Names of each kind that are drawn to learn which there are.
NAME_DRAWS = 50_000
_WORD = re.compile(r"[A-Za-z]+")
#: Split -> items of each task: enough that half a point is five answers, and not one near tie.
HELD_OUT = {"held_out": 1000, "new_patterns": 300}


def known_names(tokenizer: Any) -> set[str]:
    """Return the held-out names that the vocabulary knows as one piece.

    Such a piece may have been read as another word, or as a part of one: nobody could say that training never saw it.
    """
    return {name for name in held_out_words(NAME_DRAWS, HELD_OUT_SEED) if len(tokenizer.tokenize(name)) == 1}


def held_out_items(task: str, split: str, count: int, tokenizer: Any, known: Set[str]) -> Iterator[Mapping[str, Any]]:
    """Yield different items of a split.

    Args:
        task: Their task.
        split: Their split.
        count: How many.
        tokenizer: The vocabulary: masked words are one piece of it.
        known: Names that are in none of them.
    """
    seen: set[int] = set()
    for item in items_of(task, split, 4 * count, HELD_OUT_SEED):
        mark = fingerprint(task, item)
        whole = task != "fill-mask" or len(tokenizer.tokenize(item["targets"][0])) == 1
        words = {word for pair in texts_of(task, item) for text in pair if text for word in _WORD.findall(text)}
        if mark not in seen and whole and not words & known:
            seen.add(mark)
            yield item
        if len(seen) == count:
            return
    raise ValueError(f"the worlds have only {len(seen)} different items of {task} in {split}, of {count} wanted")


def finish(
    weights: Path,
    work: Path,
    run: Path,
    stages: Sequence[Stage],
    out: Path,
    docs: Path,
    shape: Mapping[str, int],
) -> list[str]:
    """Write everything that comes of a training.

    Args:
        weights: File of the trained weights.
        work: Directory of the vocabulary and the texts.
        run: Directory of the training: in it, the directory of each stage with its ``log.jsonl``.
        stages: What was trained.
        out: Directory of the package's files.
        docs: Directory of the figures and the picture.
        shape: Sizes that are not the usual ones.

    Returns:
        A line for each gate that the figures do not pass.
    """
    import torch

    from tools.mini.curve import draw, joined, read_log
    from tools.mini.figures import all_figures, failures, leaks
    from tools.mini.model import MiniModel, mini_config
    from tools.mini.stages import stage_directories
    from tools.mini.times import Times
    from tools.mini.writing import write_weights

    times = Times(run / "seconds.json")
    vocabulary = work / "vocabulary"
    tokenizer = tokenizer_in(vocabulary)
    model = MiniModel(mini_config(len(tokenizer.get_vocab()), **shape))
    model.load_state_dict(torch.load(weights, weights_only=True))
    out.mkdir(parents=True, exist_ok=True)
    with times.of("files and figures"):
        for name in ("spiece.model", "tokenizer.json", "tokenizer_config.json"):
            shutil.copyfile(vocabulary / name, out / name)
        known = known_names(tokenizer)
        for task in FIGURE:
            for split, count in HELD_OUT.items():
                write_items(held_out_path(out, task, split), held_out_items(task, split, count, tokenizer, known))
        write_weights(out, model, {})
        figures = all_figures(out)
        write_weights(out, model, figures["tasks"])
        shards = [path for stage in stages for path in make(work / "data", vocabulary, stage.counts, stage.seed)]
        figures["leaks"] = leaks(held_out_sets(out), stored_fingerprints(shards))
    logs = [read_log(directory / "log.jsonl") for directory in stage_directories(run, stages, shape)]
    log = joined(logs)
    metrics = {
        "model": "albert-mini",
        **figures,
        "bytes": sum(path.stat().st_size for path in sorted(out.rglob("*")) if path.is_file()),
        "training": {
            "stages": [
                {
                    "name": stage.name,
                    "items": {
                        f"{task}{'' if length is None else ' ' + length}": count
                        for (task, length), count in stage.counts.items()
                    },
                    "steps": own[-1]["step"],
                    "tokens": own[-1]["tokens"],
                    "tokens_per_second": round(speed(own)),
                }
                for stage, own in zip(stages, logs, strict=True)
            ],
            "steps": log[-1]["step"],
            "tokens": log[-1]["tokens"],
            "seconds": times.seconds(),
            "machine": f"{platform.machine()}, {os.cpu_count()} processors, torch {torch.__version__}",
            "curve": [
                {key: entry[key] for key in ("step", "tokens", "figures")} for entry in log if "figures" in entry
            ],
        },
    }
    (docs / "mini-metrics.json").write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
    draw(log, [own[-1]["tokens"] for own in logs[:-1]], docs / "mini-training-curve.png")
    return failures(figures)


def speed(log: Sequence[Mapping[str, Any]]) -> float:
    """Return tokens a second while training, the median over the log, in which pauses count little."""
    entries = [entry for entry in log if "losses" in entry]
    speeds = (
        (after["tokens"] - before["tokens"]) / max(after["seconds"] - before["seconds"], 1e-9)
        for before, after in pairwise(entries)
    )
    return float(median(speeds))


def held_out_sets(directory: Path) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Return (task, split) -> items, from a directory of the package's files."""
    return {(task, split): read_items(held_out_path(directory, task, split)) for task in FIGURE for split in HELD_OUT}
