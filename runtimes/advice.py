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

#: Where the figures below come from.
MEASURED = "measured at 128 tokens of base size on 2 cores of an AMD EPYC with AVX512-VNNI"


@dataclass(frozen=True)
class Advice:
    """Which runtime to read artifacts of one kind with.

    Attributes:
        target: Name of the target.
        precision: Precision of the artifacts.
        calibrated: Whether their activations have fixed ranges.
        runtime: Name of the runtime.
        why: Why that one.
        measured: Whether it was compared with others.
    """

    target: str
    precision: str
    calibrated: bool
    runtime: str
    why: str
    measured: bool

    def __str__(self) -> str:
        return f"{self.why} ({MEASURED})" if self.measured else self.why


def advise(target: Target, precision: str, *, calibrated: bool = False, features: Collection[str]) -> Advice:
    """Return the runtime that was measured to be the fastest on the CPU, or the target's own.

    Args:
        target: Row of the table.
        precision: One of its precisions.
        calibrated: Whether the activations have fixed ranges.
        features: Features of the processor, by their names in ``albert_export._machine``.
    """
    own = target.own_runtime
    if len(target.runtimes) == 1:
        return Advice(target.name, precision, calibrated, own.name, f"no other reads {target.title}", False)
    found = _compared(target, precision, calibrated, features)
    if found is None:
        others = " and ".join(target.runtimes[1:])
        return Advice(target.name, precision, calibrated, own.name, f"{others} was not measured beside it", False)
    return Advice(target.name, precision, calibrated, *found, True)


def _compared(target: Target, precision: str, calibrated: bool, features: Collection[str]) -> tuple[str, str] | None:
    """Return the better runtime and why, or None where nothing was compared."""
    own = target.own_runtime.name
    if (target.name, precision) == ("onnx", "bf16"):
        has = [name for name in BF16_FEATURES if name in features]
        if has:
            return "openvino", f"it computes in bf16, with {' and '.join(has)}: 62 ms to 117 of {own}"
        return own, f"this processor has none of {', '.join(BF16_FEATURES)}, with which openvino would compute in bf16"
    if (target.name, precision) == ("onnx", "fp32"):
        return own, "openvino is as fast: 118 ms to 117"
    if (target.name, precision) == ("onnx", "int8"):
        if calibrated:
            return None
        return own, "openvino takes 158 ms where ranges are measured in each run"
    return None
