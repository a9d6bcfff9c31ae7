"""How an artifact's error grows with the layers, where its hidden states can be read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from albert_export.bundle import Bundle
from albert_export.errors import AlbertExportError
from albert_export.parity import explain
from albert_export.parity.cases import Case
from albert_export.parity.compare import batches
from albert_export.parity.oracle import Oracle
from albert_export.parity.report import ArtifactResult, DepthPoint
from albert_export.runtimes import Runtime


def measure_depth(
    bundle: Bundle, result: ArtifactResult, runtime: Runtime, oracle: Oracle, case: Case
) -> tuple[DepthPoint, ...]:
    """Return the error of the hidden state after each number of layers, at real places of one case.

    Args:
        bundle: Holds the artifact.
        result: The verdict.
        runtime: The artifact, open.
        oracle: The eager model.
        case: The inputs.

    Returns:
        In order; a layer that an operator spans is left out. Empty where the states cannot be read, or are of other
        shapes than the eager model's: what misses is told elsewhere.
    """
    read = explain.reader_for(result, runtime)
    if isinstance(read, str):
        return ()
    parts = [batch.inputs for batch, _ in batches(case, runtime.sizes.get("batch"))]
    try:
        states = read(bundle.file(bundle.select(file=result.file)), runtime, parts)
    except AlbertExportError:
        return ()
    exact, single = oracle.hidden_states(case.inputs, result.framework)
    where = case.inputs["attention_mask"].reshape(-1, case.shape[-1]).astype(bool)
    rows = case.shape[0] * int(np.prod(case.shape[1:-1]))
    found = []
    for layer, state in sorted(states.items()):
        if layer >= len(exact) or state[:rows].shape != exact[layer].shape:
            continue
        errors = [other[where].astype(np.float64) - exact[layer][where] for other in (state[:rows], single[layer])]
        found.append(DepthPoint(layer, *(float(np.sqrt(np.mean(np.square(error)))) for error in errors)))
    return tuple(found)


def depth_case(cases: Sequence[Case]) -> Case:
    """Return the case whose layers are looked at: text, or the first."""
    return next((case for case in cases if case.name == "text"), cases[0])
