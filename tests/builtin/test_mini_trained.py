"""The trained files that the package carries: small, as good as their card says, and nothing lost in an export."""

from __future__ import annotations

from typing import Any

import pytest

import albert_export
from albert_export.builtin import HELD_OUT_SETS, held_out_file
from albert_export.builtin.trained import FILES
from albert_export.bundle import Bundle
from albert_export.checkpoints import open_checkpoint, parameters
from albert_export.config import AlbertConfig
from albert_export.parity.data import read_data
from albert_export.parity.metric_formulas import exact_match
from albert_export.tasks import TASKS, Task, get_task
from tests.packaging.test_pages import demo_of_the_readme
from tools.generate_model_card import CARD, read_metrics, render
from tools.mini.encoding import TEXT_LABELS, TOKEN_LABELS
from tools.mini.evaluation import FIGURE
from tools.mini.figures import BASELINE_LIMIT, misses

MINI = "albert-mini"
QA = get_task("question-answering")
LARGEST_SIZE = 6_000_000

Proven = dict[str, Bundle]


@pytest.fixture(scope="module")
def metrics() -> dict[str, Any]:
    """The figures of the model card."""
    return read_metrics()


@pytest.fixture(scope="module")
def proven(tmp_path_factory: pytest.TempPathFactory) -> Proven:
    """Precision -> a bundle that was proven on the held-out questions, model and data by default."""
    out = tmp_path_factory.mktemp("mini")
    return {
        precision: albert_export.export("onnx", task="qa", out=out / precision, precision=precision)
        for precision in ("fp32", "int8")
    }


def test_the_files_are_small(metrics: dict[str, Any]) -> None:
    size = sum(path.stat().st_size for path in FILES.rglob("*") if path.is_file())
    assert 0 < size <= LARGEST_SIZE
    assert size == pytest.approx(metrics["bytes"], rel=0.01)


def test_every_figure_reaches_what_it_must(metrics: dict[str, Any]) -> None:
    assert misses(metrics["tasks"]) == []
    assert metrics["baseline_exact_match"]["held_out"] < BASELINE_LIMIT


def test_no_held_out_item_was_trained_on(metrics: dict[str, Any]) -> None:
    assert metrics["leaks"] == dict.fromkeys(FIGURE, 0)


def test_the_card_is_current(metrics: dict[str, Any]) -> None:
    config = AlbertConfig.from_json_file(FILES / "config.json")
    assert CARD.read_text(encoding="utf-8") == render(metrics, config), "run `make docs`"


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_every_head_is_the_default_s_and_has_its_held_out_sets(task: Task, metrics: dict[str, Any]) -> None:
    checkpoint = open_checkpoint(None, task=task)
    assert checkpoint.source_name == MINI
    assert checkpoint.shapes().items() >= parameters(checkpoint.config, task).items()
    labels = {"text-classification": TEXT_LABELS, "token-classification": TOKEN_LABELS}.get(task.name)
    assert labels is None or tuple(checkpoint.config.id2label.values()) == labels
    for kind, split in zip(HELD_OUT_SETS, ("held_out", "new_patterns"), strict=True):
        path = held_out_file(MINI, task, kind)
        assert path is not None
        assert len(read_data(path).items) == metrics["tasks"][task.name][split]["items"]


@pytest.mark.slow
@pytest.mark.parametrize(("precision", "allowed"), [("fp32", 0.0), ("int8", 0.5)])
def test_an_export_keeps_the_answers(proven: Proven, metrics: dict[str, Any], precision: str, allowed: float) -> None:
    parity = proven[precision].manifest.artifacts[0].parity
    assert parity is not None
    assert parity["data"]["name"] == f"held-out of {MINI}"
    measured = parity["metrics"]["exact match"]
    assert (measured["max_drop"], measured["drop"] <= allowed) == (allowed, True)
    # What the card tells is what these files do; another machine's rounding may turn a near tie or two of the thousand.
    figure = metrics["tasks"][QA.name]["held_out"]["exact_match"]
    assert measured["before"] == pytest.approx(figure, abs=0.5)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_the_demo_s_questions_are_answered_as_the_readme_says(proven: Proven, precision: str) -> None:
    paragraph, answers = demo_of_the_readme()
    with albert_export.pipeline(proven[precision].path) as qa:
        found = {question: qa(question=question, context=paragraph).text for question in answers}
    wrong = {question: text for question, text in found.items() if not exact_match(text, [answers[question]])}
    assert wrong == {}
