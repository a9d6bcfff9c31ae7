"""The figures of albert-mini, taken from the files that the package carries."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from albert_export.parity.metric_formulas import exact_match
from tools.mini.data import fingerprint, items_of, tokenizer_in
from tools.mini.eager import eager_runtime, product_model
from tools.mini.evaluation import FIGURE, figures, item_scores
from tools.mini.writing import held_out_path, read_items

#: What the files have to reach: (task, split) -> least value of the task's first figure.
GATES = {
    ("question-answering", "held_out"): 90.0,
    ("token-classification", "held_out"): 95.0,
    ("text-classification", "held_out"): 95.0,
    ("multiple-choice", "held_out"): 85.0,
    ("fill-mask", "held_out"): 60.0,
    ("pretraining", "held_out"): 90.0,
    ("question-answering", "new_patterns"): 60.0,
}
#: What a reader who only counts words may reach in exact match, or the questions are too easy.
BASELINE_LIMIT = 50.0
#: Seed and number of the questions about texts of each length.
LENGTH_SEED, LENGTH_ITEMS = 3030, 150
#: Ends of the ranges of tokens by which answers are counted.
LENGTH_ENDS = (64, 128, 192, 256, 320, 384, 512)


def pipeline_of(directory: Path, task: str) -> Any:
    """Return the product's pipeline of a task on the files in a directory, in fp32 on the eager model."""
    import torch

    from albert_export.checkpoints.safetensors_file import numpy_tensors
    from albert_export.config import AlbertConfig
    from albert_export.pipelines import pipeline_class

    def read(path: Path) -> dict[str, torch.Tensor]:
        return {name: torch.from_numpy(array.astype(np.float32)) for name, array in numpy_tensors([path]).items()}

    config = AlbertConfig.from_json_file(directory / "config.json")
    head = directory / "heads" / f"{task}.safetensors"
    model = product_model(read(directory / "encoder.safetensors"), read(head) if head.exists() else {}, config, task)
    return pipeline_class(task)(eager_runtime(model, task), tokenizer_in(directory))


def all_figures(directory: Path) -> dict[str, Any]:
    """Return the figures of every task and split, of questions by length of the text, and of the baseline.

    Args:
        directory: The package's files, held-out sets among them.
    """
    from tools.mini.worlds import baseline

    found: dict[str, dict[str, Any]] = {}
    for task in FIGURE:
        with pipeline_of(directory, task) as pipeline:
            for split in ("held_out", "new_patterns"):
                items = read_items(held_out_path(directory, task, split))
                values = {name: round(value, 2) for name, value in figures(task, pipeline, items).items()}
                found.setdefault(task, {})[split] = {**values, "items": len(items)}
    questions = {
        split: read_items(held_out_path(directory, "question-answering", split))
        for split in ("held_out", "new_patterns")
    }
    with pipeline_of(directory, "question-answering") as pipeline:
        by_length = answers_by_length(pipeline)
    return {
        "parameters": parameter_count(directory),
        "tasks": found,
        "question_answering_by_tokens": by_length,
        "baseline_exact_match": {
            split: round(baseline_score(items, baseline.answer), 2) for split, items in questions.items()
        },
    }


def parameter_count(directory: Path) -> dict[str, int]:
    """Return how many numbers the encoder and the heads have."""
    from albert_export.checkpoints.safetensors_file import numpy_tensors

    def count(path: Path) -> int:
        return sum(int(np.prod(array.shape)) for array in numpy_tensors([path]).values())

    # The masked-word head lies in two files: counted once, with sentence order.
    heads = {path.stem: count(path) for path in sorted((directory / "heads").glob("*.safetensors"))}
    encoder = count(directory / "encoder.safetensors")
    return {"encoder": encoder, **heads, "all": encoder + sum(heads.values()) - heads.get("fill-mask", 0)}


def baseline_score(items: Sequence[Mapping[str, Any]], answer: Any) -> float:
    """Return the exact match, 0 to 100, of a function from question and context to an answer."""
    return 100 * float(
        np.mean([exact_match(answer(item["question"], item["context"]), item["answers"]) for item in items])
    )


def answers_by_length(pipeline: Any) -> list[dict[str, Any]]:
    """Return exact match by tokens of question and context, over texts of every length that the worlds make."""
    items = [
        item
        for length in ("short", "normal", "long")
        for item in items_of("question-answering", "held_out", LENGTH_ITEMS, LENGTH_SEED, length=length)
    ]
    tokens = np.asarray([len(pipeline.tokenizer(item["question"], item["context"])["input_ids"]) for item in items])
    right = np.asarray([score["exact_match"] for score in item_scores("question-answering", pipeline, items)])
    found = []
    for low, high in zip((0, *LENGTH_ENDS), LENGTH_ENDS, strict=False):
        chosen = (tokens > low) & (tokens <= high)
        if chosen.any():
            value = round(100 * float(right[chosen].mean()), 2)
            found.append({"tokens": [low + 1, high], "items": int(chosen.sum()), "exact_match": value})
    return found


def leaks(
    sets: Mapping[tuple[str, str], Sequence[Mapping[str, Any]]], trained: Mapping[str, Collection[int]]
) -> dict[str, int]:
    """Return for each task how many held-out items are items of the training set, letter case and spaces apart.

    Args:
        sets: (task, split) -> items.
        trained: Task -> fingerprints of its items in the training set; every task is there.
    """
    found = dict.fromkeys((task for task, _ in sets), 0)
    for (task, _), items in sets.items():
        found[task] += sum(fingerprint(task, item) in trained[task] for item in items)
    return found


def failures(figures: Mapping[str, Any]) -> list[str]:
    """Return a line for each gate that figures do not pass.

    Args:
        figures: Those of :func:`all_figures`, and ``leaks`` where they were counted.
    """
    found = misses(figures["tasks"])
    if figures["baseline_exact_match"]["held_out"] >= BASELINE_LIMIT:
        found.append(f"the questions are too easy: the baseline reaches {BASELINE_LIMIT:.0f}")
    return found + [
        f"{task}: {count} held-out items leaked" for task, count in figures.get("leaks", {}).items() if count
    ]


def misses(tasks: Mapping[str, Mapping[str, Mapping[str, float]]]) -> list[str]:
    """Return a line for each figure that is below its gate."""
    return [
        f"{task}, {split}: {tasks[task][split][FIGURE[task]]:.1f} is below {least:g}"
        for (task, split), least in GATES.items()
        if tasks[task][split][FIGURE[task]] < least
    ]
