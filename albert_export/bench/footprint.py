"""How much memory each artifact of a bundle takes: in a process of its own, after one run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from albert_export.bench.entries import Entry
from albert_export.bench.shapes import Shape
from albert_export.bundle import Bundle
from albert_export.parity import ParityReport

#: Tokens of the run, where an artifact does not fix them and the model has as many positions.
_TOKENS = 128


def measure_memory(
    bundle: Bundle, files: Sequence[str], *, device: str = "auto", progress: Callable[[str], None] | None = None
) -> dict[str, int]:
    """Return how many bytes loading each artifact and running it once adds to a process that has imported its runtime.

    Args:
        bundle: The bundle, opened and verified.
        files: Main files of the artifacts.
        device: As for :func:`albert_export.load`; memory is that of the host.
        progress: Gets a line for each artifact.

    Returns:
        Main file -> bytes.

    Raises:
        AlbertExportError: An artifact cannot be run, or its process ended.
    """
    found = {}
    longest = bundle.config.max_position_embeddings
    for file in files:
        if progress is not None:
            progress(f"parity: memory of {file}")
        artifact = bundle.select(file=file)
        shape = Shape(artifact.shapes.get("batch") or 1, artifact.shapes.get("sequence") or min(_TOKENS, longest))
        with Entry(file, bundle, artifact).start(device=device, threads=None, seed=0) as process:
            idle = int(process.load()["idle_bytes"])
            process.first(shape)
            found[file] = max(0, int(process.memory()["resident_bytes"]) - idle)
    return found


def with_memory(report: ParityReport, memory: dict[str, int]) -> ParityReport:
    """Return a parity report with what :func:`measure_memory` found."""
    return replace(
        report,
        artifacts=tuple(replace(artifact, memory=memory.get(artifact.file)) for artifact in report.artifacts),
    )
