"""Measure what albert-mini answers rightly, how far a reader who only counts words gets, and that nothing leaked.

Everything is taken from the files of the package, in fp32 on the eager model, through the product's own pipelines:
the held-out sets (names that training never saw) and those of new patterns (sentences that it never saw, too); exact
match by the length of the text; the baseline; and how many held-out items are in the training set, which is generated
anew for this. A figure below its gate, a baseline above its limit or a leak ends with exit code 1.

Usage: ``python -m benchmarks.mini_accuracy [--skip-leaks] [--metrics docs/mini-metrics.json] [--save FILE]``
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import albert_export.builtin
from benchmarks.measuring import save, table
from tools.mini.data import fingerprint, training_fingerprints
from tools.mini.evaluation import FIGURE
from tools.mini.figures import BASELINE_LIMIT, GATES, all_figures, misses
from tools.mini.finishing import held_out_sets
from tools.mini.stages import STAGES, Stage

FILES = Path(albert_export.builtin.__file__).parent / "mini"


def leaks(
    sets: Mapping[tuple[str, str], Sequence[Mapping[str, Any]]], stages: Sequence[Stage], processes: int = 2
) -> dict[str, int]:
    """Return for each task how many held-out items the training sets have, letter case and spaces apart.

    Args:
        sets: (task, split) -> items.
        stages: Those of the training.
        processes: How many generate its texts.
    """
    found = {}
    for task in dict.fromkeys(task for task, _ in sets):
        trained: set[int] = set()
        for stage in stages:
            own = {key: count for key, count in stage.counts.items() if key[0] == task}
            trained |= training_fingerprints(own, stage.seed, processes)
        found[task] = sum(
            fingerprint(task, item) in trained for (name, _), items in sets.items() if name == task for item in items
        )
    return found


def main() -> int:
    """Parse the arguments, measure, print, save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=Path, default=FILES, help="directory of the model's files")
    parser.add_argument(
        "--skip-leaks", action="store_true", help="do not generate the training set, which takes minutes"
    )
    parser.add_argument("--metrics", type=Path, help="file of the model card's figures, to put these into")
    parser.add_argument("--save", type=Path, help="where to write the results")
    arguments = parser.parse_args()
    figures = all_figures(arguments.files)
    rows = [
        (
            task,
            split.replace("_", " "),
            values["items"],
            name.replace("_", " "),
            f"{value:.1f}",
            _gate(task, split, name),
        )
        for task, splits in figures["tasks"].items()
        for split, values in splits.items()
        for name, value in values.items()
        if name != "items"
    ]
    print(table(("task", "split", "items", "figure", "of 100", "at least"), rows))
    print("\nquestion answering by tokens of question and text")
    lengths = [
        (f"{row['tokens'][0]} to {row['tokens'][1]}", str(row["items"]), f"{row['exact_match']:.1f}")
        for row in figures["question_answering_by_tokens"]
    ]
    print(table(("tokens", "items", "exact match"), lengths))
    failures = misses(figures["tasks"])
    for split, value in figures["baseline_exact_match"].items():
        print(f"a reader who only counts words, {split.replace('_', ' ')}: exact match {value:.1f}")
    if figures["baseline_exact_match"]["held_out"] >= BASELINE_LIMIT:
        failures.append(f"the questions are too easy: the baseline reaches {BASELINE_LIMIT:.0f}")
    if not arguments.skip_leaks:
        figures["leaks"] = leaks(held_out_sets(arguments.files), STAGES)
        print(f"held-out items in the training set: {sum(figures['leaks'].values())}")
        failures += [f"{task}: {count} held-out items leaked" for task, count in figures["leaks"].items() if count]
    if arguments.metrics is not None:
        store(arguments.metrics, figures)
    save(arguments.save, "mini_accuracy", arguments, figures)
    for failure in failures:
        print(f"MISS {failure}")
    return 1 if failures else 0


def store(path: Path, figures: Mapping[str, Any]) -> None:
    """Put figures into the file that the training has written, in the place of its own."""
    stored = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**stored, **figures}, indent=2) + "\n", encoding="utf-8")


def _gate(task: str, split: str, name: str) -> str:
    least = GATES.get((task, split)) if name == FIGURE[task] else None
    return "" if least is None else f"{least:.0f}"


if __name__ == "__main__":
    sys.exit(main())
