"""Benchmarking the artifacts of bundles: what ``albert-export bench`` does."""

from __future__ import annotations

import importlib.util
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from albert_export.bench.contenders import ProcessContender
from albert_export.bench.entries import Entry, choose_entries
from albert_export.bench.report import BenchReport, Errors, check_baseline
from albert_export.bench.run import Comparison, Say, Start, run
from albert_export.bench.shapes import Shape, check_lengths
from albert_export.checkpoints import Checkpoint
from albert_export.errors import CheckpointError, InputError, MissingDependencyError
from albert_export.runtimes.protocol import checked_threads


@dataclass(frozen=True)
class Model:
    """The checkpoint that errors are measured against.

    Attributes:
        name: As for :func:`albert_export.check_parity`; None for what each manifest names, which is not downloaded.
        revision: Branch, tag or commit of a hub checkpoint.
        cache_dir: Where downloads are kept.
        local_files_only: Never use the network.
    """

    name: str | None = None
    revision: str | None = None
    cache_dir: Path | None = None
    local_files_only: bool = False


def bench_bundles(
    directories: Sequence[str | os.PathLike[str]],
    shapes: Sequence[Shape],
    *,
    targets: Sequence[str] = (),
    precisions: Sequence[str] = (),
    files: Sequence[str] = (),
    baseline: str | None = None,
    device: str = "auto",
    threads: int | None = None,
    repeats: int = 20,
    loads: int = 3,
    seed: int = 0,
    model: Model | None = None,
    say: Say = lambda _: None,
    runtimes: Sequence[str] = (),
) -> BenchReport:
    """Measure the artifacts of bundles side by side.

    Args:
        directories: Of the bundles.
        shapes: What is timed.
        targets: Names in the table of targets; empty for all artifacts.
        precisions: Names in the table of precisions; empty for all artifacts.
        files: Artifacts' files in their bundles; empty for all artifacts.
        baseline: Name of the artifact that ratios are to, by default the first that takes a shape.
        device: As for :func:`albert_export.load`.
        threads: Likewise; an artifact whose runtime takes no number of threads is measured without one.
        repeats: Warm runs of each shape.
        loads: Fresh processes that load each artifact.
        seed: Of ids, lengths, and the orders in which artifacts take turns.
        model: What errors are measured against; None for no errors.
        say: Gets lines of progress.
        runtimes: What reads the artifacts; see :func:`albert_export.bench.entries.choose_entries`.

    Raises:
        BundleError: A directory is no bundle, was altered, or none of its artifacts is meant.
        UnknownNameError: A target, precision, file, runtime or baseline that there is none of.
        InputError: A shape is longer than the model's positions or runs on no artifact, the baseline takes none, a
            directory is named twice, a runtime reads no artifact, or several artifacts would share a TPU.
        CheckpointError: The checkpoint that was named is not the one of a bundle.
        AlbertExportError: An artifact cannot be loaded or run; the message begins with its name.
    """
    checked_threads(threads)
    entries = choose_entries(directories, targets=targets, precisions=precisions, files=files, runtimes=runtimes)
    check_lengths(shapes, min(entry.bundle.config.max_position_embeddings for entry in entries))
    notes = _untimed(entries, shapes)
    timed = [entry.name for entry in entries if _is_timed(entry, shapes)]
    baseline = check_baseline(baseline, [entry.name for entry in entries], timed)
    _check_tpu(entries, device)
    if threads is not None:
        notes += _without_threads(entries)
    sources: dict[Path, Checkpoint] = {}
    if model is not None:
        sources, unknown = _sources(entries, model)
        notes += unknown
    chosen = {"device": device, "threads": threads, "seed": seed}

    def comparison(path: Path, checkpoint: Checkpoint) -> Comparison:
        own = [entry for entry in entries if entry.bundle.path == path]

        def measure(contenders: Sequence[ProcessContender]) -> Mapping[str, Errors]:
            say(f"bench: errors of {len(own)}, against PyTorch in float64")
            return _errors(own, {each.name: each for each in contenders}, checkpoint, shapes, seed)

        return Comparison(path.name, measure)

    measured, failed = run(
        [_start(entry, device, threads, seed) for entry in entries],
        shapes,
        repeats=repeats,
        loads=loads,
        seed=seed,
        comparisons=[comparison(path, checkpoint) for path, checkpoint in sources.items()],
        # Where the device is chosen by itself, only a process that has loaded knows it.
        loaded_with=lambda told: _check_tpu(entries, str(told["device"])),
        say=say,
    )
    return BenchReport(
        shapes=tuple(shapes),
        measured=measured,
        baseline=baseline,
        options={**chosen, "repeats": repeats, "loads": loads},
        notes=(*notes, *failed),
    )


