"""Where an artifact that misses parity first leaves the eager model: in the embeddings, in which layer, or in the head.

Each target has a reader of hidden states, which opens up a copy of the artifact; what it reads is compared layer by
layer with the eager model in float64, by the artifact's own criterion.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from albert_export.errors import AlbertExportError
from albert_export.parity.cases import Case
from albert_export.parity.compare import batch_size, batches
from albert_export.parity.criteria import Pool, criterion_for, measure
from albert_export.parity.layer_parts import parts_of
from albert_export.parity.onnx_operators import read_onnx_parts
from albert_export.parity.onnx_states import read_onnx_states
from albert_export.parity.oracle import Oracle
from albert_export.parity.packed_padding import is_packed, repeated_at_padding
from albert_export.parity.report import ArtifactResult, DepthPoint, Divergence
from albert_export.parity.savedmodel_states import read_savedmodel_states
from albert_export.parity.stablehlo_states import read_stablehlo_states
from albert_export.parity.tflite_states import read_tflite_states
from albert_export.runtimes.openvino_runtime import OpenVinoRuntime

if TYPE_CHECKING:
    from albert_export.bundle import Bundle
    from albert_export.runtimes import Runtime

Array = npt.NDArray[Any]

#: What runs a copy of an artifact on batches and returns, for each number of layers applied, the hidden state after
#: them, ``[B,S,D]`` (``[B*N,S,D]`` for multiple choice).
ReadStates = Callable[[Path, "Runtime", Sequence[Mapping[str, Array]]], dict[int, Array]]
READERS: Mapping[str, ReadStates] = {
    "onnx": read_onnx_states,
    "tflite": read_tflite_states,
    "savedmodel": read_savedmodel_states,
    "stablehlo": read_stablehlo_states,
}

Explained = tuple[Divergence, tuple[DepthPoint, ...]]


def explain_miss(
    bundle: Bundle, result: ArtifactResult, runtime: Runtime, oracle: Oracle, cases: Sequence[Case]
) -> Explained:
    """Return the first layer, kind of operator and output that diverge, and the error after each layer.

    Args:
        bundle: Holds the artifact.
        result: The verdict, a miss.
        runtime: The artifact, open.
        oracle: The eager model.
        cases: What the artifact was run on.
    """
    output, places, name = _first_miss(result)
    if output is None:
        return Divergence("unknown", "none", "none", _other_miss(result)), ()
    case = next((case for case in cases if case.name == name), None)
    if case is None:
        why = f"the run on {name} failed, of which no case of parity is part" if name else "it was never compared"
        return Divergence("unknown", output, name or "none", why), ()
    look = _Look(bundle, result, runtime, oracle, case, output, places)
    read = reader_for(result, runtime)
    if isinstance(read, str):
        return look.found("unknown", read), ()
    try:
        states = look.read(read)
    except AlbertExportError as error:
        return look.found("unknown", f"the hidden states cannot be read: {error}"), ()
    if not states:
        return look.found("unknown", "the artifact does not name its hidden states"), ()
    return look.at_states(states)


def reader_for(result: ArtifactResult, runtime: Runtime) -> ReadStates | str:
    """Return what reads the hidden states of an artifact as its runtime computes them, or why nothing can."""
    if isinstance(runtime, OpenVinoRuntime):  # another one would show states that may be right
        return "hidden states cannot be read in OpenVINO"
    return READERS.get(result.target, f"hidden states of {result.target} artifacts cannot be read")


def _other_miss(result: ArtifactResult) -> str:
    """Return in words what misses where no output does."""
    for check in result.checks:
        if check.ok is False:
            return f"no output misses, but {check.name} does: {check.detail}"
    for metric in result.metrics:
        if not metric.ok:
            return f"no output misses, but a metric does: {metric.told()}"
    return "no output was compared"


class _Look:
    """One case of one artifact that misses, looked at from within."""

    def __init__(
        self,
        bundle: Bundle,
        result: ArtifactResult,
        runtime: Runtime,
        oracle: Oracle,
        case: Case,
        output: str,
        places: str,
    ) -> None:
        artifact = bundle.select(file=result.file)
        self._file = bundle.file(artifact)
        self._packed = is_packed(artifact)
        self._result = result
        self._runtime = runtime
        self._oracle = oracle
        self._case = case
        self._output = output
        mask = case.inputs["attention_mask"].reshape(-1, case.shape[-1]).astype(bool)
        self._mask = mask
        self._where = mask if places == "real" else ~mask & mask.any(-1, keepdims=True)
        self._criterion = criterion_for(result.precision)
        self._parts = list(batches(case, batch_size(runtime, case)))

    def found(self, place: str, detail: str, operator: str | None = None) -> Divergence:
        """Return a divergence of the output and case that are looked at."""
        return Divergence(place, self._output, self._case.name, detail, operator)

    def at_states(self, states: Mapping[int, Array]) -> Explained:
        """Return the first hidden state that diverges, and the errors of all."""
        exact, single = self._oracle.hidden_states(self._case.inputs, self._result.framework)
        if self._packed:
            exact, single = ([repeated_at_padding(state, self._mask) for state in each] for each in (exact, single))
        divergence: Divergence | None = None
        depth: list[DepthPoint] = []
        agreed = 0.0
        for layer in range(len(exact)):
            place = f"layer {layer}" if layer else "embeddings"
            if layer > max(states):
                detail = f"the artifact applies {max(states)} of {len(exact) - 1} layers"
                divergence = divergence or self.found(place, detail)
                break
            if layer not in states:  # merged into an operator that spans it
                continue
            true, noisy, got = exact[layer], single[layer], states[layer]
            if layer == len(exact) - 1 and got.shape[1:2] == (1,):
                # Written out, the last layer computes the first token alone where the head reads no other.
                true, noisy = true[:, :1], noisy[:, :1]
            if got.shape != true.shape:
                detail = f"hidden state of shape {list(got.shape)} in place of {list(true.shape)}"
                divergence = divergence or self.found(place, detail)
                break
            pool = self._measure(true, noisy, got)
            depth.append(self._point(layer, true, noisy, got))
            if divergence is None and not self._criterion.passes(pool):
                before = f"; before it at most {agreed:.2e}" if layer else ""
                ratio = f", SNR {pool.snr_db:.1f} dB" if self._criterion.least_snr_db is not None else ""
                detail = f"max error {pool.error:.2e}, limit {self._criterion.limit(pool):.2e}{ratio}{before}"
                divergence = self.found(place, detail, self._operator(layer))
            agreed = max(agreed, pool.error)
        if divergence is None:
            divergence = self.found("head", f"all {len(exact) - 1} layers agree, max error {agreed:.2e}")
        return divergence, tuple(depth)

    def read(self, read: ReadStates) -> dict[int, Array]:
        """Return the hidden states of the case."""
        states = read(self._file, self._runtime, [batch.inputs for batch, _ in self._parts])
        return {layer: state[: self._rows] for layer, state in states.items()}

    @property
    def _rows(self) -> int:
        """Rows of the case; further ones fill up the last batch."""
        return int(self._case.shape[0] * np.prod(self._case.shape[1:-1]))

    def _operator(self, layer: int) -> str | None:
        """Return the first kind of operator in a layer that diverges, where the target shows them."""
        if self._result.target != "onnx" or self._packed:  # packed, a step has no place for each token
            return None
        try:
            parts = read_onnx_parts(self._file, self._runtime, [batch.inputs for batch, _ in self._parts], layer)
        except AlbertExportError:
            return None  # the layer is known all the same
        exact, single = self._oracle.layer_parts(self._case.inputs, layer)
        for part in parts_of(layer):
            if part not in parts or part not in exact:
                continue
            true, noisy, got = exact[part], single[part], parts[part][: self._rows]
            if got.shape[1:2] == (1,):  # as in the last layer, of the first token alone
                true, noisy = true[:, :1], noisy[:, :1]
            if got.shape == true.shape:
                pool = self._measure(true, noisy, got)
                if not self._criterion.passes(pool):
                    return part.kind
        return None

    def _measure(self, exact: Array, single: Array, got: Array) -> Pool:
        # Of one token in each row, a hidden unit has next to no spread of its own: that of all of them counts instead.
        several = got.shape[1] > 1
        return measure(self._case.name, exact, single, got, self._where[:, : got.shape[1]], by_entry=several)

    def _point(self, layer: int, exact: Array, single: Array, got: Array) -> DepthPoint:
        where = self._where[:, : got.shape[1]]
        there = exact[where]
        if not there.size:
            return DepthPoint(layer, 0.0, 0.0)
        error, noise = (
            float(np.sqrt(np.mean(np.square(np.subtract(values[where], there, dtype=np.float64)))))
            for values in (got, single)
        )
        return DepthPoint(layer, error, noise)


def _first_miss(result: ArtifactResult) -> tuple[str | None, str, str]:
    """Return the first output, in the order of the task, that misses; at which places, and in which case.

    A run that failed on the data comes last: there is nothing in it to look at, as there is in a case.
    """
    cases = {case.name for case in result.cases}
    for output in result.outputs:
        own = [fault for fault in result.faults if fault.output in (output.output, None) and fault.case in cases]
        if own:
            return output.output, "real", own[0].case
        if not output.ok:
            return output.output, output.places, output.worst_case
    if result.faults:
        return "none", "real", result.faults[0].case
    return None, "real", ""
