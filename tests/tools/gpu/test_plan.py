"""What is done on which machine, in which order, and what is skipped: plain values."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from albert_export._machine import Machine
from albert_export.config import AlbertConfig
from albert_export.doctor import Diagnosis, Package
from albert_export.nvidia_parts import Part
from albert_export.targets import TARGETS
from albert_export.tasks import TASKS
from tools.gpu.flops import matrix_flops
from tools.gpu.machine import look
from tools.gpu.plan import GOAL, WAYS, Here, plan_checks, plan_timings, usable

READY = dict.fromkeys(("torch", "compiler", "jax", "onnxruntime", "onnxruntime tensorrt", "tensorrt"))
GPU = Here("cuda", READY, ("onnx", "stablehlo", "tensorrt"))
SEVEN = [task.name for task in TASKS]


def names(here: Here) -> list[str]:
    return [way.name for way in usable(here)[0]]


def test_a_machine_with_everything_skips_nothing() -> None:
    assert usable(GPU) == (list(WAYS), [])


def test_what_lacks_is_skipped_with_its_reason() -> None:
    lacks = {"onnxruntime": "runs on the CPU alone; fix: x", "tensorrt": "no", "onnxruntime tensorrt": "neither"}
    here = dataclasses.replace(GPU, lacks={**READY, **lacks})
    found, skipped = usable(here)
    assert [way.name for way in found] == ["torch", "torch.compile", "jax"]
    assert [(each.what, each.why) for each in skipped] == [
        ("onnxruntime", "runs on the CPU alone; fix: x"),
        ("onnxruntime tensorrt", "neither"),
        ("onnxruntime captured", "runs on the CPU alone; fix: x"),
        ("tensorrt", "no"),
    ]


def test_a_release_without_a_target_and_a_cpu_without_graphs_say_so() -> None:
    assert "tensorrt" not in names(dataclasses.replace(GPU, targets=("onnx", "stablehlo")))
    _, skipped = usable(dataclasses.replace(GPU, device="cpu"))
    assert [(each.what, each.why) for each in skipped] == [("onnxruntime captured", "only a GPU captures graphs")]


def test_every_head_is_checked_in_every_precision_of_every_target() -> None:
    checks = plan_checks(WAYS, SEVEN, ("fp32", "fp16", "bf16", "int8", "int4"))
    assert len(set(checks)) == len(checks)
    for way in WAYS:
        assert [check.task for check in checks if (check.way, check.precision) == (way.name, "fp32")] == (
            SEVEN if way.precisions else []
        )
        for target in TARGETS:
            if way.precisions and way.name in (target.name, target.runtimes[0]):
                assert set(way.precisions) == set(target.precisions)
    assert {check.precision for check in plan_checks(WAYS, SEVEN, ("bf16",))} == {"bf16"}


def test_the_goal_is_timed_first_and_alone_where_runs_are_captured() -> None:
    timings = plan_timings(WAYS, ("fp32", "fp16", "int8"), (1, 64, 256), (32, 128))
    assert [(timing.way, timing.precision) for timing in timings] == [
        (way.name, precision) for precision in ("fp32", "fp16") for way in WAYS
    ]
    for timing in timings:
        if timing.way == "onnxruntime captured":
            assert timing.shapes == (GOAL,)
        else:
            assert timing.shapes == (GOAL, (1, 32), (1, 128), (64, 32), (256, 32), (256, 128))
    without = plan_timings(WAYS, ("fp32",), (1,), (32,))
    assert "onnxruntime captured" not in [timing.way for timing in without]


def diagnosis(parts: dict[str, str | None], packages: dict[str, str] | None = None) -> Diagnosis:
    """A machine whose parts are ready, but for those that have a text."""
    known = ("NVIDIA driver", "GPU", "CUDA", "TensorRT", "ONNX Runtime on CUDA", "ONNX Runtime with TensorRT")
    known = (*known, "JAX on CUDA")
    states: dict[str, Any] = dict.fromkeys(("torch", "onnx", "onnx-ir", "jax", "flax", "flatbuffers"), "ok")
    states |= {"onnxruntime": "ok", **(packages or {})}
    facts = {"torch": {"devices": ["cpu", "cuda:0"]}}
    return Diagnosis(
        tool="1",
        python="CPython 3.12.3",
        machine=Machine("Linux", "CPU", 16, {}, None, ()),
        packages=tuple(
            Package(name, f"{name}>=1", "1.0", state, facts.get(name, {})) for name, state in states.items()
        ),
        abilities=(),
        problems=(),
        hints=(),
        nvidia=tuple(
            Part(name, name not in parts, parts.get(name) or "there", "do it" if name in parts else None)
            for name in known
        ),
    )


def test_a_gpu_machine_as_the_doctor_sees_it() -> None:
    here = look(diagnosis({"ONNX Runtime on CUDA": "onnxruntime 1.30.0 runs on the CPU alone"}), "cuda")
    assert here.lacks == {**READY, "onnxruntime": "onnxruntime 1.30.0 runs on the CPU alone; fix: do it"}
    assert set(here.targets) == {target.name for target in TARGETS}


def test_packages_come_before_parts() -> None:
    here = look(diagnosis({"JAX on CUDA": "no plugin"}, {"flax": "missing"}), "cuda")
    assert here.lacks["jax"] == "flax is missing"
    no_onnx = look(diagnosis({}, {"onnx": "too old"}), "cuda")
    assert no_onnx.lacks["torch"] == "onnx is too old"


def test_a_cpu_needs_no_part_of_nvidia() -> None:
    everything = dict.fromkeys(("GPU", "CUDA", "TensorRT", "ONNX Runtime on CUDA", "JAX on CUDA"), "not here")
    here = look(diagnosis(everything), "cpu")
    assert [need for need, why in here.lacks.items() if why is not None and need != "compiler"] == [
        "tensorrt",
        "onnxruntime tensorrt",
    ]


@pytest.mark.parametrize(("groups", "inner", "pairs"), [(1, 1, 3), (2, 2, 2)])
def test_the_operations_are_those_that_torch_counts(groups: int, inner: int, pairs: int) -> None:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from albert_export import AlbertForQuestionAnswering

    config = AlbertConfig(
        vocab_size=50,
        embedding_size=8,
        hidden_size=16,
        num_attention_heads=2,
        intermediate_size=24,
        num_hidden_layers=4,
        num_hidden_groups=groups,
        inner_group_num=inner,
    )
    model = AlbertForQuestionAnswering(config).eval()
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        model(input_ids=torch.ones(pairs, 7, dtype=torch.int64))
    assert matrix_flops(config, pairs, 7) == counter.get_total_flops()