def _start(entry: Entry, device: str, threads: int | None, seed: int) -> Start:
    artifact = entry.artifact
    threads = threads if entry.runtime_row.takes_threads else None
    facts = {
        "task": entry.bundle.task.name,
        "source": entry.bundle.manifest.source.name,
        "file": artifact.file,
        "target": artifact.target,
        "precision": artifact.precision,
        "layers": artifact.layers,
        "runtime": entry.runtime or entry.runtime_row.name,
    }
    return Start(lambda: entry.start(device=device, threads=threads, seed=seed), facts, entry.file_bytes)


def _is_timed(entry: Entry, shapes: Sequence[Shape]) -> bool:
    return any(entry.takes(shape) for shape in shapes)


def _without_threads(entries: Sequence[Entry]) -> list[str]:
    """Return a note for each artifact whose runtime cannot be told the number of threads."""
    runtimes = [(entry.name, entry.runtime_row) for entry in entries]
    return [
        f"{name} runs with threads of its own choice: {runtime.package} takes no number of threads"
        for name, runtime in runtimes
        if not runtime.takes_threads
    ]


def _check_tpu(entries: Sequence[Entry], device: str) -> None:
    """Check that no two artifacts would run on a TPU, which belongs to one process as long as that lives."""
    there = [entry.name for entry in entries if "tpu" in entry.runtime_row.devices]
    if device.partition(":")[0] == "tpu" and len(there) > 1:
        raise InputError(
            "on a TPU, which one process holds alone, one artifact can be measured at a time",
            received=", ".join(there),
            fix="name one with --file, or measure all of them with --device cpu",
        )


def _untimed(entries: Sequence[Entry], shapes: Sequence[Shape]) -> list[str]:
    """Return a note for each artifact that takes none of the shapes, and refuse when that is all of them."""
    notes = []
    for entry in entries:
        if not _is_timed(entry, shapes):
            notes.append(f"{entry.name} is not timed: it takes only {entry.limits}")
    if len(notes) == len(entries):
        raise InputError(
            "a shape must be one that an artifact takes",
            received=f"{', '.join(shape.name for shape in shapes)}; {'; '.join(notes)}",
            fix="give a shape of these sizes",
        )
    return notes


def _sources(entries: Sequence[Entry], model: Model) -> tuple[dict[Path, Checkpoint], list[str]]:
    """Open the checkpoints before anything takes time.

    One that was not named is not downloaded either; where it is not there, that is a note.
    """
    from albert_export.parity.source import open_source

    found: dict[Path, Checkpoint] = {}
    notes: list[str] = []
    options: dict[str, Any] = {
        "revision": model.revision,
        "cache_dir": model.cache_dir,
        "local_files_only": model.local_files_only or model.name is None,
    }
    if importlib.util.find_spec("torch") is None:
        missing = MissingDependencyError("torch", needed_for="the error to the float64 oracle", extra="onnx")
        if model.name is not None:
            raise missing
        return {}, [f"no errors: {missing}"]
    for bundle in {entry.bundle.path: entry.bundle for entry in entries}.values():
        try:
            found[bundle.path] = open_source(bundle, model.name, **options)
        except (CheckpointError, MissingDependencyError) as error:
            if model.name is not None:
                raise
            note, source = f"no error of {bundle.path.name}: {error}", bundle.manifest.source
            asked = source.kind == "hub" and not model.local_files_only
            notes.append(f"{note}; only --model {source.name} downloads it" if asked else note)
    return found, notes


def _errors(
    entries: Sequence[Entry],
    contenders: Mapping[str, ProcessContender],
    checkpoint: Checkpoint,
    shapes: Sequence[Shape],
    seed: int,
) -> dict[str, Errors]:
    """Return the errors of one bundle's artifacts."""
    from albert_export.bench.exactness import measure_errors
    from albert_export.parity.oracle import Oracle

    fresh = any(entry.artifact.facts.get("fresh_weights") for entry in entries)
    inputs = {
        contenders[entry.name]: {shape: entry.inputs(shape, seed) for shape in shapes if entry.takes(shape)}
        for entry in entries
        if _is_timed(entry, shapes)
    }
    with tempfile.TemporaryDirectory() as scratch:
        oracle = Oracle(checkpoint, entries[0].bundle.task, allow_random_head=fresh)
        return measure_errors(oracle, inputs, Path(scratch))
