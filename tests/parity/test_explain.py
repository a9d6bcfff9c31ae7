"""On a miss, the first layer and output that diverge are named, whatever the form of the layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from albert_export.checkpoints import Checkpoint, open_checkpoint
from albert_export.errors import InputError
from albert_export.exporting import export
from albert_export.parity import check_parity
from albert_export.parity.depth_plot import bars, check_plot, draw
from albert_export.parity.onnx_states import read_onnx_states
from albert_export.parity.oracle import Oracle
from albert_export.parity.report import Divergence
from albert_export.parity.stablehlo_states import read_stablehlo_states
from albert_export.runtimes.onnxruntime_runtime import OnnxRuntime
from albert_export.runtimes.stablehlo_runtime import StableHloRuntime
from albert_export.selftest import changes
from albert_export.tasks import get_task
from tests.parity.conftest import MakeBundle, MakeCheckpoint
from tests.parity.edits import (
    Edit,
    disturb_after,
    disturb_turn,
    disturb_weight,
    edited,
    mask_ignored,
    one_layer_fewer,
    unchanged,
)
from tests.parity.fakes import Arrays, check_spoiled

# Four layers in two groups: the first turn of the second group's loop is layer 3.
QA = "question-answering"
INPUTS = {
    "input_ids": np.array([[2, 5, 9, 3]]),
    "attention_mask": np.array([[1, 1, 1, 1]]),
    "token_type_ids": np.array([[0, 0, 1, 1]]),
}


@pytest.fixture
def explain(bundle_of: MakeBundle, checkpoint_of: MakeCheckpoint, tmp_path: Path) -> Any:
    def run(edit: Edit, task: str = QA, checkpoint: dict[str, Any] | None = None, **options: Any) -> Divergence | None:
        bundle = edited(bundle_of(task, checkpoint, **options), tmp_path, edit)
        report = check_parity(bundle, model=checkpoint_of(task, **(checkpoint or {})), explain=True)
        (artifact,) = report.artifacts
        assert (artifact.divergence is None) is report.ok
        if artifact.divergence is not None:
            assert artifact.divergence.place in report.summary_table()
            assert artifact.divergence.place in report.to_markdown()
        return artifact.divergence

    return run


@pytest.mark.parametrize("layers", ["rolled", "unrolled"])
def test_nothing_is_explained_where_nothing_is_wrong(explain: Any, layers: str) -> None:
    assert explain(unchanged, layers=layers) is None


@pytest.mark.parametrize("layer", [1, 2, 3, 4])
def test_a_layer_that_is_written_out(explain: Any, layer: int) -> None:
    found = explain(disturb_after(layer), layers="unrolled")
    assert (found.place, found.output) == (f"layer {layer}", "start_logits")
    assert "max error 1." in found.detail


@pytest.mark.parametrize(
    ("group", "turn", "place"), [(0, 0, "layer 1"), (0, 1, "layer 2"), (1, 0, "layer 3"), (1, 1, "layer 4")]
)
def test_a_turn_of_a_loop(explain: Any, group: int, turn: int, place: str) -> None:
    assert explain(disturb_turn(group, turn), layers="rolled").place == place


@pytest.mark.parametrize("layers", ["rolled", "unrolled"])
def test_the_embeddings(explain: Any, layers: str) -> None:
    assert explain(disturb_weight("word_embeddings"), layers=layers).place == "embeddings"


@pytest.mark.parametrize("layers", ["rolled", "unrolled"])
def test_the_head(explain: Any, layers: str) -> None:
    found = explain(disturb_weight("qa_outputs.bias"), layers=layers)
    assert (found.place, found.output) == ("head", "start_logits")
    assert "all 4 layers agree" in found.detail


@pytest.mark.parametrize("layers", ["rolled", "unrolled"])
def test_the_mask_is_used_first_in_layer_1(explain: Any, layers: str) -> None:
    assert explain(mask_ignored, layers=layers).place == "layer 1"


@pytest.mark.parametrize("layers", ["rolled", "unrolled"])
@pytest.mark.parametrize(
    ("change", "place", "operator"),
    [
        (changes.other_gelu, "layer 1", "activation"),
        (changes.other_epsilon, "embeddings", "LayerNorm of the embeddings"),
        (changes.weight_perturbed, "layer 1", "linear, into the feed-forward network"),
        (changes.one_layer_unshared, "layer 4", "linear, query"),
    ],
)
def test_the_first_kind_of_operator_is_named(
    change: Any, place: str, operator: str, layers: str, checkpoint_of: MakeCheckpoint, tmp_path: Path
) -> None:
    checkpoint = open_checkpoint(checkpoint_of(QA))
    bundle = export("onnx", model=change(checkpoint), task=QA, out=tmp_path / "out", layers=layers, parity=False)
    report = check_parity(bundle, model=checkpoint, explain=True)
    found = report.artifacts[0].divergence
    assert found is not None
    assert (found.place, found.operator) == (place, operator)
    assert f"{place}, {operator}" in report.summary_table()


def test_a_mask_that_is_ignored_shows_in_attention(explain: Any) -> None:
    assert explain(mask_ignored, layers="rolled").operator == "attention: scores, mask, softmax"


@pytest.mark.parametrize("layers", ["rolled", "unrolled"])
@pytest.mark.parametrize("target", ["tflite", "savedmodel", "stablehlo"])
def test_the_layer_is_named_in_artifacts_of_other_targets(
    target: str, layers: str, checkpoint_of: MakeCheckpoint, tmp_path: Path
) -> None:
    """The third layer's weights are others: of two groups, that is the first turn of the second loop."""
    checkpoint = open_checkpoint(checkpoint_of(QA))

    def third(tensors: Any) -> Any:
        return {
            name: 1.1 * value if "groups.1." in name and value.ndim == 2 else value for name, value in tensors.items()
        }

    changed = changes.reweighted(checkpoint, third)
    # Every new shape is compiled.
    fixed = {"batch": 2, "sequence": 12} if target == "stablehlo" else {}
    bundle = export(target, model=changed, task=QA, out=tmp_path / "out", layers=layers, parity=False, **fixed)
    report = check_parity(bundle, model=checkpoint, explain=True)
    (artifact,) = report.artifacts
    assert artifact.divergence is not None
    assert artifact.divergence.place == "layer 3"
    points = report.to_dict()["artifacts"][0]["depth"]
    assert [point["layer"] for point in points] == [0, 1, 2, 3, 4]
    assert all(point["error"] < 10 * point["noise"] for point in points[:3])
    assert all(point["error"] > 1000 * point["noise"] for point in points[3:])


