"""Measure what exports of albert-mini cost in right answers, on the held-out texts of the package.

Every head is exported to every target and precision that can be built without a GPU, int8 also calibrated on the texts
of the package, and proven as an export without options is. Printed are the eager model's figure and, for each artifact,
by how many points the metric falls that falls most (negative where it rises). An artifact that loses more than it may
(nothing in fp32, half a point in int8) or misses parity ends with exit code 1.

Usage: ``python -m benchmarks.mini_exports [--tasks qa …] [--targets onnx …] [--precisions fp32 int8 …] [--save FILE]``
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from pathlib import Path

from albert_export.parts import LEFT
from albert_export.targets import TARGETS, get_target
from albert_export.tasks import TASKS, get_task
from benchmarks.measuring import save, table

MODEL = "albert-mini"


@dataclass(frozen=True)
class Form:
    """What one head is exported to."""

    target: str
    precision: str
    calibrated: bool

    def __str__(self) -> str:
        return f"{self.target} {self.precision}{' calibrated' if self.calibrated else ''}"


@dataclass(frozen=True)
class Cost:
    """What an export costs.

    Attributes:
        task: The head.
        form: What it was exported to.
        metrics: Metric -> its value before and after, and the drop in points.
        left: Parts that int8 left in float32.
        failure: Why there is no artifact; empty where there is one.
    """

    task: str
    form: Form
    metrics: dict[str, dict[str, float]] = field(default_factory=dict)
    left: tuple[str, ...] = ()
    failure: str = ""

    @property
    def largest_drop(self) -> float:
        """Of all metrics, in points."""
        return max(each["drop"] for each in self.metrics.values())


def forms(targets: Sequence[str], precisions: Sequence[str]) -> Iterator[Form]:
    """Yield what is measured; what its own runtime builds on a GPU is not."""
    for target in map(get_target, targets):
        for precision in target.precisions:
            if precision in precisions and not target.built_on_device:
                yield Form(target.name, precision, calibrated=False)
                if precision in target.calibrated:
                    yield Form(target.name, precision, calibrated=True)


def measure(task: str, form: Form) -> Cost:
    """Export one head and prove it."""
    from albert_export.errors import AlbertExportError
    from albert_export.exporting import export

    calibrate = "builtin" if form.calibrated else None
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch, "bundle")
        try:
            bundle = export(form.target, model=MODEL, task=task, out=out, precision=form.precision, calibrate=calibrate)
        except AlbertExportError as error:
            return Cost(task, form, failure=str(error))
        (artifact,) = bundle.manifest.artifacts
        assert artifact.parity is not None, "an export is proven"
        metrics = {
            name: {key: float(value[key]) for key in ("before", "after", "drop")}
            for name, value in artifact.parity["metrics"].items()
        }
        return Cost(task, form, metrics, tuple(artifact.facts.get(LEFT, {}).get("parts", ())))


def render(costs: Sequence[Cost]) -> str:
    """Return the table: a row for each head, a column for each form."""
    columns = list(dict.fromkeys(cost.form for cost in costs))
    found = {(cost.task, cost.form): cost for cost in costs}
    rows = []
    for task in dict.fromkeys(cost.task for cost in costs):
        own = [found[task, form] for form in columns]
        eager = next((cost.metrics for cost in own if cost.metrics), {})
        told = ", ".join(f"{name} {value['before']:.1f}" for name, value in eager.items())
        rows.append((task, told, *map(_cell, own)))
    return table(("head", "eager", *map(str, columns)), rows)


def _cell(cost: Cost) -> str:
    if cost.failure:
        return "missed"
    left = f" ({', '.join(cost.left)} in fp32)" if cost.left else ""
    return f"{round(cost.largest_drop, 1) + 0.0:.1f}{left}"  # 0.0 in place of -0.0


def main() -> int:
    """Parse the arguments, measure, print, save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", default=[task.name for task in TASKS])
    parser.add_argument("--targets", nargs="+", default=[target.name for target in TARGETS])
    parser.add_argument("--precisions", nargs="+", default=["fp32", "int8"])
    parser.add_argument("--jobs", type=int, default=2, help="exports at a time (default: 2)")
    parser.add_argument("--save", type=Path, help="where to write the results")
    arguments = parser.parse_args()
    work = [
        (get_task(task).name, form)
        for task in arguments.tasks
        for form in forms(arguments.targets, arguments.precisions)
    ]
    if not work:
        parser.error(
            f"no target of {' and '.join(arguments.targets)} has precision {' or '.join(arguments.precisions)}"
        )
    costs: list[Cost] = []
    with ProcessPoolExecutor(arguments.jobs, mp_context=get_context("spawn")) as pool:
        for cost in pool.map(measure, *zip(*work, strict=True)):
            told = cost.failure or " ".join(f"{name} {value['drop']:+.2f}" for name, value in cost.metrics.items())
            print(f"{cost.task}, {cost.form}: {told}", file=sys.stderr, flush=True)
            costs.append(cost)
    print(render(costs))
    save(arguments.save, "mini_exports", arguments, {"costs": [asdict(cost) for cost in costs]})
    missed = [cost for cost in costs if cost.failure]
    for cost in missed:
        print(f"MISS {cost.task}, {cost.form}: {cost.failure}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
