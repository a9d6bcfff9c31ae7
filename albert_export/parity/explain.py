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
from albert_export.parity.compare import batches
from albert_export.parity.criteria import criterion_for, measure
from albert_export.parity.onnx_states import read_onnx_states
from albert_export.parity.oracle import Oracle
from albert_export.parity.packed_padding import is_packed, repeated_at_padding
from albert_export.parity.report import ArtifactResult, Divergence

if TYPE_CHECKING:
    from albert_export.bundle import Bundle
    from albert_export.runtimes import Runtime

Array = npt.NDArray[Any]

#: Target -> what runs a copy of the artifact on batches and returns, for each number of layers applied, the hidden
#: state after them, ``[B,S,D]`` (``[B*N,S,D]`` for multiple choice).
READERS: Mapping[str, Callable[[Path, Runtime, Sequence[Mapping[str, Array]]], dict[int, Array]]] = {
    "onnx": read_onnx_states
}


def explain_miss(
    bundle: Bundle, result: ArtifactResult, runtime: Runtime, oracle: Oracle, cases: Sequence[Case]
) -> Divergence:
    """Return the first layer and output that diverge.

    Args:
        bundle: Holds the artifact.
        result: The verdict, a miss.
        runtime: The artifact, open.
        oracle: The eager model.
        cases: What the artifact was run on.
    """
    output, places, name = _first_miss(result)
    if output is None:
        failed = next((check for check in result.checks if check.ok is False), None)
        detail = f"no output misses, but {failed.name} does: {failed.detail}" if failed else "no output was compared"
        return Divergence("unknown", "none", "none", detail)
    case = next((case for case in cases if case.name == name), cases[0])
    if result.target not in READERS:
        return Divergence("unknown", output, case.name, f"hidden states of {result.target} artifacts cannot be read")
    try:
        states = _read(bundle, result, runtime, case)
    except AlbertExportError as error:
        return Divergence("unknown", output, case.name, f"the hidden states cannot be read: {error}")
    if not states:
        return Divergence("unknown", output, case.name, "the artifact does not name its hidden states")
    exact, single = oracle.hidden_states(case.inputs, result.framework)
    mask = case.inputs["attention_mask"].reshape(-1, case.shape[-1]).astype(bool)
    if is_packed(bundle.select(file=result.file)):
        exact, single = ([repeated_at_padding(state, mask) for state in each] for each in (exact, single))
    where = mask if places == "real" else ~mask & mask.any(-1, keepdims=True)
    criterion = criterion_for(result.precision)
    agreed = 0.0
    for layer in range(len(exact)):
        place = f"layer {layer}" if layer else "embeddings"
        if layer > max(states):
            detail = f"the artifact applies {max(states)} of {len(exact) - 1} layers"
            return Divergence(place, output, case.name, detail)
        if layer not in states:  # merged into an operator that spans it
            continue
        if states[layer].shape != exact[layer].shape:
            detail = f"hidden state of shape {list(states[layer].shape)} in place of {list(exact[layer].shape)}"
            return Divergence(place, output, case.name, detail)
        pool = measure(case.name, exact[layer], single[layer], states[layer], where, by_entry=True)
        limit = criterion.limit(pool)
        if not criterion.passes(pool):
            before = f"; before it at most {agreed:.2e}" if layer else ""
            ratio = f", SNR {pool.snr_db:.1f} dB" if criterion.least_snr_db is not None else ""
            return Divergence(place, output, case.name, f"max error {pool.error:.2e}, limit {limit:.2e}{ratio}{before}")
        agreed = max(agreed, pool.error)
    return Divergence("head", output, case.name, f"all {len(exact) - 1} layers agree, max error {agreed:.2e}")


def _first_miss(result: ArtifactResult) -> tuple[str | None, str, str]:
    """Return the first output, in the order of the task, that misses; at which places, and in which case."""
    for output in result.outputs:
        fault = next((fault for fault in result.faults if fault.output in (output.output, None)), None)
        if fault is not None:
            return output.output, "real", fault.case
        if not output.ok:
            return output.output, output.places, output.worst_case
    return None, "real", ""


def _read(bundle: Bundle, result: ArtifactResult, runtime: Runtime, case: Case) -> dict[int, Array]:
    artifact = bundle.select(file=result.file)
    parts = [(batch.inputs, rows) for batch, rows in batches(case, runtime.sizes.get("batch"))]
    read = READERS[result.target]
    states = read(bundle.file(artifact), runtime, [inputs for inputs, _ in parts])
    rows_per_item = int(np.prod(case.shape[1:-1]))
    return {layer: state[: case.shape[0] * rows_per_item] for layer, state in states.items()}