def test_states_of_stablehlo_with_dynamic_axes_choices_and_weights_inside(
    checkpoint_of: MakeCheckpoint, tmp_path: Path
) -> None:
    task = "multiple-choice"
    checkpoint = open_checkpoint(checkpoint_of(task))
    inputs = {name: np.stack([value, value[:, ::-1]], axis=1) for name, value in INPUTS.items()}
    exact = Oracle(checkpoint, get_task(task)).hidden_states(inputs)[0]
    for embedded in (False, True):
        bundle = export(
            "stablehlo", model=checkpoint, task=task, out=tmp_path / "out", embed_weights=embedded, parity=False
        )
        artifact = bundle.manifest.artifacts[-1]
        with StableHloRuntime.open(bundle, artifact) as runtime:
            states = read_stablehlo_states(bundle.file(artifact), runtime, [inputs])
        # The embeddings end in a bias, which is no argument where weights lie inside.
        assert sorted(states) == ([1, 2, 3, 4] if embedded else [0, 1, 2, 3, 4])
        for layer, state in states.items():
            assert state.shape == exact[layer].shape == (2, 4, 16)
            assert np.abs(state - exact[layer]).max() < 1e-5


def test_a_loop_of_tflite_that_stops_early(checkpoint_of: MakeCheckpoint, tmp_path: Path) -> None:
    checkpoint = open_checkpoint(checkpoint_of(QA))
    bundle = export("tflite", model=changes.one_layer_fewer(checkpoint), task=QA, out=tmp_path / "out", parity=False)
    (artifact,) = check_parity(bundle, model=checkpoint, explain=True).artifacts
    assert artifact.divergence is not None
    # Of layers in groups 0 0 1 1 there are 0 0 1.
    assert (artifact.divergence.place, "3 of 4" in artifact.divergence.detail) == ("layer 4", True)
    assert [point.layer for point in artifact.depth] == [0, 1, 2, 3]


