"""What must hold of an artifact besides its distance from the eager model."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from albert_export.parity.cases import Case
from albert_export.parity.compare import RUN_FAILURES, batch_size, batches, largest_difference, take
from albert_export.positions import POSITIONS, without_positions

if TYPE_CHECKING:
    from albert_export.runtimes import Runtime

Array = npt.NDArray[Any]
_Run = Callable[[], Mapping[str, Array]]

#: How often a case is run again: a race does not show every time.
REPETITIONS = 3

#: Whole numbers that inputs may come in.
WHOLE_NUMBERS = ("int32", "int64", "int16", "int8", "uint8", "uint16", "uint32", "uint64")


@dataclass(frozen=True)
class Measured:
    """How far two ways of getting the same answer lie apart.

    Attributes:
        differences: Output name -> max |difference| at real places.
        rows: Rows that were compared; 0 when the artifact's fixed shape leaves nothing to compare.
        detail: In words, what was compared, or why nothing could be.
        failed: What went wrong when the artifact could not run, else None.
    """

    differences: Mapping[str, float]
    rows: int
    detail: str
    failed: str | None = None


def choose_case(cases: Sequence[Case]) -> Case:
    """Return the case that the checks run on: padded on the right if there is one, else the one with all paddings."""
    return next((case for case in cases if case.padding == "right"), cases[-1])


def row_alone(runtime: Runtime, case: Case, together: Mapping[str, Array]) -> Measured:
    """Run each row without its companions and without the padding on its right, and compare with the whole batch.

    The eager model gives the same answer both ways, so an artifact must. (Padding on the left stays: taking it away
    would shift the positions, and the answer with them.)

    Args:
        runtime: The artifact.
        case: Some rows of which end in padding.
        together: The artifact's outputs for the whole case.
    """
    batch, length = runtime.sizes.get("batch"), runtime.sizes.get("sequence")
    if batch == 1 and length is not None:
        return Measured({}, 0, "does not apply: batch and sequence are fixed, so a row is never in other company")
    differences: dict[str, float] = dict.fromkeys(together, 0.0)
    count = 0
    for index in range(case.shape[0]):
        row = take(case, [index])
        mask = row.inputs["attention_mask"]
        if not mask.any():
            continue
        inside: Any = slice(None)
        if length is None:
            end = int(np.flatnonzero(mask.reshape(-1, mask.shape[-1]).any(0))[-1]) + 1
            tokens = {name: values[..., :end] for name, values in without_positions(row.inputs).items()}
            if POSITIONS in row.inputs:
                inside = row.inputs[POSITIONS][0] < end
                tokens[POSITIONS] = row.inputs[POSITIONS][:, inside]
            row = replace(row, inputs=tokens)
        try:
            outputs = runtime.run(**take(row, [0] * (batch or 1)).inputs)
        except RUN_FAILURES as error:
            return Measured(differences, count, f"row {index} of {case.name} alone", failed=str(error))
        for spec in runtime.task.outputs:
            if spec.name in together:
                whole = together[spec.name][index : index + 1]
                if "sequence" in spec.axes:
                    whole = whole.take(range(row.shape[-1]), axis=spec.axes.index("sequence"))
                if POSITIONS in spec.axes:
                    whole = whole[:, inside]
                alone = outputs[spec.name][:1] if spec.name in outputs else None  # further rows repeat it
                apart = _difference(whole, alone, row.real(spec.axes))
                differences[spec.name] = max(differences[spec.name], apart)
        count += 1
    return Measured(differences, count, f"{count} rows of {case.name}, each alone and in the batch")


def repeated(runtime: Runtime, case: Case, together: Mapping[str, Array]) -> Measured:
    """Run the case again, and again: memory that is read before it is written, or a race, differs from run to run."""
    differences: dict[str, float] = dict.fromkeys(together, 0.0)
    told = f"{case.name} run {REPETITIONS} times more"
    identical = True
    for batch, rows in [*batches(case, batch_size(runtime, case))] * REPETITIONS:
        try:
            outputs = runtime.run(**batch.inputs)
        except RUN_FAILURES as error:
            return Measured(differences, 0, told, failed=str(error))
        for spec in runtime.task.outputs:
            if spec.name in together:
                first = together[spec.name][rows]
                again = outputs[spec.name][: len(first)] if spec.name in outputs else None
                apart = _difference(first, again, case.real(spec.axes)[rows])
                differences[spec.name] = max(differences[spec.name], apart)
                identical = identical and again is not None and first.tobytes() == again.tobytes()
    return Measured(differences, case.shape[0], f"{told}, {'the same bytes' if identical else 'other bytes'}")


def input_types(runtime: Runtime, case: Case, together: Mapping[str, Array]) -> Measured:
    """Give the case in every dtype that may come: tokenizers give int64, phones int32, and a mask may be bool.

    An artifact declares one dtype for each input, and its runtime casts what it is given: so this is a check of the
    runtime. It reaches the artifact where that has further signatures of other dtypes, each of which is called.
    """
    differences: dict[str, float] = dict.fromkeys(together, 0.0)
    batch, rows = next(batches(case, batch_size(runtime, case)))
    others = runtime.other_signatures()
    ways: dict[str, _Run] = {dtype: partial(_run_in, runtime, batch, dtype) for dtype in (*WHOLE_NUMBERS, "bool")}
    ways |= {f"the signature {name}": partial(call, batch.inputs) for name, call in others.items()}
    for told, run in ways.items():
        try:
            outputs = run()
        except RUN_FAILURES as error:
            return Measured(differences, 0, f"{case.name} in {told}", failed=str(error))
        for spec in runtime.task.outputs:
            if spec.name in together:
                first = together[spec.name][rows]
                again = outputs[spec.name][: len(first)] if spec.name in outputs else None
                apart = _difference(first, again, case.real(spec.axes)[rows])
                differences[spec.name] = max(differences[spec.name], apart)
    by = f", and by the signature {' and '.join(others)}" if others else ""
    told = f"{case.name} in {', '.join(WHOLE_NUMBERS)}, the mask in bool, as the runtime takes them{by}"
    return Measured(differences, rows.stop - rows.start, told)


def _run_in(runtime: Runtime, batch: Case, dtype: str) -> Mapping[str, Array]:
    """Run a batch in a dtype: each input whose numbers it holds, and in int64 the others; in bool the mask alone."""
    given = {}
    for name, values in batch.inputs.items():
        fits = name == "attention_mask" if dtype == "bool" else int(values.max()) <= np.iinfo(dtype).max
        given[name] = values.astype(dtype if fits else "int64")
    return runtime.run(**given)


def _difference(expected: Array, got: Array | None, where: npt.NDArray[np.bool_]) -> float:
    if got is None or got.shape != expected.shape:
        return math.inf
    return largest_difference(expected, got, where)
