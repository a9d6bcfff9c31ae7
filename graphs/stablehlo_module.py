"""StableHLO modules as bytes: without places in source files, counted, and in a version that readers know."""

from __future__ import annotations

import datetime
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

from albert_export.errors import ExportError

#: A constant is taken for a weight from this size on; smaller ones are shapes and scalars.
_CONSTANT_BYTES = 1024

#: How a module in portable bytecode begins: MLIR's magic number, then who wrote it.
_HEADER = re.compile(rb"ML\xefR.StableHLO_v([0-9]+\.[0-9]+\.[0-9]+)\0", re.DOTALL)

#: Months after the release of the jax that wrote it for which a serialised export is promised to be read, by that and
#: newer releases of jax: https://docs.jax.dev/en/latest/export/export.html#compatibility-guarantees
JAX_EXPORT_MONTHS = 6
#: Years for which portable StableHLO is promised to be read by newer releases of StableHLO, since version 1.0.0:
#: https://github.com/openxla/stablehlo/blob/main/docs/compatibility.md
STABLEHLO_YEARS = 5

#: When the releases of jax appeared whose windows are told as dates. StableHLO has no releases of its own: what jaxlib
#: brings is as old as jaxlib.
_RELEASED = {"0.10.2": datetime.date(2026, 6, 17)}


@dataclass(frozen=True)
class StableHlo:
    """A module.

    Attributes:
        bytecode: Portable bytecode of it, the same bytes on every machine.
        version: The oldest version of StableHLO that reads it.
        operators: How often each operator occurs, bodies of loops included.
        constant_bytes: Bytes of the constants that are no mere shapes, scalars or repetitions of one number.
    """

    bytecode: bytes
    version: str
    operators: Counter[str]
    constant_bytes: int


def settle(bytecode: bytes, *, widely: bool = False) -> StableHlo:
    """Return a module that jax wrote, without the paths and lines of the source it was traced from.

    Args:
        bytecode: Portable bytecode.
        widely: Whether other readers than jax are to read it: in the version that those of the last twelve weeks know,
            and without jax's own assertions.

    Raises:
        ExportError: The module cannot be read or written.
    """
    from jaxlib.mlir import ir
    from jaxlib.mlir.dialects import stablehlo
    from jaxlib.mlir.passmanager import PassManager

    version = stablehlo_version(bytecode)
    if widely:
        requirement = stablehlo.StablehloCompatibilityRequirement
        version = stablehlo.get_version_from_compatibility_requirement(requirement.WEEK_12)
    operators: Counter[str] = Counter()
    constant_bytes = 0

    assertions: list[Any] = []

    def count(operation: Any) -> Any:
        nonlocal constant_bytes
        if widely and operation.name == "stablehlo.custom_call":
            # Of jax's own, for shapes that do not fit: no other reader has it.
            assert str(operation.attributes["call_target_name"]) == '"shape_assertion"', operation
            assertions.append(operation)
            return ir.WalkResult.ADVANCE
        if operation.name not in ("builtin.module", "func.func"):
            operators[operation.name.removeprefix("stablehlo.")] += 1
        if operation.name == "stablehlo.constant":
            constant_bytes += _constant_bytes(operation.attributes["value"])
        return ir.WalkResult.ADVANCE

    try:
        with ir.Context() as context:
            module = stablehlo.deserialize_portable_artifact(context, bytecode)
            PassManager.parse("builtin.module(strip-debuginfo)").run(module.operation)
            module.operation.walk(count)
            for assertion in assertions:
                assertion.erase()
            written = stablehlo.serialize_portable_artifact(module, version)
    except (ValueError, RuntimeError, ir.MLIRError) as error:
        raise ExportError("StableHLO must be able to write the traced module", received=str(error)[:500]) from error
    return StableHlo(written, version, operators, constant_bytes)


def stablehlo_version(bytecode: bytes) -> str:
    """Return the version of StableHLO that a module in portable bytecode names.

    Raises:
        ExportError: It is none.
    """
    found = _HEADER.match(bytecode)
    if found is None:
        raise ExportError("a StableHLO module must be in portable bytecode", received=bytecode[:16])
    return found[1].decode()


def windows(jax_version: str, *, calling_convention: int, stablehlo: str) -> dict[str, dict[str, Any]]:
    """Say until when an artifact can be read.

    Args:
        jax_version: The jax that wrote it.
        calling_convention: Version of its calling convention.
        stablehlo: The oldest version of StableHLO that reads its modules.

    Returns:
        ``jax`` and ``stablehlo``, who reads: the ``version`` it has, the ``promise``, and ``until``, a date, or None
        where the release is not in this package's list.
    """
    released = _RELEASED.get(jax_version)
    return {
        "jax": {
            "version": calling_convention,
            "promise": f"jax of up to {JAX_EXPORT_MONTHS} months after {jax_version}",
            "until": None if released is None else _later(released, months=JAX_EXPORT_MONTHS),
        },
        "stablehlo": {
            "version": stablehlo,
            "promise": f"StableHLO of up to {STABLEHLO_YEARS} years after that of jax {jax_version}",
            "until": None if released is None else _later(released, months=12 * STABLEHLO_YEARS),
        },
    }


def _later(day: datetime.date, *, months: int) -> str:
    years, month = divmod(day.month - 1 + months, 12)
    # No release appeared on a day that another month lacks.
    return day.replace(year=day.year + years, month=month + 1, day=min(day.day, 28)).isoformat()


def _constant_bytes(value: Any) -> int:
    from jaxlib.mlir import ir

    if getattr(value, "is_splat", False):
        return 0
    kind: Any = ir.ShapedType(value.type)
    size = int(kind.element_type.width) // 8
    for length in kind.shape:
        size *= length
    return size if size >= _CONSTANT_BYTES else 0
