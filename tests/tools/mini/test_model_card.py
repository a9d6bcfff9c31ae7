"""The model card tells the figures that are stored, beside what they must reach, and claims none that nobody took."""

from __future__ import annotations

from typing import Any

import pytest

from albert_export.config import AlbertConfig
from tools.generate_model_card import render
from tools.mini.evaluation import FIGURE
from tools.mini.figures import GATES

CONFIG = AlbertConfig(
    vocab_size=8000,
    embedding_size=96,
    hidden_size=192,
    num_hidden_layers=6,
    num_attention_heads=6,
    intermediate_size=768,
    max_position_embeddings=512,
)


@pytest.fixture
def metrics() -> dict[str, Any]:
    """What a training might write; every figure is another number."""
    figures = {**{task: (name,) for task, name in FIGURE.items()}, "question-answering": ("exact_match", "f1")}
    figures["fill-mask"] = ("top1", "top5")
    tasks = {
        task: {
            split: {**{name: base - row - column / 4 for column, name in enumerate(names)}, "items": items}
            for split, base, items in (("held_out", 99.0, 300), ("new_patterns", 88.0, 150))
        }
        for row, (task, names) in enumerate(figures.items())
    }
    return {
        "model": "albert-mini",
        "parameters": {"encoder": 1_234_567, "question-answering": 386, "all": 1_300_000},
        "tasks": tasks,
        "question_answering_by_tokens": [{"tokens": [1, 64], "items": 210, "exact_match": 93.25}],
        "baseline_exact_match": {"held_out": 31.5, "new_patterns": 22.5},
        "bytes": 4_560_000,
        "training": {
            "stages": [
                {
                    "name": "first",
                    "items": {"question-answering": 75_000, "question-answering long": 3_000},
                    "tokens_per_second": 7_100,
                },
                {"name": "second", "items": {"question-answering": 8_000}, "tokens_per_second": 8_200},
            ],
            "steps": 12_930,
            "tokens": 26_000_000,
            "seconds": {"vocabulary": 12.0, "texts": 120.0, "training": 3600.0, "files and figures": 60.0},
            "machine": "x86_64, 2 processors, torch 2.13.0",
            "curve": [],
        },
        "leaks": dict.fromkeys(FIGURE, 0),
    }


def cells(card: str, *beginning: str) -> list[str]:
    """The row of a table that begins with these cells."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in card.splitlines() if line[:1] == "|"]
    (found,) = (row for row in rows if row[: len(beginning)] == list(beginning))
    return found[len(beginning) :]


def test_every_figure_stands_beside_what_it_must_reach(metrics: dict[str, Any]) -> None:
    card = render(metrics, CONFIG)
    assert cells(card, "question-answering", "exact match") == ["99.0", "90", "88.0", "60"]
    assert cells(card, "question-answering", "F1 of words") == ["98.8", "", "87.8", ""]
    for task, split in GATES:
        name = {"exact_match": "exact match", "entity_f1": "F1 of entities", "top5": "top-5"}.get(
            FIGURE[task], "accuracy"
        )
        value = metrics["tasks"][task][split][FIGURE[task]]
        shown = cells(card, task, name)
        place = 0 if split == "held_out" else 2
        assert shown[place : place + 2] == [f"{value:.1f}", f"{GATES[task, split]:.0f}"]
    assert cells(card, "1 to 64") == ["210", "93.2"]
    assert cells(card, "question-answering long") == ["3,000", "0"]


def test_sizes_training_baseline_and_leaks_are_told(metrics: dict[str, Any]) -> None:
    metrics["leaks"]["pretraining"] = 7
    card = " ".join(render(metrics, CONFIG).split())
    for told in (
        "exact match of 31.5 on the held-out questions (it must stay below 50,",
        "22.5 on those of new patterns",
        "Of all items of both sets, 7 are items of the same task in the training set",
        "One layer, 192 wide with 6 heads of attention and 768 in between, is applied 6 times",
        "1,234,567 parameters are the encoder's, 1,300,000 are all",
        "take 4.6 MB",
        "It took 63.2 minutes: 0.2 for the vocabulary, 2.0 for the texts, 60.0 for the training and 1.0 for the files "
        "and figures. The training took 12,930 steps over 26.0 million tokens, at 7,100 and 8,200 a second, "
        "evaluations not counted (x86_64, 2 processors, torch 2.13.0).",
        "## What it is not for",
        "Apache-2.0",
    ):
        assert told in card


def test_a_time_of_which_a_part_is_unknown_is_not_told(metrics: dict[str, Any]) -> None:
    del metrics["training"]["seconds"]["texts"]
    assert "It took" not in render(metrics, CONFIG)


def test_a_figure_that_is_missed_is_told(metrics: dict[str, Any]) -> None:
    assert "Not reached yet" not in render(metrics, CONFIG)
    metrics["tasks"]["multiple-choice"]["held_out"]["accuracy"] = 84.9
    assert "Not reached yet: multiple-choice, held_out: 84.9 is below 85." in " ".join(render(metrics, CONFIG).split())
