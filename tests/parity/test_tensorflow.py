"""SavedModel and TFLite artifacts pass through the real export and comparator; with one thing wrong they do not."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from albert_export.bundle import Bundle
from albert_export.checkpoints import write_sharded
from albert_export.checkpoints.safetensors_file import numpy_tensors
from albert_export.errors import UnknownNameError
from albert_export.exporting import export
from albert_export.models import tf_loading
from albert_export.models.tf_albert import TFAlbertModel
from albert_export.models.tf_encoder import TFAlbertEmbeddings
from albert_export.parity import check_parity, matrix
from albert_export.tasks import TASKS
from tests.parity.conftest import MakeCheckpoint, write_checkpoint

TARGETS = ("savedmodel", "tflite")
QA = "question-answering"

#: Changes the eager model that is traced, for as long as the patch lasts; parity is checked after it has ended.
Control = Callable[[pytest.MonkeyPatch], None]


def unchanged(_: pytest.MonkeyPatch) -> None:
    """The healthy twin."""


def mask_ignored(patch: pytest.MonkeyPatch) -> None:
    real = TFAlbertModel.attention_bias
    patch.setattr(TFAlbertModel, "attention_bias", lambda self, mask, dtype: 0.0 * real(self, mask, dtype))


def segments_swapped(patch: pytest.MonkeyPatch) -> None:
    real = TFAlbertEmbeddings.call

    def call(self: Any, input_ids: Any, token_type_ids: Any, *others: Any, **named: Any) -> Any:
        return real(self, input_ids, 1 - token_type_ids, *others, **named)

    patch.setattr(TFAlbertEmbeddings, "call", call)


def one_layer_fewer(patch: pytest.MonkeyPatch) -> None:
    changed(patch, lambda model: setattr(model.albert.encoder, "config", fewer_layers(model.config)))


def weight_perturbed(patch: pytest.MonkeyPatch) -> None:
    def perturb(model: Any) -> None:
        weight = dict(model.named_weights())["albert.encoder.albert_layer_groups.0.albert_layers.0.ffn.weight"]
        weight.assign(weight * 1.01)

    changed(patch, perturb)


def fewer_layers(config: Any) -> Any:
    copied = config.copy()
    copied.num_hidden_layers -= 1
    return copied


def changed(patch: pytest.MonkeyPatch, change: Callable[[Any], None]) -> None:
    real = tf_loading.load_eager

    def load(*arguments: Any, **options: Any) -> Any:
        model, fresh = real(*arguments, **options)
        change(model)
        return model, fresh

    patch.setattr(tf_loading, "load_eager", load)


@contextmanager
def applied(control: Control) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        control(patch)
        yield


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("task", [task.name for task in TASKS])
def test_every_head_passes_and_so_does_the_eager_model(
    task: str, target: str, checkpoint_of: MakeCheckpoint, tmp_path: Path
) -> None:
    bundle = export(target, model=checkpoint_of(task), task=task, out=tmp_path / "out", parity=False)
    report = check_parity(bundle, model=checkpoint_of(task))
    assert report.ok, report.summary_table()
    assert [result.framework for result in report.eager] == ["torch", "tensorflow"]
    assert report.artifacts[0].framework == "tensorflow"
    assert "the eager TensorFlow model equals torch in float64" in report.summary_table()
    for output in report.artifacts[0].outputs:
        assert output.from_eager <= output.limit + output.e0


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    "control",
    [unchanged, mask_ignored, segments_swapped, one_layer_fewer, weight_perturbed],
    ids=lambda control: control.__name__,
)
def test_the_controls_fail_and_their_healthy_twin_passes(
    target: str, control: Control, checkpoint_of: MakeCheckpoint, tmp_path: Path
) -> None:
    checkpoint = checkpoint_of(QA)
    with applied(control):
        bundle = export(target, model=checkpoint, task=QA, out=tmp_path / "out", parity=False)
    report = check_parity(bundle, model=checkpoint)
    assert report.ok is (control is unchanged), report.summary_table()
    assert report.eager[1].ok, "the eager model that is compared with was not changed"
    if not report.ok:
        assert max(output.error / output.limit for output in report.artifacts[0].outputs if output.count) > 100


@pytest.mark.parametrize(("precision", "calibrate"), [("fp16", None), ("int8", None), ("int8", "builtin")])
@pytest.mark.parametrize("task", [QA, "fill-mask"])
@pytest.mark.parametrize(
    "control", [unchanged, mask_ignored, segments_swapped, one_layer_fewer], ids=lambda control: control.__name__
)
def test_lower_precisions_pass_and_their_controls_fail(
    precision: str,
    calibrate: str | None,
    task: str,
    control: Control,
    lossy_checkpoints: dict[str, Path],
    tmp_path: Path,
) -> None:
    checkpoint = lossy_checkpoints[task]
    with applied(control):
        bundle = export(
            "tflite",
            model=checkpoint,
            task=task,
            out=tmp_path / "out",
            precision=precision,
            calibrate=calibrate,
            parity=False,
        )
    report = check_parity(bundle, model=checkpoint)
    assert report.ok is (control is unchanged), report.summary_table()


@pytest.fixture(scope="module")
def lossy_checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Masked words have an offset, as those of trained models have: it must not hide that all else is wrong."""
    found = {}
    for task in (QA, "fill-mask"):
        directory = write_checkpoint(tmp_path_factory.mktemp("checkpoint") / "tiny", task)
        if task == "fill-mask":
            weights = directory / "model.safetensors"
            tensors = {name: array.copy() for name, array in numpy_tensors([weights]).items()}
            tensors["predictions.bias"] -= 8.0
            write_sharded(directory, tensors)
        found[task] = directory
    return found