def test_error_against_depth_is_drawn(bundle_of: MakeBundle, checkpoint_of: MakeCheckpoint, tmp_path: Path) -> None:
    bundle = edited(bundle_of(QA, layers="rolled"), tmp_path, disturb_turn(1, 0))
    report = check_parity(bundle, model=checkpoint_of(QA), explain=True)
    lines = bars(report.artifacts[0].depth)
    assert [line.split("  ")[0].strip() for line in lines] == ["embeddings", "layer 1", "layer 2", "layer 3", "layer 4"]
    lengths = [line.count("#") for line in lines]
    assert max(lengths[:3]) < 6
    assert max(lengths[3:]) == 40
    assert all(line in report.summary_table() for line in lines)
    assert all(line in report.to_markdown() for line in lines)
    pytest.importorskip("matplotlib")
    assert draw(report, tmp_path / "depth.svg")
    assert "error against depth" in (tmp_path / "depth.svg").read_text(encoding="utf-8")
    with pytest.raises(InputError, match=r"depth\.svg"):
        check_plot(tmp_path / "depth.jpg")


def test_nothing_is_drawn_where_nothing_misses(
    bundle_of: MakeBundle, checkpoint_of: MakeCheckpoint, tmp_path: Path
) -> None:
    report = check_parity(bundle_of(QA), model=checkpoint_of(QA), explain=True)
    assert report.artifacts[0].depth == ()
    assert not draw(report, tmp_path / "depth.svg")
    assert list(tmp_path.iterdir()) == []


def test_a_loop_that_stops_early(explain: Any) -> None:
    found = explain(one_layer_fewer, layers="rolled")
    assert found.place == "layer 4"
    assert "3 of 4" in found.detail


def test_the_first_output_that_misses_is_named(explain: Any) -> None:
    found = explain(disturb_weight("sop_classifier.classifier.bias"), "pretraining", layers="rolled")
    assert (found.place, found.output) == ("head", "sop_logits")


@pytest.mark.parametrize("layers", ["rolled", "unrolled"])
def test_the_last_layer_is_read_where_its_state_is_an_output_of_the_model(
    layers: str, explain: Any, bundle_of: MakeBundle
) -> None:
    """Such a value bears the output's name, and not ``hidden_4``."""
    bundle = bundle_of("feature-extraction", layers=layers)
    with OnnxRuntime.open(bundle, bundle.select()) as runtime:
        states = read_onnx_states(bundle.file(bundle.select()), runtime, [INPUTS])
        outputs = runtime.run(**INPUTS)
    assert sorted(states) == [0, 1, 2, 3, 4]
    assert (states[4] == outputs["last_hidden_state"]).all()
    found = explain(disturb_weight("pooler.bias"), "feature-extraction", layers=layers)
    assert (found.place, found.output) == ("head", "pooler_output")


def test_multiple_choice_and_fixed_batches(explain: Any) -> None:
    assert explain(disturb_turn(1, 0), "multiple-choice", batch=2, choices=3).place == "layer 3"


def test_large_weights_in_a_file_of_their_own(
    bundle_of: MakeBundle, checkpoint_of: MakeCheckpoint, tmp_path: Path
) -> None:
    bundle = bundle_of(QA)
    model = onnx.load(bundle.file(bundle.select()))
    path = tmp_path / "model.onnx"
    onnx.save(model, path, save_as_external_data=True, location="model.onnx_data", size_threshold=0)
    with OnnxRuntime.open_file(path, task=bundle.task, config=bundle.config) as runtime:
        apart = read_onnx_states(path, runtime, [INPUTS])
    with OnnxRuntime.open(bundle, bundle.select()) as runtime:
        whole = read_onnx_states(bundle.file(bundle.select()), runtime, [INPUTS])
    assert sorted(apart) == sorted(whole) == [0, 1, 2, 3, 4]
    assert all((apart[layer] == whole[layer]).all() for layer in whole)


