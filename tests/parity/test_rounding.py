"""The rounding of the int4 reference is worked out apart from the exporter's, equals it, and every report says so."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from albert_export.bundle import Bundle
from albert_export.checkpoints import open_checkpoint
from albert_export.graphs import onnx_int4
from albert_export.inspection import inspect_bundle, render
from albert_export.parity import check_parity, record_parity
from albert_export.parity.oracle import Oracle
from albert_export.parity.rounding import BLOCK, FEWEST_ROWS, round_to_blocks
from albert_export.tasks import get_task
from tests.parity.conftest import MakeBundle, MakeCheckpoint

QA = "question-answering"


def emitted(matrix: np.ndarray) -> np.ndarray:
    """What the exporter's packed numbers stand for."""
    count = -(-matrix.shape[1] // onnx_int4.BLOCK)
    filled = np.zeros((len(matrix), count * onnx_int4.BLOCK), np.float32)
    filled[:, : matrix.shape[1]] = matrix
    blocks = filled.reshape(len(matrix), count, -1)
    scales = onnx_int4.block_scales(blocks)
    numbers = (onnx_int4.codes(blocks, scales).astype(np.float32) - 8) * scales[..., None]
    return numbers.reshape(len(matrix), -1)[:, : matrix.shape[1]]


def test_a_block_by_hand() -> None:
    row = np.array([[8.0, -8.0, 7.4, -7.0, 0.5, 1.5, 0.0]], np.float32)
    # The step is -1: 8.0 is -8 steps, and -8.0, which would be 8, is cut off at 7.
    assert round_to_blocks(row).tolist() == [[8.0, -7.0, 7.0, -7.0, 0.0, 2.0, 0.0]]
    assert round_to_blocks(-row).tolist() == [[-8.0, 7.0, -7.0, 7.0, 0.0, -2.0, 0.0]]
    two = np.concatenate([row.repeat(5, axis=1)[:, :BLOCK], np.full((1, 3), 0.25, np.float32)], axis=1)
    assert round_to_blocks(two)[0, BLOCK:].tolist() == [0.25] * 3, "each block has a step of its own"
    assert not round_to_blocks(np.zeros((2, 40), np.float32)).any()


@pytest.mark.parametrize("width", [BLOCK, 5 * BLOCK, 77, 5])
def test_it_is_what_the_exporter_packs(width: int) -> None:
    generator = np.random.default_rng(width)
    matrix = generator.standard_normal((300, width)).astype(np.float32)
    matrix[:40] = generator.integers(-4, 5, (40, width)) / 4  # ties, and blocks with two largest numbers
    matrix[40:45] = 0.0
    np.testing.assert_array_equal(round_to_blocks(matrix), emitted(matrix))


def test_an_exported_artifact_holds_the_numbers_of_the_reference(
    bundle_of: MakeBundle, checkpoint_of: MakeCheckpoint
) -> None:
    """Read from the file itself: of the matrices that are narrower than a block, and of the table."""
    bundle, checkpoint = bundle_of(QA, precision="int4"), open_checkpoint(checkpoint_of(QA))
    (artifact,) = bundle.manifest.artifacts
    model = onnx.load(bundle.file(artifact))
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    tensors = checkpoint.numpy_tensors()
    compared = 0
    for name, packed in stored.items():
        if not name.endswith("_q4"):
            continue
        weight = name.removesuffix("_q4")
        codes = np.stack([packed & 15, packed >> 4], axis=-1).reshape(len(packed), -1, BLOCK).astype(np.float32)
        numbers = ((codes - 8) * stored[f"{weight}_scale"][..., None]).reshape(len(packed), -1)
        (original,) = [tensors[own] for own in tensors if own.removeprefix("albert.") == weight.removeprefix("albert.")]
        assert len(original) >= FEWEST_ROWS
        np.testing.assert_array_equal(numbers[:, : original.shape[1]], round_to_blocks(original))
        compared += 1
    assert compared >= 6


@pytest.fixture(scope="module")
def checked(bundle_of: MakeBundle, checkpoint_of: MakeCheckpoint, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    import shutil

    path = tmp_path_factory.mktemp("int4") / "qa"
    shutil.copytree(bundle_of(QA, precision="int4").path, path)
    bundle = Bundle.open(path)
    report = check_parity(bundle, model=checkpoint_of(QA))
    assert report.ok, report.summary_table()
    return record_parity(bundle, report, forms=("json", "junit", "markdown", "html"))


def test_every_report_names_the_rounded_reference_and_the_distance_from_the_model_itself(
    checked: Bundle, checkpoint_of: MakeCheckpoint
) -> None:
    report = check_parity(checked, model=checkpoint_of(QA))
    (artifact,) = report.artifacts
    start = artifact.unrounded[0]
    assert start.snr_db < artifact.outputs[0].snr_db - 30
    words = "its matrices of embeddings, attention, ffn rounded to int4 in blocks of 32"
    distance = f"start_logits has SNR {start.snr_db:.1f} dB"
    for text in (report.summary_table(), report.to_markdown(), report.to_html(), report.to_junit()):
        assert words in text
        assert distance in text.replace("\\_", "_")  # Markdown's escape
    assert "in float64, its matrices rounded to int4" in report.summary_table().splitlines()[-2]
    (told,) = json.loads(report.to_json())["artifacts"]
    assert words in told["reference"]
    assert told["unrounded"][0]["snr_db"] == pytest.approx(start.snr_db)
    kept = report.for_artifact(artifact.file)
    assert (words in kept["reference"], kept["unrounded"]["start_logits"]["flips"]) == (True, start.flips)
    shown = render(inspect_bundle(checked))
    assert words in shown
    assert f"SNR dB to the model as it is, not judged: start_logits {start.snr_db:.1f}" in shown


def test_of_other_precisions_nothing_is_said_of_rounding(bundle_of: MakeBundle, checkpoint_of: MakeCheckpoint) -> None:
    report = check_parity(bundle_of(QA), model=checkpoint_of(QA), quick=True)
    assert report.artifacts[0].unrounded == ()
    assert "rounded" not in report.summary_table() + report.to_markdown() + report.to_junit()


def test_a_mistake_in_the_exporter_s_rounding_is_a_miss(
    checkpoint_of: MakeCheckpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were the reference made by the same code, both would be wrong alike, and pass."""
    from albert_export.exporting import export

    right = onnx_int4.codes
    monkeypatch.setattr(onnx_int4, "codes", lambda blocks, scales: right(blocks * np.float32(0.8), scales))
    bundle = export("onnx", model=checkpoint_of(QA), task=QA, out=tmp_path / "qa", precision="int4", parity=False)
    assert not check_parity(bundle, model=checkpoint_of(QA)).ok


def test_the_reference_of_chosen_parts_leaves_the_others(checkpoint_of: MakeCheckpoint) -> None:
    checkpoint, task = open_checkpoint(checkpoint_of(QA)), get_task(QA)
    inputs = {name: np.ones((1, 4), np.int64) for name in ("input_ids", "attention_mask", "token_type_ids")}
    plain, some, all_parts = (
        Oracle(checkpoint, task, rounded=parts).run(inputs).exact["start_logits"]
        for parts in ((), ("ffn",), ("embeddings", "attention", "ffn", "head"))
    )
    assert np.abs(some - plain).max() > 0
    assert np.abs(all_parts - some).max() > 0
