"""The process that times one way in one precision; see :mod:`tools.gpu.workers`.

It is asked for ``way``, ``precision``, ``shapes``, ``model``, ``device``, ``scratch``, ``seconds`` (for each shape) and
``until`` (of the system's clock), and tells ``load`` seconds, a line for each shape, and the ``memory`` of the device.
A run is timed from inputs in host memory to outputs in host memory, which for this head are small.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

from tools.gpu.memory_check import used_memory
from tools.gpu.plan import get_way
from tools.gpu.running import open_way, own_cache
from tools.gpu.workers import one_line, request, tell

#: A shape is run at least so often, whatever it takes.
_LEAST_RUNS = 5


def main() -> None:
    """Load, and time every shape while there is time."""
    asked = request()
    own_cache(Path(asked["scratch"]))
    from albert_export.bench.shapes import Shape, make_inputs
    from albert_export.checkpoints import open_checkpoint
    from albert_export.tasks import get_task

    config = open_checkpoint(asked["model"], task=get_task("question-answering")).config
    with ExitStack() as stack:
        started = time.perf_counter()
        try:
            run = open_way(
                get_way(asked["way"]),
                asked["precision"],
                shapes=[(batch, sequence) for batch, sequence in asked["shapes"]],
                model=asked["model"],
                device=asked["device"],
                scratch=Path(asked["scratch"]),
                stack=stack,
            )
        except Exception as error:  # noqa: BLE001  told in the report
            tell({"error": one_line(error)})
            return
        tell({"load": round(time.perf_counter() - started, 3)})
        for batch, sequence in asked["shapes"]:
            line: dict[str, Any] = {"shape": [batch, sequence]}
            if time.time() > asked["until"]:
                tell({**line, "skipped": "no time was left"})
                continue
            inputs = make_inputs(Shape(batch, sequence), vocabulary=config.vocab_size)
            try:
                line |= time_runs(lambda given=inputs: run(given), asked["seconds"])  # type: ignore[misc]
            except Exception as error:  # noqa: BLE001  out of memory, say: the next shape may be smaller
                line["error"] = one_line(error)
            tell(line)
        tell({"memory_mib": used_memory() if asked["device"] == "cuda" else None})


def time_runs(run: Callable[[], object], seconds: float) -> dict[str, Any]:
    """Return the seconds of the first run, and the least and median of those after it."""
    started = time.perf_counter()
    run()
    first = time.perf_counter() - started
    run()  # what is settled at the second run, as a captured graph, is in no figure
    taken: list[float] = []
    until = time.perf_counter() + seconds
    while len(taken) < _LEAST_RUNS or time.perf_counter() < until:
        started = time.perf_counter()
        run()
        taken.append(time.perf_counter() - started)
    return {"first": first, "least": min(taken), "median": median(taken), "runs": len(taken)}


if __name__ == "__main__":
    main()
