from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from jax import export

from albert_export.checkpoints.safetensors_file import numpy_tensors, read_header
from albert_export.errors import ExportError, MissingDependencyError, SharingError, UnknownNameError
from albert_export.graphs import stablehlo_emitter, stablehlo_module, tpu
from albert_export.graphs.stablehlo_emitter import PLATFORMS, emit_stablehlo
from albert_export.graphs.stablehlo_module import settle, stablehlo_version, windows
from albert_export.tasks import TASKS, get_task
from tests.graphs.flax_models import (
    SHAPES,
    call,
    eager_outputs,
    inputs,
    signal_to_noise,
    tiny_model,
    worst_relative_error,
)

QA = get_task("question-answering")

#: float32 noise of a tiny model with large weights; a wrong graph is off by more than a tenth.
NOISE = 1e-4


@pytest.fixture(scope="module")
def model():
    return tiny_model(QA)


@pytest.fixture(scope="module")
def emitted(model, tmp_path_factory):
    return emit_stablehlo(model, QA, tmp_path_factory.mktemp("stablehlo") / "model.jax")


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_every_task_equals_the_eager_model_at_every_shape(task, tmp_path):
    model, path = tiny_model(task), tmp_path / "model.jax"
    emitted = emit_stablehlo(model, task, path)
    for shape in SHAPES:
        feed = inputs(task, *shape)
        found = call(path, task, feed)
        assert worst_relative_error(found, eager_outputs(model, task, feed)) < NOISE
    assert worst_relative_error(found, eager_outputs(tiny_model(task, seed=8), task, feed)) > 0.1
    assert emitted.sharing.ratio == 1.0


@pytest.mark.parametrize(
    "changes",
    [
        {"num_hidden_groups": 2, "inner_group_num": 2, "num_hidden_layers": 5},
        {"pruned_heads": {0: [1]}},
        {"position_embedding_type": "relative_key_query"},
        {"hidden_act": "gelu"},
    ],
    ids=str,
)
def test_every_form_of_the_model(changes, tmp_path):
    model, path = tiny_model(QA, **changes), tmp_path / "model.jax"
    emitted = emit_stablehlo(model, QA, path)
    feed = inputs(QA, 2, 1, 9)
    assert worst_relative_error(call(path, QA, feed), eager_outputs(model, QA, feed)) < NOISE
    assert emitted.facts["loops"] == (
        ["group 0 x 3", "group 1 x 2"] if "inner_group_num" in changes else ["group 0 x 4"]
    )


def test_unrolled_and_fixed_sizes(model, emitted, tmp_path):
    path = tmp_path / "model.jax"
    unrolled = emit_stablehlo(model, QA, path, layers="unrolled", sizes={"batch": 2, "sequence": 9})
    feed = inputs(QA, 2, 1, 9)
    assert worst_relative_error(call(path, QA, feed), eager_outputs(model, QA, feed)) < NOISE
    assert unrolled.facts["operators"]["exponential"] == 4 * emitted.facts["operators"]["exponential"]
    assert "while" not in unrolled.facts["operators"]
    assert emitted.facts["operators"]["while"] == 1
    assert [tensor["shape"] for tensor in unrolled.inputs] == [[2, 9]] * 3
    assert [tensor["shape"] for tensor in emitted.outputs] == [["batch", "sequence"]] * 2
    with pytest.raises(ValueError, match="Shape mismatch"):
        call(path, QA, inputs(QA, 2, 1, 8))


@pytest.mark.parametrize(("precision", "least"), [("bf16", 20.0), ("fp16", 40.0)])
def test_lower_precisions(precision, least, model, tmp_path):
    path = tmp_path / "model.jax"
    emitted = emit_stablehlo(model, QA, path, precision=precision)
    feed = inputs(QA, 3, 1, 24)
    feed["attention_mask"][1] = 0  # not a single token: outside parity, but finite
    found = call(path, QA, feed, weights=f"weights_{precision}.safetensors")
    assert {array.dtype for array in found} == {np.dtype("float32")}
    assert all(np.isfinite(array).all() for array in found)
    real = [[array[[0, 2]] for array in side] for side in (found, eager_outputs(model, QA, feed))]
    assert signal_to_noise(*real) > least
    kinds = {entry.dtype for entry in read_header(emitted.files[-1]).values()}
    assert kinds == {{"bf16": "BF16", "fp16": "F16"}[precision]}
    assert emitted.sharing.unique_parameter_bytes == emitted.files[-1].stat().st_size - _header_bytes(emitted.files[-1])


