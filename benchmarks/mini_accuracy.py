"""Measure what albert-mini answers rightly, how far a reader who only counts words gets, and that nothing leaked.

Everything is taken from the files of the package, in fp32 on the eager model, through the product's own pipelines:
the held-out sets (names that training never saw) and those of new patterns (sentences that it never saw, too); exact
match by the length of the text; the baseline; and how many held-out items are in the training set, which is generated
anew for this. A figure below its gate, a baseline above its limit or a leak ends with exit code 1.

Usage: ``python -m benchmarks.mini_accuracy [--skip-leaks] [--save FILE]``
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import albert_export.builtin
from benchmarks.measuring import save, table
from tools.mini.data import training_fingerprints
from tools.mini.evaluation import FIGURE
from tools.mini.figures import GATES, all_figures, failures, leaks
from tools.mini.finishing import held_out_sets
from tools.mini.stages import STAGES, Stage

FILES = Path(albert_export.builtin.__file__).parent / "mini"


def trained_on(stages: Sequence[Stage], tasks: Iterable[str], processes: int = 2) -> dict[str, set[int]]:
    """Return task -> fingerprints of all its items in the training sets, which are generated anew.

    Args:
        stages: Those of the training.
        tasks: Names of heads.
        processes: How many generate the texts.
    """
    return {
        task: set().union(
            *(
                training_fingerprints(
                    {key: n for key, n in stage.counts.items() if key[0] == task}, stage.seed, processes
                )
                for stage in stages
            )
        )
        for task in tasks
    }


def main() -> int:
    """Parse the arguments, measure, print, save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=Path, default=FILES, help="directory of the model's files")
    parser.add_argument(
        "--skip-leaks", action="store_true", help="do not generate the training set, which takes minutes"
    )
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
    for split, value in figures["baseline_exact_match"].items():
        print(f"a reader who only counts words, {split.replace('_', ' ')}: exact match {value:.1f}")
    if not arguments.skip_leaks:
        figures["leaks"] = leaks(held_out_sets(arguments.files), trained_on(STAGES, FIGURE))
        print(f"held-out items in the training set: {sum(figures['leaks'].values())}")
    save(arguments.save, "mini_accuracy", arguments, figures)
    missed = failures(figures)
    for miss in missed:
        print(f"MISS {miss}")
    return 1 if missed else 0


def _gate(task: str, split: str, name: str) -> str:
    least = GATES.get((task, split)) if name == FIGURE[task] else None
    return "" if least is None else f"{least:.0f}"


if __name__ == "__main__":
    sys.exit(main())
