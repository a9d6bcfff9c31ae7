"""Exports with chosen positions, from the option to the pipeline: what they hold, answer, prove and refuse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import albert_export as ax
from albert_export.bench.entries import choose_entries
from albert_export.bench.shapes import Shape
from albert_export.errors import InputError
from albert_export.inspection import inspect_bundle, render
from albert_export.positions import at_positions, gathered, task_with
from albert_export.tasks import TASKS, get_task
from tests.parity.edits import Edit, edited, first_position_for_all, unchanged

TEXTS = ["the city by the [MASK].", "[MASK] is in the [MASK] of the [MASK], by the sea", "a day in [MASK]"]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> ax.Bundle:
    """A bundle with the plain form and the one with positions, both proven."""
    out = tmp_path_factory.mktemp("positions") / "mlm"
    ax.export("onnx", model="albert-seeded", task="mlm", out=out, parity=False)
    return ax.export("onnx", model="albert-seeded", task="mlm", out=out, positions=True)


def flat(found: Any) -> list[Any]:
    """The fills of all masks of all texts."""
    return [fill for each in found for fill in flat(each)] if isinstance(found, list) else [found]


FILE = "onnx/model_positions.onnx"


def test_the_bundle_says_what_the_artifact_takes(both: ax.Bundle) -> None:
    artifact = both.select(file=FILE)
    assert artifact.inputs[-1] == {"name": "positions", "dtype": "int64", "shape": ["batch", "positions"]}
    assert artifact.outputs[0]["shape"][:2] == ["batch", "positions"]
    assert artifact.shapes == {"batch": None, "sequence": None, "positions": None}
    assert artifact.parity is not None and artifact.parity["ok"] is True
    assert "input    positions int64 [batch, positions]" in render(inspect_bundle(both))
    assert both.task_of(artifact) == at_positions(get_task("mlm"))
    assert both.task_of(both.select(file="onnx/model.onnx")) == get_task("mlm")
    assert both.select().file == "onnx/model.onnx"  # the general form is the one that is meant


def test_a_run_gives_the_logits_of_the_plain_form(both: ax.Bundle) -> None:
    ids = np.random.default_rng(0).integers(5, 2000, (3, 11))
    with ax.load(both, file="onnx/model.onnx") as plain, ax.load(both, file=FILE) as chosen:
        every = plain.run(input_ids=ids)["logits"]
        positions = np.array([[0, 10], [5, 5], [9, 1]])
        some = chosen.run(input_ids=ids, positions=positions)["logits"]
        np.testing.assert_allclose(some, gathered(every, positions), rtol=0, atol=1e-4)
        np.testing.assert_allclose(chosen.run(input_ids=ids)["logits"], every, rtol=0, atol=1e-4)  # all, in order


@pytest.mark.parametrize(
    ("positions", "message"),
    [
        ([[0, 11]], r"positions must be from 0 to sequence - 1 = 10; received 11 at positions\[0, 1\]; fix: count"),
        ([[-1]], r"positions must be from 0 to sequence - 1 = 10; received -1 at positions\[0, 0\]"),
        ([[0], [1]], r"a row for each row of input_ids; received input_ids \[1, 11\], positions \[2, 1\]; fix: repeat"),
        ([[]], r"every axis of positions must have at least one element; .*fix: leave positions out for all"),
        ([0, 1], r"positions must have the 2 axes \[batch, positions\]"),
        ([[0, 1], [0]], "positions must be a rectangular array; .*fix: repeat a position"),
        ([[0.5]], "positions must hold whole numbers"),
    ],
)
def test_positions_that_no_row_has_are_told(both: ax.Bundle, positions: object, message: str) -> None:
    with ax.load(both, file=FILE) as chosen, pytest.raises(InputError, match=message):
        chosen.run(input_ids=np.full((1, 11), 7), positions=positions)


def test_the_plain_form_takes_none(both: ax.Bundle) -> None:
    with ax.load(both, file="onnx/model.onnx") as plain, pytest.raises(InputError, match="export fill-mask with pos"):
        plain.run(input_ids=[[2, 3]], positions=[[0]])


def test_the_pipeline_asks_for_the_masks_and_fills_them_alike(both: ax.Bundle) -> None:
    with ax.pipeline(both, file="onnx/model.onnx") as plain, ax.pipeline(both, file=FILE) as chosen:
        asked = []
        run = chosen.runtime.run
        chosen.runtime.run = lambda **inputs: asked.append(inputs["positions"]) or run(**inputs)  # type: ignore[method-assign]
        expected, found = plain(TEXTS, top_k=3), chosen(TEXTS, top_k=3)
    (positions,) = asked
    assert positions.shape == (3, 3)
    assert sorted(len(set(row)) for row in positions.tolist()) == [1, 1, 3]
    assert [len(fills) for fills in found] == [3, 3, 3]  # of the first and the last text words, of the second masks
    for one, other in zip(flat(expected), flat(found), strict=True):
        assert (one.token, one.sequence) == (other.token, other.sequence)
        assert one.score == pytest.approx(other.score, rel=1e-4)


def test_a_fixed_batch_is_filled_up(tmp_path: Path) -> None:
    options = {"model": "albert-seeded", "task": "mlm", "batch": 2, "sequence": 24, "positions": True}
    bundle = ax.export("onnx", out=tmp_path / "mlm", **options)
    (artifact,) = bundle.manifest.artifacts
    assert artifact.file == "onnx/model_b2_s24_positions.onnx"
    assert artifact.parity is not None and artifact.parity["ok"] is True
    with ax.pipeline(bundle) as fill:
        assert [len(fills) for fills in fill(TEXTS, top_k=2)] == [2, 3, 2]


def test_a_bundle_proves_its_padded_and_its_packed_form(tmp_path: Path) -> None:
    """Asked for padding, one gives what the model computes there, the other what it repeats."""
    options = {"model": "albert-seeded", "task": "mlm", "positions": True, "out": tmp_path / "mlm", "parity": False}
    ax.export("onnx", **options)
    bundle = ax.export("onnx", tokens="packed", **options)
    report = ax.check_parity(bundle, model="albert-seeded")
    assert {result.file: result.ok for result in report.artifacts} == {
        "onnx/model_positions.onnx": True,
        "onnx/model_packed_positions.onnx": True,
    }, report.summary_table()
    assert any(pool.places == "padding" for result in report.artifacts for pool in result.outputs)


@pytest.mark.parametrize("edit", [unchanged, first_position_for_all], ids=lambda edit: edit.__name__)
def test_parity_sees_logits_of_other_positions(edit: Edit, tmp_path: Path) -> None:
    options = {"model": "albert-seeded", "task": "mlm", "positions": True, "parity": False}
    bundle = edited(ax.export("onnx", out=tmp_path / "mlm", **options), tmp_path, edit)
    report = ax.check_parity(bundle, model="albert-seeded")
    assert report.ok is (edit is unchanged), report.summary_table()


def test_the_bench_asks_for_one_position_a_row(both: ax.Bundle) -> None:
    plain, chosen = choose_entries([both.path])
    shape = Shape(4, 32, padded=True)
    assert "positions" not in plain.inputs(shape, 0)
    inputs = chosen.inputs(shape, 0)
    assert inputs["positions"].shape == (4, 1)
    assert gathered(inputs["attention_mask"], inputs["positions"]).all()


@pytest.mark.parametrize("task", [task.name for task in TASKS if task.name != "fill-mask"])
def test_other_heads_have_no_positions(task: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"positions are chosen for fill-mask.*received positions for {task}; fix"):
        ax.export("onnx", model="albert-seeded", task=task, out=tmp_path / "out", positions=True)
    assert task_with(get_task(task), ["input_ids", "positions"]) == get_task(task)


def test_calibrated_ranges_are_those_of_all_positions(tmp_path: Path) -> None:
    options = {"model": "albert-seeded", "task": "mlm", "precision": "int8", "calibrate": "builtin", "parity": False}
    plain = ax.export("onnx", out=tmp_path / "plain", **options)
    chosen = ax.export("onnx", out=tmp_path / "chosen", positions=True, **options)
    assert chosen.manifest.artifacts[0].file == "onnx/model_int8_static_positions.onnx"
    ids, positions = np.random.default_rng(1).integers(5, 2000, (2, 9)), np.array([[8, 0], [3, 3]])
    with ax.load(plain) as every, ax.load(chosen) as some:
        expected = gathered(every.run(input_ids=ids)["logits"], positions)
        np.testing.assert_allclose(some.run(input_ids=ids, positions=positions)["logits"], expected, rtol=0, atol=1e-3)