def _header_bytes(path: Path) -> int:
    return 8 + int.from_bytes(path.read_bytes()[:8], "little")


def test_embedded_weights_are_in_the_one_file(model, tmp_path):
    path = tmp_path / "model.jax"
    emitted = emit_stablehlo(model, QA, path, embed_weights=True)
    assert emitted.files == (path,)
    assert emitted.facts["weights"] is None
    assert 0.9 < emitted.sharing.ratio <= 1.0
    feed = inputs(QA, 2, 1, 9)
    assert worst_relative_error(call(path, QA, feed, weights=None), eager_outputs(model, QA, feed)) < NOISE


def test_weights_lie_beside_it_under_canonical_names(model, emitted):
    assert [file.name for file in emitted.files] == [
        "model.jax",
        *(f"model.{platform}.mlirbc" for platform in PLATFORMS),
        "weights.safetensors",
    ]
    stored = numpy_tensors([emitted.files[-1]])
    name = "albert.encoder.albert_layer_groups.0.albert_layers.0.ffn.weight"
    kernel = model.params["albert"]["encoder"]["albert_layer_groups"]["0"]["albert_layers"]["0"]["ffn"]["kernel"]
    np.testing.assert_array_equal(stored[name], np.asarray(kernel).T)
    exported = export.deserialize(bytearray(emitted.files[0].read_bytes()))
    (_, weights), _ = jax.tree.unflatten(exported.in_tree, exported.in_avals)
    assert list(weights) == sorted(stored)
    assert exported.platforms == PLATFORMS


@pytest.mark.parametrize("platform", PLATFORMS)
def test_portable_modules_take_and_give_plain_lists(platform, model, emitted):
    """The inputs in the task's order, the weights by name; the outputs in the task's order; no further argument."""
    from jaxlib.mlir import ir
    from jaxlib.mlir.dialects import stablehlo

    bytecode = emitted.files[0].with_name(f"model.{platform}.mlirbc").read_bytes()
    assert stablehlo_version(bytecode) == emitted.facts["readable"]["stablehlo"]["version"]
    with ir.Context() as context:
        text = str(stablehlo.deserialize_portable_artifact(context, bytecode))
    header = text[text.index("@main(") : text.index(") -> (")]
    shapes = [part.partition("tensor<")[2].partition(">")[0] for part in header.split("%arg")[1:]]
    stored = read_header(emitted.files[-1])
    weights = ["x".join(map(str, [*stored[name].shape, "f32"])) for name in sorted(stored)]
    assert shapes == [*["?x?xi32"] * 3, *weights]
    assert "custom_call" not in text


def test_a_portable_module_computes_what_the_eager_model_does(model, tmp_path):
    """Compiled from its bytes by XLA, with nothing else of jax around it."""
    emitted = emit_stablehlo(model, QA, tmp_path / "model.jax", sizes={"batch": 2, "sequence": 9})
    feed = inputs(QA, 2, 1, 9)
    stored = numpy_tensors([emitted.files[-1]])
    arguments = [*feed.values(), *(stored[name] for name in sorted(stored))]
    shell = export.export(jax.jit(lambda *tensors: tensors[:2]), platforms=["cpu"])(*arguments)
    found = _with_module(shell, emitted.files[1].read_bytes(), shape=(2, 9)).call(*arguments)
    expected = eager_outputs(model, QA, feed)
    assert worst_relative_error([np.asarray(each) for each in found], expected) < NOISE
    assert worst_relative_error([np.asarray(each) for each in found][::-1], expected) > 0.1


def _with_module(exported, bytecode: bytes, *, shape: tuple[int, ...]):
    import dataclasses

    outputs = tuple(jax.core.ShapedArray(shape, np.dtype("float32")) for _ in range(2))
    return dataclasses.replace(
        exported,
        mlir_module_serialized=bytecode,
        out_avals=outputs,
        module_kept_var_idx=tuple(range(len(exported.in_avals))),
    )


