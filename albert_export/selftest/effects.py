"""How much a control changes the model itself, in float64: below a precision's threshold nothing can see it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from albert_export.checkpoints import Checkpoint
from albert_export.parity.cases import Case, build_cases
from albert_export.parity.compare import OWN_MEANING
from albert_export.parity.criteria import Pool, measure
from albert_export.parity.oracle import Oracle
from albert_export.parity.rounding import rounded_parts
from albert_export.selftest.controls import Control
from albert_export.tasks import Task

if TYPE_CHECKING:
    import numpy as np

    from albert_export.bundle import Artifact

Answers = Mapping[str, "np.ndarray[Any, Any]"]
#: What decides on which inputs, and by which weights, an artifact is judged.
_Key = tuple[Any, ...]


class Effects:
    """The effects of controls on the eager model.

    Args:
        checkpoint: The healthy checkpoint.
        task: The head.
        tokenizer: Of the cases' texts; None for random ids.
        seed: Of the random ids.
        allow_random_head: Whether a head that the checkpoint lacks is filled as the export fills it.
    """

    def __init__(
        self, checkpoint: Checkpoint, task: Task, *, tokenizer: Any | None, seed: int, allow_random_head: bool
    ) -> None:
        self._checkpoint = checkpoint
        self._task = task
        self._tokenizer = tokenizer
        self._seed = seed
        self._allow_random_head = allow_random_head
        self._healthy: dict[tuple[str, ...], Oracle] = {}
        self._cases: dict[_Key, tuple[Case, ...]] = {}
        self._found: dict[_Key, float] = {}

    def of(self, control: Control, artifact: Artifact) -> float:
        """Return 20·log10 of the RMS of what the control changes over the spread, in dB, of the output it changes most.

        Minus infinity where it changes nothing: then the model with that mistake is the same model.
        """
        key = (*(artifact.shapes.get(axis) for axis in ("choices", "sequence")), rounded_parts(artifact))
        if (control.name, key) not in self._found:
            self._found[control.name, key] = self._measure(control, artifact, key)
        return self._found[control.name, key]

    def _measure(self, control: Control, artifact: Artifact, key: _Key) -> float:
        parts = rounded_parts(artifact)
        if key not in self._cases:
            self._cases[key] = build_cases(
                self._task,
                self._checkpoint.config,
                sizes=artifact.shapes,
                traced=artifact.facts.get("traced_sizes"),
                tokenizer=self._tokenizer,
                seed=self._seed,
            )
        if parts not in self._healthy:
            self._healthy[parts] = self._oracle(self._checkpoint, parts)
        healthy = self._healthy[parts]
        changed = healthy if control.checkpoint is None else self._oracle(control.checkpoint(self._checkpoint), parts)
        pools = {spec.name: Pool() for spec in self._task.outputs}
        for case in self._cases[key]:
            inputs = case.inputs if control.inputs is None else control.inputs(case.inputs)
            right, wrong = healthy.run(case.inputs).exact, changed.run(inputs).exact
            for spec in self._task.outputs:
                by_entry = spec.axes[-1] in OWN_MEANING
                exact, got, where = right[spec.name], wrong[spec.name], case.real(spec.axes)
                pools[spec.name].add(measure(case.name, exact, exact, got, where, by_entry=by_entry))
        return max((-pool.snr_db for pool in pools.values() if not math.isnan(pool.snr_db)), default=-math.inf)

    def _oracle(self, checkpoint: Checkpoint, parts: tuple[str, ...]) -> Oracle:
        return Oracle(checkpoint, self._task, allow_random_head=self._allow_random_head, rounded=parts)
