"""The process that exports, runs and compares; see :mod:`tools.gpu.workers`.

It is asked for ``checks`` (way, task, precision), ``model``, ``timed`` (the larger model, whose memory is looked at),
``device``, ``scratch`` and ``allow_random_head``, and tells a line for each: ``ok``, ``device``, ``seconds`` and
``figure``, or ``error``.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np

from tools.gpu.plan import CHECKED_SIZES, MEMORY, Check, fixed_sizes, get_way
from tools.gpu.running import built_engines, hold_to, own_cache
from tools.gpu.workers import one_line, request, tell

#: Rows and tokens of the runs whose outputs are looked at, where an artifact fixes no others.
_SHAPES = ((1, 7), (3, 33))


def main() -> None:
    """Do every check in turn."""
    asked = request()
    own_cache(Path(asked["scratch"]))
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
    if check.task == MEMORY:
        from tools.gpu.memory_check import check_way

        return {"ok": True, "device": device, "figure": check_way(way, asked["timed"], Path(asked["scratch"]))}
    task = get_task(check.task)
    if way.target is None:
        from tools.gpu.eager_check import check_eager

        checkpoint = open_checkpoint(asked["model"], task=task)
        ok, snr = check_eager(checkpoint, task, check.precision, device, allow_random_head=asked["allow_random_head"])
        return {"ok": ok, "device": device, "figure": f"{snr:.1f} dB"}
    from albert_export import check_parity, export, load

    scratch = Path(asked["scratch"])
    out = scratch / f"{check.way}-{check.task}-{check.precision}"
    options: dict[str, Any] = {"precision": check.precision, "parity": False}
    options |= fixed_sizes(way, task.dynamic_axes, CHECKED_SIZES)
    engines = built_engines(scratch)
    try:
        bundle = export(
            way.target,
            model=asked["model"],
            task=check.task,
            out=out,
            allow_random_head=asked["allow_random_head"],
            **options,
        )
        with load(bundle, target=way.target, precision=check.precision, device=device, runtime=way.runtime) as runtime:
            hold_to(way, runtime)
            ran_on = runtime.device
            _run(runtime)
        if way.runtime == "onnxruntime:tensorrt" and built_engines(scratch) == engines:
            raise ValueError("TensorRT built no engine: it left all of the graph to CUDA")
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
    """Run at two shapes, with and without padding, and hold what comes back to the task."""
    from albert_export.bench.shapes import Shape, make_inputs

    sizes, longest = runtime.sizes, runtime.config.max_position_embeddings
    choices = (sizes.get("choices") or 2) if "choices" in runtime.task.dynamic_axes else None
    shapes = {(sizes.get("batch") or batch, sizes.get("sequence") or min(most, longest)) for batch, most in _SHAPES}
    for shape in (Shape(batch, sequence, padded) for batch, sequence in sorted(shapes) for padded in (False, True)):
        outputs = runtime.run(**make_inputs(shape, vocabulary=runtime.config.vocab_size, choices=choices))
        axes = {"batch": shape.batch, "sequence": shape.sequence, "choices": choices or 1}
        for spec in runtime.outputs:
            found = outputs[spec.name]
            if found.shape != spec.shape(runtime.config, axes) or not np.isfinite(found).all():
                raise ValueError(f"{spec.name} of shape {found.shape} at {shape.name}, or not finite")


if __name__ == "__main__":
    main()