@pytest.mark.parametrize("options", [{}, {"embed_weights": True}], ids=str)
def test_a_captured_weight_breaks_the_guarantee(options, model, tmp_path, monkeypatch):
    real = stablehlo_emitter.trace

    def with_a_constant(*arguments, **named):
        traced = real(*arguments, **named)
        kept = np.random.default_rng(0).normal(size=(200, 16)).astype(np.float32)

        def function(feed, weights):
            outputs = traced.function(feed, weights)
            extra = jax.numpy.asarray(kept)[feed["input_ids"]].sum(-1) * 1e-9
            return {name: value + extra for name, value in outputs.items()}

        return type(traced)(function, traced.inputs, traced.weights, traced.task, traced.sizes)

    monkeypatch.setattr(stablehlo_emitter, "trace", with_a_constant)
    with pytest.raises(SharingError, match="must store each weight once"):
        emit_stablehlo(model, QA, tmp_path / "model.jax", **options)


PROGRAM = """
import hashlib, json, sys
from pathlib import Path
from albert_export.graphs.stablehlo_emitter import emit_stablehlo
from tests.graphs.flax_models import tiny_model
from albert_export.tasks import get_task
task = get_task("question-answering")
emitted = emit_stablehlo(tiny_model(task), task, Path(sys.argv[1]) / "model.jax")
print(json.dumps({file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in emitted.files}))
"""


def test_the_same_bytes_in_another_process(emitted, tmp_path):
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(tmp_path)], capture_output=True, text=True, check=True)
    here = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in emitted.files}
    assert json.loads(done.stdout) == here


def test_the_same_bytes_where_numbers_of_64_bits_are_switched_on(model, emitted, tmp_path):
    with jax.enable_x64(True):
        again = emit_stablehlo(model, QA, tmp_path / "model.jax")
    assert [file.read_bytes() for file in again.files] == [file.read_bytes() for file in emitted.files]


def test_no_place_on_this_machine_is_in_any_file(model, emitted, tmp_path, monkeypatch):
    def told(files) -> list[str]:
        places = [str(Path(each).resolve()).encode() for each in (Path(__file__).parents[2], sys.prefix)]
        return [file.name for file in files if any(place in file.read_bytes() for place in (*places, b".py"))]

    assert told(emitted.files) == []
    # The twin: as jax writes it.
    monkeypatch.setattr(
        stablehlo_emitter,
        "settle",
        lambda code, widely=False: stablehlo_module.StableHlo(code, "0.0.0", settle(code).operators, 0),
    )
    assert "model.jax" in told(emit_stablehlo(model, QA, tmp_path / "model.jax").files)


def test_until_when_it_can_be_read(emitted):
    assert windows("0.10.2", calling_convention=10, stablehlo="1.13.7") == {
        "jax": {"version": 10, "promise": "jax of up to 6 months after 0.10.2", "until": "2026-12-17"},
        "stablehlo": {
            "version": "1.13.7",
            "promise": "StableHLO of up to 5 years after that of jax 0.10.2",
            "until": "2031-06-17",
        },
    }
    assert windows("99.0", calling_convention=10, stablehlo="1.13.7")["jax"]["until"] is None
    exported = export.deserialize(bytearray(emitted.files[0].read_bytes()))
    assert emitted.facts["readable"]["jax"]["version"] == exported.calling_convention_version


def test_bytes_that_are_no_module():
    with pytest.raises(ExportError, match="must be in portable bytecode"):
        settle(b"no module")
    with pytest.raises(ExportError, match="must be able to write the traced module"):
        settle(b"ML\xefR\rStableHLO_v1.0.0\0 and nothing of it")


