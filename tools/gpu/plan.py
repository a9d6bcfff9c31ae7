"""What is to be done on a machine, and what is skipped there and why: decided beforehand, on plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

#: Precisions that are timed; they have a peak of matrix products in each framework.
TIMED = ("fp32", "fp16", "bf16")

#: The shape that speed is promised for, batch and sequence; it is timed before any other.
GOAL = (64, 128)


@dataclass(frozen=True)
class Way:
    """One way to run a model.

    Attributes:
        name: What it is called in every table.
        needs: Names of what must be ready, keys of :attr:`Here.lacks`.
        target: Target of its artifacts; None for an eager model.
        runtime: Which runtime reads them; None for the target's own.
        precisions: In which its artifacts are checked.
        captured: Whether artifacts are unrolled and of fixed sizes, so that runs are captured as a CUDA graph: those of
            :data:`CHECKED_SIZES` where they are checked, and of :data:`GOAL`, alone, where they are timed.
    """

    name: str
    needs: tuple[str, ...]
    target: str | None
    runtime: str | None
    precisions: tuple[str, ...]
    captured: bool = False


WAYS: tuple[Way, ...] = (
    Way("torch", ("torch",), None, None, TIMED),
    Way("torch.compile", ("torch", "compiler"), None, None, ()),
    Way("jax", ("stablehlo export", "jax"), "stablehlo", "jax", ("fp32", "bf16", "fp16")),
    Way(
        "onnxruntime",
        ("onnx export", "onnxruntime"),
        "onnx",
        "onnxruntime",
        ("fp32", "fp16", "bf16", "int8", "int4"),
    ),
    Way(
        "onnxruntime tensorrt",
        ("onnx export", "onnxruntime tensorrt"),
        "onnx",
        "onnxruntime:tensorrt",
        ("fp32", "fp16", "bf16"),
    ),
    Way("onnxruntime captured", ("onnx export", "onnxruntime"), "onnx", "onnxruntime", TIMED, captured=True),
    Way("tensorrt", ("onnx export", "tensorrt"), "tensorrt", "tensorrt", ("fp32", "fp16", "bf16", "int8")),
)

#: Stands for a head in the check of a way's memory.
MEMORY = "memory"

#: Ways whose memory is checked: those that can be told how much of a GPU to take, and that a run can overrun.
BOUNDED = ("jax", "onnxruntime")

#: Sizes of captured artifacts where they are checked.
CHECKED_SIZES = {"batch": 4, "sequence": 32}


@dataclass(frozen=True)
class Here:
    """What this machine has.

    Attributes:
        device: ``cuda`` or ``cpu``.
        lacks: What a way may need -> why it is not ready, or None where it is. ``torch`` and ``jax`` are those that
            reach the device; what exports need not.
        targets: Targets that this release can export.
    """

    device: str
    lacks: Mapping[str, str | None]
    targets: tuple[str, ...]


@dataclass(frozen=True)
class Check:
    """One head in one precision, exported, run and compared with the eager model.

    Attributes:
        way: Name of the way.
        task: Name of the head.
        precision: Of the artifact.
    """

    way: str
    task: str
    precision: str


@dataclass(frozen=True)
class Timing:
    """One way in one precision, timed at some shapes.

    Attributes:
        way: Name of the way.
        precision: Of the model.
        shapes: Batch and sequence of each, in the order in which they are timed.
    """

    way: str
    precision: str
    shapes: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Skipped:
    """Something that is not done.

    Attributes:
        what: A way, or a part of it.
        why: Why not, with the fix where there is one.
    """

    what: str
    why: str


def usable(here: Here, ways: Sequence[Way] = WAYS) -> tuple[list[Way], list[Skipped]]:
    """Return the ways that this machine has, and those that it lacks."""
    found, skipped = [], []
    for way in ways:
        why = next((reason for need in way.needs if (reason := here.lacks.get(need)) is not None), None)
        if why is None and way.target is not None and way.target not in here.targets:
            why = f"this release has no target {way.target}"
        if why is None and way.captured and here.device != "cuda":
            why = "only a GPU captures graphs"
        if why is None:
            found.append(way)
        else:
            skipped.append(Skipped(way.name, why))
    return found, skipped


def plan_checks(ways: Sequence[Way], tasks: Sequence[str], precisions: Sequence[str]) -> list[Check]:
    """Return every head in every precision of every way: the promised precisions of all heads come first."""
    return [
        Check(way.name, task, precision)
        for way in ways
        for precision in way.precisions
        if precision in precisions
        for task in tasks
    ]


def plan_memory_checks(ways: Sequence[Way], device: str) -> list[Check]:
    """Return the checks of memory; on a CPU there is none to be looked at."""
    return [Check(way.name, MEMORY, "fp32") for way in ways if way.name in BOUNDED and device == "cuda"]


def plan_timings(
    ways: Sequence[Way], precisions: Sequence[str], batches: Sequence[int], sequences: Sequence[int]
) -> list[Timing]:
    """Return what is timed: the goal's shape first, then the others from the smallest on."""
    others = sorted(
        ((batch, sequence) for batch in batches for sequence in sequences),
        key=lambda shape: (shape[0] * shape[1], shape),
    )
    shapes = tuple(sorted(others, key=lambda shape: shape != GOAL))
    return [
        Timing(way.name, precision, tuple(shape for shape in shapes if shape == GOAL) if way.captured else shapes)
        for precision in precisions
        if precision in TIMED
        for way in ways
        if not way.captured or GOAL in shapes
    ]


def profile_for(shapes: Sequence[tuple[int, int]]) -> str:
    """Return the optimisation profile of an engine that takes all shapes, tuned for the goal's where it is one of them.

    Args:
        shapes: Batch and sequence of each; at least one.
    """
    batches, sequences = zip(*shapes, strict=True)
    largest = (max(batches), max(sequences))
    tuned = GOAL if GOAL in shapes else largest
    return ",".join(f"{batch}x{sequence}" for batch, sequence in ((min(batches), min(sequences)), tuned, largest))


def fixed_sizes(way: Way, task_axes: Sequence[str], sizes: Mapping[str, int]) -> dict[str, str | int]:
    """Return the options of an export by which its runs can be captured; none for other ways.

    Args:
        way: The way.
        task_axes: Dynamic axes of the head.
        sizes: Batch and sequence.
    """
    if not way.captured:
        return {}
    return {"layers": "unrolled", **sizes, **({"choices": 2} if "choices" in task_axes else {})}


def get_way(name: str) -> Way:
    """Return the way of that name."""
    return next(way for way in WAYS if way.name == name)
