"""Parity of packed artifacts: real tokens as ever, and at padding the token that is repeated."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

from albert_export.bundle import Bundle, BundleWriter
from albert_export.exporting import export
from albert_export.parity import check_parity
from albert_export.parity.onnx_states import read_onnx_states
from albert_export.parity.packed_padding import repeated_at_padding
from albert_export.runtimes.onnxruntime_runtime import OnnxRuntime
from albert_export.tasks import TASKS
from tests.parity.conftest import MakeBundle, MakeCheckpoint
from tests.parity.edits import disturb_after, disturb_turn, edited, mask_ignored

QA = "question-answering"


def claiming(bundle: Bundle, directory: Path, tokens: str) -> Bundle:
    """Return a copy of the bundle whose manifest says another form of the tokens than the file has."""
    shutil.copytree(bundle.path, directory / "claiming")
    (artifact,) = bundle.manifest.artifacts
    with BundleWriter(directory / "claiming", task=bundle.manifest.task, source=bundle.manifest.source) as writer:
        writer.put_artifact(dataclasses.replace(artifact, facts={**artifact.facts, "tokens": tokens}))
        return writer.commit()


def test_padding_repeats_the_last_real_token_or_the_first_of_the_row() -> None:
    mask = np.array([[1, 1, 0, 0], [0, 0, 1, 0], [1, 0, 1, 1], [0, 0, 0, 0]])
    values = np.arange(32.0).reshape(4, 4, 2)
    found = repeated_at_padding(values, mask)[..., 0] / 2
    assert found.tolist() == [[0, 1, 1, 1], [4, 4, 6, 6], [8, 8, 10, 11], [12, 12, 12, 12]]


@pytest.mark.parametrize("task", [task.name for task in TASKS])
def test_parity_holds_of_every_task(task: str, bundle_of: MakeBundle, checkpoint_of: MakeCheckpoint) -> None:
    report = check_parity(bundle_of(task, tokens="packed"), model=checkpoint_of(task))
    assert report.ok, report.summary_table()


@pytest.mark.parametrize("precision", ["int8", "fp16"])
def test_parity_holds_in_lower_precision(precision: str, bundle_of: MakeBundle, checkpoint_of: MakeCheckpoint) -> None:
    task = "feature-extraction"
    report = check_parity(bundle_of(task, tokens="packed", precision=precision), model=checkpoint_of(task))
    assert report.ok, report.summary_table()


@pytest.mark.parametrize(("made", "claimed"), [("packed", "padded"), ("padded", "packed")])
def test_the_other_form_misses_at_padding_and_there_alone(
    made: str, claimed: str, bundle_of: MakeBundle, checkpoint_of: MakeCheckpoint, tmp_path: Path
) -> None:
    bundle = claiming(bundle_of(QA, tokens=made), tmp_path, claimed)
    (artifact,) = check_parity(bundle, model=checkpoint_of(QA)).artifacts
    assert {(output.places, output.ok) for output in artifact.outputs} == {("real", True), ("padding", False)}


def test_a_packed_artifact_that_ignores_the_mask_misses(
    bundle_of: MakeBundle, checkpoint_of: MakeCheckpoint, tmp_path: Path
) -> None:
    bundle = edited(bundle_of(QA, tokens="packed"), tmp_path, mask_ignored)
    (artifact,) = check_parity(bundle, model=checkpoint_of(QA)).artifacts
    assert not any(output.ok for output in artifact.outputs if output.places == "real")


@pytest.mark.parametrize(
    ("layers", "edit"), [("rolled", disturb_turn(1, 0)), ("unrolled", disturb_after(3))], ids=["rolled", "unrolled"]
)
def test_a_miss_is_located(
    layers: str, edit, bundle_of: MakeBundle, checkpoint_of: MakeCheckpoint, tmp_path: Path
) -> None:
    bundle = edited(bundle_of(QA, tokens="packed", layers=layers), tmp_path, edit)
    (artifact,) = check_parity(bundle, model=checkpoint_of(QA), explain=True).artifacts
    assert artifact.divergence is not None and artifact.divergence.place == "layer 3"


@pytest.mark.parametrize("layers", ["rolled", "unrolled"])
def test_hidden_states_have_their_places(layers: str, bundle_of: MakeBundle) -> None:
    inputs = {
        "input_ids": np.array([[2, 5, 9, 3], [2, 7, 3, 0]]),
        "attention_mask": np.array([[1, 1, 1, 1], [1, 1, 1, 0]]),
        "token_type_ids": np.array([[0, 0, 1, 1], [0, 0, 0, 0]]),
    }
    states = {}
    for tokens in ("packed", "padded"):
        bundle = bundle_of("feature-extraction", layers=layers, tokens=tokens)
        with OnnxRuntime.open(bundle, bundle.select()) as runtime:
            states[tokens] = read_onnx_states(bundle.file(bundle.select()), runtime, [inputs, inputs])
    assert sorted(states["packed"]) == sorted(states["padded"]) == [0, 1, 2, 3, 4]
    mask = np.concatenate([inputs["attention_mask"]] * 2)
    for layer, state in states["padded"].items():
        expected = repeated_at_padding(state, mask)
        np.testing.assert_allclose(states["packed"][layer], expected, rtol=0, atol=1e-5)


def test_both_forms_lie_side_by_side_and_the_default_one_is_meant(
    checkpoint_of: MakeCheckpoint, tmp_path: Path
) -> None:
    for tokens in (None, "packed"):
        bundle = export("onnx", model=checkpoint_of(QA), task=QA, out=tmp_path / "qa", tokens=tokens, parity=False)
    assert {artifact.file: artifact.facts["tokens"] for artifact in bundle.manifest.artifacts} == {
        "onnx/model.onnx": "padded",
        "onnx/model_packed.onnx": "packed",
    }
    assert bundle.select().file == "onnx/model.onnx"
    assert bundle.select(file="onnx/model_packed.onnx").facts["tokens"] == "packed"