class FakeChip:
    """Stands for the CPU of this machine: compiling for it is real, and its numbers are those of another processor."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, chip: tpu.Chip):
        self.asked.append(chip.topology)
        return jax.devices("cpu")[0]


def compiled(model, emitted, chip, *, sizes, embedded=False):
    exported = export.deserialize(bytearray(emitted.files[0].read_bytes()))
    unrolled = stablehlo_emitter.trace(model, QA, precision="fp32", layers="unrolled", sizes=sizes)
    said: list[str] = []
    figures = tpu.compile_for_tpu("tpu:v5e", exported, unrolled, precision="fp32", topology=chip, progress=said.append)
    return figures, said


def test_compiling_for_a_chip_tells_its_cost(model, emitted):
    chip = FakeChip()
    figures, said = compiled(model, emitted, chip, sizes={"batch": None, "sequence": 12})
    assert chip.asked == ["v5e:1x1"]
    assert said[0] == "compiling for tpu:v5e, batch 1, sequence 12 (chosen: the artifact takes any)"
    assert figures["sizes"] == {"batch": 1, "sequence": 12}
    config = model.config
    D, F, S, L = config.hidden_size, config.intermediate_size, 12, config.num_hidden_layers
    products = L * (2 * S * D * (4 * D + 2 * F) + 4 * S * S * D)
    assert products < figures["flops"] < 2 * products, "every turn of the loop counts"
    assert figures["argument_bytes"] >= emitted.sharing.unique_parameter_bytes
    assert figures["peak_bytes"] == sum(
        figures[f"{kind}_bytes"] for kind in ("argument", "output", "temporary", "code")
    )
    assert figures["estimated_seconds"] == max(6 * figures["flops"] / 197e12, figures["bytes_accessed"] / 819e9)
    json.dumps(figures)


def test_a_loop_is_counted_once_by_xla(model, emitted):
    """Why the operations are counted in the unrolled form."""
    exported = export.deserialize(bytearray(emitted.files[0].read_bytes()))
    (feed, weights), _ = jax.tree.unflatten(exported.in_tree, exported.in_avals)
    feed = {name: jax.ShapeDtypeStruct((1, 12), np.int32) for name in feed}
    weights = {name: jax.ShapeDtypeStruct(each.shape, each.dtype) for name, each in weights.items()}
    cost = jax.jit(exported.call).lower(feed, weights).compile().cost_analysis()
    figures, _ = compiled(model, emitted, FakeChip(), sizes={"batch": 1, "sequence": 12})
    assert figures["flops"] > 3 * cost["flops"]


def test_what_compiling_for_a_chip_needs(model, emitted, tmp_path, monkeypatch):
    with pytest.raises(UnknownNameError, match="did you mean tpu:v5"):
        emit_stablehlo(model, QA, tmp_path / "one.jax", aot="tpu:v5x")
    monkeypatch.setitem(sys.modules, "libtpu", None)
    with pytest.raises(MissingDependencyError, match=r"libtpu.*albert-export\[tpu\]"):
        emit_stablehlo(model, QA, tmp_path / "two.jax", aot="tpu:v5e")


def test_libtpu_that_fails_is_told_in_one_line(model, emitted):
    def broken(chip):
        raise RuntimeError("INVALID_ARGUMENT: no such topology\nmore")

    with pytest.raises(ExportError, match=r"compile for tpu:v5e; received INVALID_ARGUMENT: no such topology; fix: "):
        compiled(model, emitted, broken, sizes={"batch": 1, "sequence": 12})


def test_libtpu_is_asked_for_a_single_chip(monkeypatch):
    from jax.experimental import topologies

    asked = {}

    def describe(**named):
        asked.update(named)
        return SimpleNamespace(devices=["the chip"])

    monkeypatch.setattr(topologies, "get_topology_desc", describe)
    assert tpu._single_chip(tpu.CHIPS["tpu:v6e"]) == "the chip"
    assert asked == {"platform": "tpu", "topology_name": "v6e:1x1", "chips_per_host_bounds": (1, 1, 1)}


def test_a_lock_that_another_process_left_hinders_no_compilation(monkeypatch: pytest.MonkeyPatch) -> None:
    """libtpu refuses to be loaded while its lock file lies about, unless it is told that it may."""
    monkeypatch.delenv("ALLOW_MULTIPLE_LIBTPU_LOAD", raising=False)
    with tpu._as_on_a_tpu_host():
        assert os.environ["ALLOW_MULTIPLE_LIBTPU_LOAD"] == "1"
    assert "ALLOW_MULTIPLE_LIBTPU_LOAD" not in os.environ