def test_a_miss_of_a_check_alone_is_said_to_be_one(
    monkeypatch: pytest.MonkeyPatch, bundle_of: MakeBundle, opened: Checkpoint
) -> None:
    def spoil(inputs: Arrays, outputs: Arrays) -> Arrays:
        if inputs["input_ids"].shape[1] not in (1, 2, 16, 24, 37, 39, 40):
            outputs["start_logits"] += 1e-3
        return outputs

    report = check_spoiled(monkeypatch, bundle_of(QA), opened, spoil, explain=True)
    found = report.artifacts[0].divergence
    assert found is not None
    assert found.place == "unknown"
    assert "row alone" in found.detail


def test_states_of_another_runtime_are_not_shown_for_those_of_openvino(
    bundle_of: MakeBundle, checkpoint_of: MakeCheckpoint
) -> None:
    pytest.importorskip("openvino")
    own, other = (
        check_parity(bundle_of(QA), model=checkpoint_of(QA), quick=True, depth=True, runtime=runtime).artifacts[0]
        for runtime in (None, "openvino")
    )
    assert [point.layer for point in own.depth] == [0, 1, 2, 3, 4]
    assert other.depth == ()


def test_an_artifact_without_named_states_says_so(
    bundle_of: MakeBundle, checkpoint_of: MakeCheckpoint, tmp_path: Path
) -> None:
    def nameless(model: onnx.ModelProto) -> None:
        disturb_weight("qa_outputs.bias")(model)
        for node in model.graph.node:
            node.name = ""
            for names in (node.input, node.output):
                for index, name in enumerate(names):
                    if name.startswith("hidden_"):
                        names[index] = f"value_{name}"

    changed = edited(bundle_of(QA), tmp_path, nameless)
    report = check_parity(changed, model=open_checkpoint(checkpoint_of(QA)), explain=True)
    found = report.artifacts[0].divergence
    assert found is not None
    assert (found.place, found.output) == ("unknown", "start_logits")


@pytest.mark.parametrize(
    ("edit", "layers", "place"),
    [
        (unchanged, "rolled", None),
        (unchanged, "unrolled", None),
        (disturb_turn(0, 1), "rolled", "layer 2"),
        (disturb_turn(1, 1), "rolled", "layer 4"),
        (disturb_after(3), "unrolled", "layer 3"),
        (disturb_after(4), "unrolled", "layer 4"),
        (disturb_weight("classifier.weight"), "unrolled", "head"),
        (disturb_weight("classifier.weight"), "rolled", "head"),
    ],
    ids=lambda value: None if callable(value) else str(value),
)
def test_a_head_that_reads_the_first_token_alone(explain: Any, edit: Edit, layers: str, place: str | None) -> None:
    found = explain(edit, task="text-classification", layers=layers)
    assert (None if found is None else found.place) == place


@pytest.mark.parametrize("layers", ["rolled", "unrolled"])
@pytest.mark.parametrize("precision", ["int8", "fp16"])
def test_a_head_that_reads_the_first_token_alone_in_lower_precision(
    precision: str, layers: str, checkpoint_of: MakeCheckpoint, tmp_path: Path
) -> None:
    task = "text-classification"
    checkpoint = open_checkpoint(checkpoint_of(task))

    def third(tensors: Any) -> Any:
        return {
            name: 2.0 * value if "groups.1." in name and value.ndim == 2 else value for name, value in tensors.items()
        }

    options = {"task": task, "precision": precision, "layers": layers, "parity": False}
    bundle = export("onnx", model=changes.reweighted(checkpoint, third), out=tmp_path / "out", **options)
    report = check_parity(bundle, model=checkpoint, explain=True)
    (artifact,) = report.artifacts
    assert artifact.divergence is not None
    assert artifact.divergence.place == "layer 3"
    assert [point["layer"] for point in report.to_dict()["artifacts"][0]["depth"]] == [0, 1, 2, 3, 4]
