"""Running an artifact on the cases and comparing what it gives with the eager model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from albert_export.errors import BundleError, InputError
from albert_export.parity.cases import Case, Mask
from albert_export.parity.criteria import Pool, measure
from albert_export.parity.decisions import compare_decisions
from albert_export.parity.oracle import TRUTH, Reference
from albert_export.parity.packed_padding import repeated_at_padding
from albert_export.tasks import Task, TensorSpec

if TYPE_CHECKING:
    from albert_export.runtimes import Runtime

Array = npt.NDArray[Any]

#: Places of an output: tokens and rows that mean something, and padding within such rows. Each is judged by its own
#: noise and scale, since a wide spread at positions that nobody reads must not widen the limit where they do.
Places = Literal["real", "padding"]
PLACES: tuple[Places, ...] = ("real", "padding")

#: Last axes whose entries mean the same in every place.
OWN_MEANING = ("vocab_size", "num_labels", "hidden_size")

#: What a run raises when the artifact is at fault, as when the tracer baked a shape in. A device that fails or lacks
#: memory says nothing about the artifact: its error passes through, and nothing is judged.
RUN_FAILURES = (BundleError, InputError)


@dataclass(frozen=True)
class Fault:
    """Something an artifact did that no tolerance allows.

    Attributes:
        case: Case in which it was first met.
        output: Output it concerns; None when the run as a whole failed.
        kind: ``failed``, ``missing``, ``dtype``, ``shape`` or ``not finite``.
        detail: What was there, in words.
    """

    case: str
    output: str | None
    kind: Literal["failed", "missing", "dtype", "shape", "not finite"]
    detail: str


class Comparison:
    """One artifact against the eager model, over all cases.

    Args:
        runtime: The artifact, opened.
        framework: The framework whose eager model it was traced from: its noise is what the artifact's is measured by.
        packed: Whether it leaves padding out, and repeats tokens there.

    Attributes:
        faults: What no tolerance allows, at most one of a kind for each case and output.
        pools: (output, places) -> figures pooled over all cases.
        by_case: (case, output) -> figures at the real places of one case.
        unrounded: Output -> figures at real places against the model as it is, where ``pools`` are against one with
            rounded matrices; else nothing.
    """

    def __init__(self, runtime: Runtime, framework: str = TRUTH, *, packed: bool = False) -> None:
        self.runtime = runtime
        self.framework = framework
        self.packed = packed
        self.faults: list[Fault] = []
        self.pools: dict[tuple[str, Places], Pool] = {
            (spec.name, places): Pool() for spec in runtime.task.outputs for places in PLACES
        }
        self.by_case: dict[tuple[str, str], Pool] = {}
        self.unrounded: dict[str, Pool] = {}

    def add(self, case: Case, reference: Reference, unrounded: Reference | None = None) -> dict[str, Array]:
        """Run a case and take its figures in; return the outputs that could be compared, of all rows.

        Args:
            case: The inputs.
            reference: What decides.
            unrounded: What the model as it is answers, where the reference has rounded matrices.

        Raises:
            DeviceError: The device failed.
        """
        parts: dict[str, list[Array]] = {spec.name: [] for spec in self.runtime.task.outputs}
        for batch, rows in batches(case, batch_size(self.runtime, case)):
            outputs = self._run(batch)
            for spec in self.runtime.task.outputs:
                got = None if outputs is None else self._checked(batch, spec, outputs)
                if got is not None:
                    parts[spec.name].append(got[: rows.stop - rows.start])
        whole: dict[str, Array] = {}
        for spec in self.runtime.task.outputs:
            got = np.concatenate(parts[spec.name]) if parts[spec.name] else np.empty(0)
            exact, single = reference.exact[spec.name], reference.single[self.framework][spec.name]
            if self.packed and "sequence" in spec.axes:
                mask = case.inputs["attention_mask"]
                exact, single = repeated_at_padding(exact, mask), repeated_at_padding(single, mask)
            if got.shape == exact.shape:
                whole[spec.name] = got
                real = self._real(case, spec, reference, got)
                self.by_case[case.name, spec.name] = real
                self.pools[spec.name, "real"].add(real)
                padded, by_entry = case.padded(spec.axes), spec.axes[-1] in OWN_MEANING
                self.pools[spec.name, "padding"].add(measure(case.name, exact, single, got, padded, by_entry=by_entry))
                if unrounded is not None:
                    self.unrounded.setdefault(spec.name, Pool()).add(self._real(case, spec, unrounded, got))
        return whole

    def _real(self, case: Case, spec: TensorSpec, reference: Reference, got: Array) -> Pool:
        """Return the figures of an output at real places, and its decisions."""
        exact, single = reference.exact[spec.name], reference.single[self.framework][spec.name]
        where = case.real(spec.axes)
        real = measure(case.name, exact, single, got, where, by_entry=spec.axes[-1] in OWN_MEANING)
        real.decisions, flipped = compare_decisions(spec, self.runtime.config, exact, got, where)
        real.flipped = [replace(flip, case=case.name) for flip in flipped]
        return real

    def _run(self, batch: Case) -> Mapping[str, Array] | None:
        try:
            return self.runtime.run(**batch.inputs)
        except RUN_FAILURES as error:
            self._fault(batch, None, "failed", f"input of shape {list(batch.shape)}: {error}")
            return None

    def _checked(self, batch: Case, spec: TensorSpec, outputs: Mapping[str, Array]) -> Array | None:
        """Return the output if it is there and of the right dtype and shape; note what is wrong with it."""
        if spec.name not in outputs:
            self._fault(batch, spec.name, "missing", f"the run gave {', '.join(outputs) or 'nothing'}")
            return None
        got = outputs[spec.name]
        if got.dtype != np.dtype(spec.dtype):
            self._fault(batch, spec.name, "dtype", f"{got.dtype} in place of {spec.dtype}")
            return None
        shape = spec.shape(self.runtime.config, batch.sizes(self.runtime.task.inputs))
        if got.shape != shape:
            self._fault(batch, spec.name, "shape", f"{list(got.shape)} in place of {list(shape)}")
            return None
        if not np.isfinite(got).all():  # everywhere: padding and rows without a token are no excuse
            self._fault(batch, spec.name, "not finite", f"{int((~np.isfinite(got)).sum())} of {got.size} numbers")
        return got

    def _fault(self, batch: Case, output: str | None, kind: Any, detail: str) -> None:
        if not any((known.case, known.output, known.kind) == (batch.name, output, kind) for known in self.faults):
            self.faults.append(Fault(batch.name, output, kind, detail))


def compare_eager(framework: str, case: Case, reference: Reference, task: Task) -> dict[tuple[str, Places], Pool]:
    """Compare the eager float32 model of a framework with torch in float64 on one case.

    Returns:
        (output, places) -> figures; ``e0`` is torch's own noise, since the framework's is what is looked at.
    """
    found: dict[tuple[str, Places], Pool] = {}
    for spec in task.outputs:
        exact = reference.exact[spec.name]
        noise, got = reference.single[TRUTH][spec.name], reference.single[framework][spec.name]
        for places, where in zip(PLACES, (case.real(spec.axes), case.padded(spec.axes)), strict=True):
            found[spec.name, places] = measure(case.name, exact, noise, got, where)
    return found


def batch_size(runtime: Runtime, case: Case) -> int | None:
    """Return the batch that a case has to be cut into for a runtime, or None where it takes the case as it is."""
    fixed, most = runtime.sizes.get("batch"), runtime.most_rows
    return fixed if fixed is not None or most is None or case.shape[0] <= most else most


def batches(case: Case, size: int | None) -> Iterator[tuple[Case, slice]]:
    """Cut a case into the batches an artifact takes.

    Args:
        case: The case.
        size: Batch size that the artifact is fixed to or takes at most, or None where it takes the case as it is.

    Yields:
        A batch, and the rows of the case that it begins with; a last batch that has too few repeats its first row.
    """
    count = case.shape[0]
    if size is None:
        yield case, slice(0, count)
        return
    for start in range(0, count, size):
        stop = min(start + size, count)
        rows = [*range(start, stop), *[start] * (size - (stop - start))]
        yield take(case, rows), slice(start, stop)


def take(case: Case, rows: list[int]) -> Case:
    """Return the case with these of its rows."""
    return replace(case, inputs={name: values[rows] for name, values in case.inputs.items()})


def largest_difference(first: Array, second: Array, where: Mask) -> float:
    """Return max |first - second| at the chosen leading places; infinite when a difference is not finite."""
    differences = np.abs(np.subtract(first[where], second[where], dtype=np.float64))
    if not differences.size:
        return 0.0
    return float(differences.max()) if np.isfinite(differences).all() else float("inf")
