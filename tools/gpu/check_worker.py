"""The process that exports, runs and compares; see :mod:`tools.gpu.workers`.

It is asked for ``checks`` (way, task, precision), ``model``, ``device``, ``scratch`` and ``allow_random_head``, and
tells a line for each: ``ok``, ``device``, ``seconds`` and ``figure``, or ``error``.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np

from tools.gpu.plan import Check, get_way
from tools.gpu.workers import one_line, request, tell


def main() -> None:
    """Do every check in turn."""
    asked = request()
    for check in (Check(**fields) for fields in asked["checks"]):
        started = time.perf_counter()
        tell({"begins": vars(check)})
        try:
            found = do_check(check, asked)
        except Exception as error:  # noqa: BLE001  the next check may pass
            found = {"ok": False, "error": one_line(error)}
        tell({**vars(check), **found, "seconds": round(time.perf_counter() - started, 2)})


def do_check(check: Check, asked: dict[str, Any]) -> dict[str, Any]:
    """Return what one check found."""
    from albert_export.checkpoints import open_checkpoint
    from albert_export.tasks import get_task

    way, device = get_way(check.way), asked["device"]
    task = get_task(check.task)
    if way.target is None:
        from tools.gpu.eager_check import check_eager

        checkpoint = open_checkpoint(asked["model"], task=task)
        ok, snr = check_eager(checkpoint, task, check.precision, device, allow_random_head=asked["allow_random_head"])
        return {"ok": ok, "device": device, "figure": f"{snr:.1f} dB"}
    from albert_export import check_parity, export, load

    out = Path(asked["scratch"], f"{check.way}-{check.task}-{check.precision}")
    try:
        bundle = export(
            way.target,
            model=asked["model"],
            task=check.task,
            out=out,
            precision=check.precision,
            parity=False,
            allow_random_head=asked["allow_random_head"],
        )
        with load(bundle, target=way.target, precision=check.precision, device=device, runtime=way.runtime) as runtime:
            ran_on = runtime.device
            _run(runtime)
        report = check_parity(bundle, model=asked["model"], device=device, runtime=way.runtime, quick=True, data="none")
    finally:
        shutil.rmtree(out, ignore_errors=True)
    (artifact,) = report.artifacts
    worst = min((output.snr_db for output in artifact.outputs if output.count), default=float("nan"))
    found: dict[str, Any] = {"ok": report.ok, "device": ran_on, "figure": f"{worst:.1f} dB"}
    if not report.ok:
        found["error"] = report.worst()[:400]
    return found


def _run(runtime: Any) -> None:
    """Run twice, at two shapes, and hold what comes back to the task."""
    from albert_export.bench.shapes import Shape, make_inputs

    choices = 2 if "choices" in runtime.task.dynamic_axes else None
    longest = runtime.config.max_position_embeddings
    for shape in (Shape(1, min(7, longest)), Shape(3, min(33, longest), padded=True)):
        outputs = runtime.run(**make_inputs(shape, vocabulary=runtime.config.vocab_size, choices=choices))
        sizes = {"batch": shape.batch, "sequence": shape.sequence, "choices": choices or 1}
        for spec in runtime.outputs:
            found = outputs[spec.name]
            if found.shape != spec.shape(runtime.config, sizes) or not np.isfinite(found).all():
                raise ValueError(f"{spec.name} of shape {found.shape} at {shape.name}, or not finite")


if __name__ == "__main__":
    main()