@pytest.mark.parametrize("target", TARGETS)
def test_another_framework_s_eager_model_that_differs_is_a_miss(
    target: str, checkpoint_of: MakeCheckpoint, tmp_path: Path
) -> None:
    """Then artifact and eager model agree with each other, and neither with what is true."""
    checkpoint = checkpoint_of(QA)
    with applied(weight_perturbed):
        bundle = export(target, model=checkpoint, task=QA, out=tmp_path / "out", parity=False)
        report = check_parity(bundle, model=checkpoint)
    assert not report.ok
    assert [result.ok for result in report.eager] == [True, False]
    assert "the eager TensorFlow model differs from torch in float64" in report.summary_table()
    assert "the eager TensorFlow model differs" in report.worst()


def test_artifacts_of_several_targets_are_proven_in_one_run(checkpoint_of: MakeCheckpoint, tmp_path: Path) -> None:
    checkpoint, out = checkpoint_of(QA), tmp_path / "out"
    for target, options in (("onnx", {}), ("savedmodel", {}), ("tflite", {}), ("tflite", {"precision": "int8"})):
        export(target, model=checkpoint, task=QA, out=out, parity=False, **options)
    report = check_parity(out, model=checkpoint)
    assert report.ok, report.summary_table()
    assert [(result.target, result.precision) for result in report.artifacts] == [
        ("onnx", "fp32"),
        ("savedmodel", "fp32"),
        ("tflite", "fp32"),
        ("tflite", "int8"),
    ]
    assert len({tuple(case.name for case in result.cases) for result in report.artifacts}) == 1, "one set of cases"
    only = check_parity(out, model=checkpoint, targets=["onnx"])
    assert only.eager == (), "no TensorFlow where nothing was traced from it"
    asked = check_parity(out, model=checkpoint, targets=["onnx"], frameworks="tensorflow")
    assert [result.framework for result in asked.eager] == ["torch", "tensorflow"]
    table = asked.to_markdown().partition("Eager models in float32")[2]
    assert "| PyTorch | start_logits | real |" in table
    assert "| TensorFlow | start_logits | real |" in table
    every = check_parity(out, model=checkpoint, frameworks="all")
    assert [result.framework for result in every.eager] == ["torch", "tensorflow", "flax"]
    assert every.ok, every.summary_table()
    computed = [(row[0], row[1], row[2], row[-1]) for row in matrix.rows(every)]
    assert computed == [
        (name, precision, output, "ok")
        for name, precision in (
            ("eager PyTorch", "fp32"),
            ("eager TensorFlow", "fp32"),
            ("eager Flax", "fp32"),
            ("onnx/model.onnx", "fp32"),
            ("saved_model/1/saved_model.pb", "fp32"),
            ("tflite/model.tflite", "fp32"),
            ("tflite/model_int8.tflite", "int8"),
        )
        for output in ("start_logits", "end_logits")
    ]
    assert all(row[0] in every.summary_table() and f"| {row[0]} |" in every.to_markdown() for row in matrix.rows(every))
    assert matrix.rows(only) == [], "one artifact and no other framework have no table of all"
    with pytest.raises(UnknownNameError, match="framework"):
        check_parity(out, model=checkpoint, frameworks=["tensorflo"])


def test_a_precision_is_judged_by_its_own_criterion(checkpoint_of: MakeCheckpoint, tmp_path: Path) -> None:
    """Int8 that passes as int8 would not pass as fp32."""
    checkpoint = checkpoint_of(QA)
    bundle = export("tflite", model=checkpoint, task=QA, out=tmp_path / "out", precision="int8", parity=False)
    assert check_parity(bundle, model=checkpoint).ok
    (artifact,) = bundle.manifest.artifacts
    claimed = dataclasses.replace(bundle.manifest, artifacts=(dataclasses.replace(artifact, precision="fp32"),))
    assert not check_parity(Bundle(bundle.path, claimed), model=checkpoint).ok
