"""Which runtime reads an artifact fastest on a processor, as far as it was measured.

What is said here was measured, and docs/performance.md has the figures. Where nothing was, the target's own runtime is
named: `albert-export bench --runtimes all` measures on the machine itself.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from albert_export.targets import Target

#: Features of a processor with which OpenVINO was measured to multiply in bfloat16.
BF16_FEATURES = ("amx_bf16", "avx512_bf16")

_MEASURED = "measured at 128 tokens of base size on 2 cores of an AMD EPYC with AVX512-VNNI"


@dataclass(frozen=True)
class Advice:
    """Which runtime to read artifacts of one kind with.

    Attributes:
        target: Name of the target.
        precision: Precision of the artifacts.
        calibrated: Whether their activations have fixed ranges.
        runtime: Name of the runtime.
        why: Why that one.
    """

    target: str
    precision: str
    calibrated: bool
    runtime: str
    why: str


def advise(target: Target, precision: str, *, calibrated: bool = False, features: Collection[str]) -> Advice:
    """Return the runtime that was measured to be the fastest on the CPU, or the target's own.

    Args:
        target: Row of the table.
        precision: One of its precisions.
        calibrated: Whether the activations have fixed ranges.
        features: Features of the processor, by their names in ``albert_export._machine``.
    """
    own = target.own_runtime
    name, why = own.name, f"no other reads {target.title}"
    if len(target.runtimes) > 1:
        name, why = _measured(target, precision, calibrated, features)
    return Advice(target.name, precision, calibrated, name, why)


def _measured(target: Target, precision: str, calibrated: bool, features: Collection[str]) -> tuple[str, str]:
    own = target.own_runtime.name
    if (target.name, precision) == ("onnx", "bf16"):
        has = [name for name in BF16_FEATURES if name in features]
        if has:
            return "openvino", f"it computes in bf16, with {' and '.join(has)}: 62 ms to 117 of {own}, {_MEASURED}"
        return own, f"this processor has none of {', '.join(BF16_FEATURES)}, with which openvino would compute in bf16"
    if (target.name, precision) == ("onnx", "fp32"):
        return own, f"openvino is as fast, 118 ms to 117, {_MEASURED}"
    if (target.name, precision) == ("onnx", "int8"):
        if calibrated:
            return own, f"openvino was not measured to be faster (36 to 40 ms, {_MEASURED}); bench tells"
        return own, f"openvino takes 158 ms where ranges are measured in each run, {_MEASURED}"
    return own, "openvino was not measured beside it; bench tells"
