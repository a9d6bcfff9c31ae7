"""How far contenders lie from the float64 oracle, on the inputs that are timed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from albert_export.bench.contenders import ProcessContender
from albert_export.bench.report import Errors
from albert_export.bench.shapes import IntArray, Shape
from albert_export.parity.cases import Case
from albert_export.parity.compare import OWN_MEANING
from albert_export.parity.criteria import Pool, measure
from albert_export.parity.oracle import TRUTH, Oracle
from albert_export.positions import task_with

Array = npt.NDArray[Any]

#: Tokens that the oracle computes at once: a batch of long rows in float64, of a large vocabulary, would fill memory.
_TOKENS = 512


def measure_errors(
    oracle: Oracle, contenders: Mapping[ProcessContender, Mapping[Shape, Mapping[str, IntArray]]], scratch: Path
) -> dict[str, Errors]:
    """Run contenders of one checkpoint and task, and compare their outputs with the oracle's at real tokens.

    Args:
        oracle: The eager models.
        contenders: Contender -> shapes that it takes -> their inputs.
        scratch: Directory for outputs.

    Returns:
        Name of the contender -> its errors.
    """
    pools: dict[str, dict[str, Pool]] = {
        contender.name: {spec.name: Pool() for spec in oracle.task.outputs} for contender in contenders
    }
    for shape in dict.fromkeys(shape for inputs in contenders.values() for shape in inputs):
        takers = [contender for contender in contenders if shape in contenders[contender]]
        files = {contender.name: scratch / f"{number}.npz" for number, contender in enumerate(takers)}
        for contender in takers:
            contender.save_outputs(shape, files[contender.name])
        for group in _alike(takers, {contender: contenders[contender][shape] for contender in takers}):
            inputs = contenders[group[0]][shape]
            _compare(oracle, shape, inputs, {each.name: files[each.name] for each in group}, pools)
    return {
        name: Errors(
            largest={output: pool.error for output, pool in each.items()},
            snr_db={output: pool.snr_db if pool.spread else None for output, pool in each.items()},
            eager={output: pool.e0 for output, pool in each.items()},
        )
        for name, each in pools.items()
    }


def _alike(
    contenders: Sequence[ProcessContender], inputs: Mapping[ProcessContender, Mapping[str, IntArray]]
) -> list[list[ProcessContender]]:
    """Put together those that get the same inputs: choices may be fixed, and positions asked for."""
    groups: dict[tuple[Any, ...], list[ProcessContender]] = {}
    for contender in contenders:
        given = inputs[contender]
        groups.setdefault((given["input_ids"].shape, *given), []).append(contender)
    return list(groups.values())


def _compare(
    oracle: Oracle,
    shape: Shape,
    inputs: Mapping[str, IntArray],
    files: Mapping[str, Path],
    pools: Mapping[str, Mapping[str, Pool]],
) -> None:
    """Take the figures of one shape into the pools."""
    outputs = {}
    for name, file in files.items():
        with np.load(file, allow_pickle=False) as stored:
            outputs[name] = {spec.name: stored[spec.name] for spec in oracle.task.outputs}
    for rows in _chunks(inputs["input_ids"].shape):
        part = {name: values[rows] for name, values in inputs.items()}
        case = Case(shape.name, part, "right" if shape.padded else "none")
        reference = oracle.run(part)
        for spec in task_with(oracle.task, part).outputs:
            exact, single = reference.exact[spec.name], reference.single[TRUTH][spec.name]
            by_entry = spec.axes[-1] in OWN_MEANING
            for name, each in outputs.items():
                got = each[spec.name][rows]
                figures = measure(shape.name, exact, single, got, case.real(spec.axes), by_entry=by_entry)
                pools[name][spec.name].add(figures)


def _chunks(shape: tuple[int, ...]) -> Iterator[slice]:
    step = max(1, _TOKENS // int(np.prod(shape[1:])))
    for start in range(0, shape[0], step):
        yield slice(start, start + step)
