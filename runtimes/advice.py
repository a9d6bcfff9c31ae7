"""Which runtime reads an artifact fastest on a processor, as far as it was measured.

What is said here was measured, and docs/openvino.md has the figures. Where nothing was, the target's own runtime is
named: `albert-export bench --runtimes all` measures on the machine itself.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from albert_export.targets import Target

#: Features of a processor with which OpenVINO was measured to multiply in bfloat16.
BF16_FEATURES = ("amx_bf16", "avx512_bf16")

#: Feature of the processor on which integers were measured; nothing is said about others.
INT8_FEATURE = "amx_int8"
#: (precision, whether its activations have fixed ranges) -> ms in ONNX Runtime, ms in OpenVINO: of an ONNX file, with
#: ``albert-export bench --runtimes all``.
MILLISECONDS = {
    ("fp32", False): (110, 101),
    ("bf16", False): (111, 25),
    ("int8", False): (33, 25),
    ("int8", True): (28, 22),
    ("int4", False): (110, 55),
}
#: Differences below this share are ties.
_TIE = 0.1

#: Where the figures come from.
MEASURED = "measured at 128 tokens of base size on 2 cores of an Intel Xeon with AMX"


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
    found = MILLISECONDS.get((precision, calibrated)) if target.name == "onnx" else None
    if found is None:
        return None
    own_ms, other_ms = found
    if precision == "bf16":
        has = [name for name in BF16_FEATURES if name in features]
        if has:
            return "openvino", f"it computes in bf16, with {' and '.join(has)}: {other_ms} ms to {own_ms} of {own}"
        return own, f"this processor has none of {', '.join(BF16_FEATURES)}, with which openvino would compute in bf16"
    if other_ms >= own_ms * (1 - _TIE):
        return own, f"openvino is about as fast: {other_ms} ms to {own_ms}"
    if INT8_FEATURE in features:
        return "openvino", f"with {INT8_FEATURE}, {other_ms} ms to {own_ms} of {own}"
    return None
