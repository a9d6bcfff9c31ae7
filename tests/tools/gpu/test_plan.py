"""What is done on which machine, in which order, and what is skipped: plain values."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from albert_export._machine import Machine
from albert_export.config import AlbertConfig
from albert_export.doctor import Diagnosis, Package
from albert_export.engines.profiles import choose_profile, parse_profiles
from albert_export.errors import InputError
from albert_export.nvidia_parts import Part
from albert_export.runtime_table import RUNTIMES
from albert_export.runtimes.onnxruntime_devices import captures_runs
from albert_export.targets import TARGETS
from albert_export.tasks import TASKS, get_task
from tools.gpu import machine
from tools.gpu.flops import matrix_flops
from tools.gpu.machine import look
from tools.gpu.plan import (
    BOUNDED,
    GOAL,
    WAYS,
    Check,
    Here,
    fixed_sizes,
    get_way,
    plan_checks,
    plan_memory_checks,
    plan_timings,
    profile_for,
    usable,
)

NEEDS = ("torch", "onnx export", "stablehlo export", "compiler", "jax", "onnxruntime", "onnxruntime tensorrt")
READY = dict.fromkeys((*NEEDS, "tensorrt"))
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


@pytest.fixture(autouse=True)
def compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """Play a machine on which torch.compile has all that it takes."""
    monkeypatch.setattr(machine, "find_spec", lambda _: True)
    monkeypatch.setattr(machine, "which", lambda name: f"/usr/bin/{name}")


def test_what_torch_compile_takes_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CC", raising=False)
    assert look(diagnosis({}), "cuda").lacks["compiler"] is None
    monkeypatch.setattr(machine, "which", lambda _: None)
    assert look(diagnosis({}), "cuda").lacks["compiler"] == "torch.compile takes a C compiler on a GPU"
    monkeypatch.setenv("CC", "zig cc")
    assert look(diagnosis({}), "cuda").lacks["compiler"] is None
    monkeypatch.setattr(machine, "find_spec", lambda _: None)
    assert "triton" in str(look(diagnosis({}), "cuda").lacks["compiler"])


def test_an_engine_is_built_for_the_shapes_that_are_timed() -> None:
    shapes = [(batch, sequence) for batch in (1, 64, 256) for sequence in (32, 128, 512)]
    assert profile_for(shapes) == "1x32,64x128,256x512"
    (profile,) = parse_profiles([profile_for(shapes)], get_task("question-answering"), longest=512, sizes={})
    for shape in shapes:
        assert choose_profile([profile], shape) == (0, shape)
    assert profile_for([(1, 16), (2, 16)]) == "1x16,2x16,2x16"
    (default,) = parse_profiles([], get_task("question-answering"), longest=512, sizes={})
    with pytest.raises(InputError):  # which is why a profile is given
        choose_profile([default], GOAL)


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
    here = look(diagnosis({"JAX on CUDA": "no plugin"}, {"jax": "too old"}), "cuda")
    assert here.lacks["jax"] == "jax is too old"


def test_what_exports_need_not_reach_the_gpu() -> None:
    # torch for the CPU exports and proves; only its own timings take a build for the GPU.
    on_cpu = diagnosis({"CUDA": "torch 2.11.0+cpu is built without"})
    torch = next(package for package in on_cpu.packages if package.name == "torch")
    on_cpu = dataclasses.replace(
        on_cpu,
        packages=(
            *(package for package in on_cpu.packages if package is not torch),
            dataclasses.replace(torch, facts={"devices": ["cpu"]}),
        ),
    )
    found, skipped = usable(look(on_cpu, "cuda"))
    assert [each.what for each in skipped] == ["torch", "torch.compile"]
    assert {"jax", "onnxruntime", "tensorrt"} <= {way.name for way in found}


def test_each_package_that_lacks_takes_what_needs_it_and_no_more() -> None:
    def lost(**states: str) -> list[str]:
        _, skipped = usable(
            look(diagnosis({}, {name.replace("_", "-"): state for name, state in states.items()}), "cuda")
        )
        return [each.what for each in skipped]

    onnx = ["onnxruntime", "onnxruntime tensorrt", "onnxruntime captured", "tensorrt"]
    assert lost(onnx="too old") == lost(onnx_ir="missing") == onnx
    assert lost(flax="missing") == lost(flatbuffers="missing") == ["jax"]
    assert lost(torch="missing") == [way.name for way in WAYS], "everything is compared with it"


def test_memory_is_checked_on_a_gpu_where_a_runtime_can_be_bounded() -> None:
    # TensorRT plans its memory when it is opened, and leaves out profiles that take more: no run overruns it.
    assert {row.name for row in RUNTIMES if row.bounds_memory} == {*BOUNDED, "tensorrt"}
    assert plan_memory_checks(WAYS, "cuda") == [Check(name, "memory", "fp32") for name in BOUNDED]
    assert plan_memory_checks(WAYS, "cpu") == []


def test_captured_artifacts_are_of_fixed_sizes_and_others_as_they_are() -> None:
    sizes = {"batch": 4, "sequence": 32}
    captured = get_way("onnxruntime captured")
    for task in TASKS:
        fixed = fixed_sizes(captured, task.dynamic_axes, sizes)
        shapes = {axis: fixed.get(axis) for axis in task.dynamic_axes}
        assert captures_runs(str(fixed["layers"]), shapes, "padded"), task.name  # type: ignore[arg-type]
        assert fixed_sizes(get_way("onnxruntime"), task.dynamic_axes, sizes) == {}


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
