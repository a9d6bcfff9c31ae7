"""What follows the training: the held-out sets, the files of the package, the figures and the picture."""

from __future__ import annotations

import json
import os
import platform
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence, Set
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from tools.mini import words_read
from tools.mini.data import fingerprint, items_of, shards, stored_fingerprints, tokenizer_in
from tools.mini.evaluation import FIGURE
from tools.mini.worlds.names import refusing
from tools.mini.writing import held_out_path, read_items, write_items

if TYPE_CHECKING:
    from tools.mini.stages import Stage

#: Seed of the held-out sets.
HELD_OUT_SEED = 2024
#: Split -> items of each task: enough that half a point is five answers, and not one near tie.
HELD_OUT = {"held_out": 1000, "new_patterns": 300}


def words_known(tokenizer: Any, directories: Iterable[Path]) -> set[str]:
    """Return the words, in small letters, of which nobody could say that training never saw them.

    Args:
        tokenizer: A word that is one piece of its vocabulary may have been read as a part of another.
        directories: Those of the stages, each with the words that it read.
    """
    pieces = (piece[1:] for piece in tokenizer.get_vocab() if piece[:1] == "▁")
    return set(pieces).union(*(words_read.read(directory / "words.txt") for directory in directories))


def held_out_items(task: str, split: str, count: int, tokenizer: Any, known: Set[str]) -> list[Mapping[str, Any]]:
    """Return different items of a split.

    Args:
        task: Their task.
        split: Their split.
        count: How many.
        tokenizer: The vocabulary: masked words are one piece of it.
        known: Words in small letters of which none is a name in them.
    """
    found: dict[int, Mapping[str, Any]] = {}
    with refusing(known):
        for item in items_of(task, split, 4 * count, HELD_OUT_SEED):
            if task != "fill-mask" or len(tokenizer.tokenize(item["targets"][0])) == 1:
                found.setdefault(fingerprint(task, item), item)
            if len(found) == count:
                return list(found.values())
    raise ValueError(f"the worlds have only {len(found)} different items of {task} in {split}, of {count} wanted")


def finish(
    weights: Path,
    work: Path,
    run: Path,
    stages: Sequence[Stage],
    out: Path,
    docs: Path,
    shape: Mapping[str, int],
    held_out: Mapping[str, int] = HELD_OUT,
) -> list[str]:
    """Write everything that comes of a training: files of the package, figures, picture and card.

    Args:
        weights: File of the trained weights.
        work: Directory of the vocabulary and the texts.
        run: Directory of the training: in it, the directory of each stage with ``log.jsonl`` and ``words.txt``.
        stages: What was trained.
        out: Directory of the package's files.
        docs: Directory of the figures, the picture and the card.
        shape: Sizes that are not the usual ones.
        held_out: Split -> items of each task.

    Returns:
        A line for each gate that the figures do not pass.
    """
    import torch

    from tools.generate_model_card import render
    from tools.mini.curve import draw, joined, read_log
    from tools.mini.figures import all_figures, failures, leaks
    from tools.mini.model import MiniModel, mini_config
    from tools.mini.stages import stage_directories
    from tools.mini.times import seconds_in
    from tools.mini.writing import write_weights

    began = time.monotonic()
    vocabulary, directories = work / "vocabulary", stage_directories(run, stages, shape)
    tokenizer = tokenizer_in(vocabulary)
    model = MiniModel(mini_config(len(tokenizer.get_vocab()), **shape))
    model.load_state_dict(torch.load(weights, weights_only=True))
    out.mkdir(parents=True, exist_ok=True)
    for name in ("spiece.model", "tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(vocabulary / name, out / name)
    known = words_known(tokenizer, directories)
    for task in FIGURE:
        for split, count in held_out.items():
            write_items(held_out_path(out, task, split), held_out_items(task, split, count, tokenizer, known))
    write_weights(out, model, {})
    figures = all_figures(out)
    write_weights(out, model, figures["tasks"])
    trained = [path for stage in stages for path in shards(work / "data", stage.counts, stage.seed)[0]]
    figures["leaks"] = leaks(held_out_sets(out), stored_fingerprints(trained))
    logs = [read_log(directory / "log.jsonl") for directory in directories]
    log = joined(logs)
    draw(log, [own[-1]["tokens"] for own in logs[:-1]], docs / "mini-training-curve.png")
    seconds = seconds_in(vocabulary / "seconds.json")
    for part in ("texts", "training"):
        own = [seconds_in(directory / "seconds.json").get(part) for directory in directories]
        if None not in own:
            seconds[part] = round(sum(filter(None, own)), 1)
    seconds["files and figures"] = round(time.monotonic() - began, 1)
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
            "seconds": seconds,
            "machine": f"{platform.machine()}, {os.cpu_count()} processors, torch {torch.__version__}",
            "curve": [
                {key: entry[key] for key in ("step", "tokens", "figures")} for entry in log if "figures" in entry
            ],
        },
    }
    (docs / "mini-metrics.json").write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
    (docs / "model-card.md").write_text(render(metrics, model.config), encoding="utf-8")
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
