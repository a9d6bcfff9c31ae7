"""The options of an export: each is checked before anything is traced."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from albert_export.calibration import calibration_inputs, calibration_texts, coverage
from albert_export.checkpoints import Checkpoint
from albert_export.engines.options import HARDWARE_LEVELS, EngineOptions, check_timing_cache, workspace_bytes
from albert_export.engines.profiles import parse_profiles
from albert_export.errors import InputError, UnknownNameError
from albert_export.targets import Target
from albert_export.tasks import Task

#: Runtimes count elements in 32 bits in places; no machine runs a larger batch.
_LARGEST_SIZE = 2**31 - 1


def one_of(kind: str, chosen: str | None, allowed: tuple[str, ...]) -> str:
    """Return the chosen name, or the first that is allowed for None."""
    if chosen is None:
        return allowed[0]
    if chosen not in allowed:
        raise UnknownNameError(kind, chosen, allowed)
    return chosen


def fixed_sizes(task: Task, checkpoint: Checkpoint, chosen: Mapping[str, int | None]) -> dict[str, int | None]:
    """Return the fixed size, or None, of each of the task's dynamic axes."""
    sizes: dict[str, int | None] = dict.fromkeys(task.dynamic_axes)
    for axis, size in chosen.items():
        if size is None:
            continue
        if axis not in sizes:
            raise InputError(f"{task.name} has no axis {axis}", received=f"{axis}={size}", fix=f"leave out {axis}")
        if type(size) is not int or not 1 <= size <= _LARGEST_SIZE:
            raise InputError(
                f"{axis} must be a whole number from 1 to {_LARGEST_SIZE}",
                received=size,
                fix=f"leave {axis} out for any",
            )
        sizes[axis] = size
    longest = checkpoint.config.max_position_embeddings
    sequence = sizes["sequence"]
    if sequence is not None and sequence > longest:
        raise InputError(
            f"sequence must be at most max_position_embeddings, which is {longest}",
            received=sequence,
            fix=f"choose a size up to {longest}, or leave sequence out for any",
        )
    return sizes


def own_options(target: Target, embed_weights: bool, aot: str | None) -> dict[str, Any]:
    """Return the emitter's options that only some targets have."""
    if embed_weights and not target.embeds:
        raise InputError(
            f"{target.title} artifacts have one place for their weights", received="embed_weights", fix="leave it out"
        )
    if aot is not None and not target.compiled_for:
        raise InputError(
            f"{target.title} artifacts are not compiled ahead of time", received=f"aot={aot}", fix="leave it out"
        )
    if aot is not None and aot not in target.compiled_for:
        raise UnknownNameError("aot", aot, target.compiled_for)
    return {**({"embed_weights": True} if embed_weights else {}), **({} if aot is None else {"aot": aot})}


def check_engine_options(
    target: Target, engine: EngineOptions | None, task: Task, checkpoint: Checkpoint, sizes: Mapping[str, int | None]
) -> dict[str, Any]:
    """Return the emitter's option of how an engine is built, for the targets that have it, its profiles checked."""
    if not target.built_on_device:
        if engine is not None:
            raise InputError(f"{target.title} artifacts are no engines", received="engine", fix="leave it out")
        return {}
    engine = engine or EngineOptions()
    parse_profiles(engine.profiles, task, longest=checkpoint.config.max_position_embeddings, sizes=sizes)
    if engine.workspace is not None:
        workspace_bytes(engine.workspace)
    if engine.timing_cache is not None:
        check_timing_cache(engine.timing_cache)
    level = engine.hardware_compatible
    if level is not None and level not in HARDWARE_LEVELS:
        raise UnknownNameError("hardware_compatible", level, tuple(HARDWARE_LEVELS))
    return {"engine": engine}


def check_data(
    data: str | os.PathLike[str] | None, max_drop: float | None, parity: bool, checkpoint: Checkpoint, task: Task
) -> None:
    """Read the data before anything is traced, so that a file which is not there shows at once."""
    if parity:
        from albert_export.parity.data import check_drop, choose_data

        check_drop(max_drop)
        choose_data(data, checkpoint.source, task)
    elif data is not None or max_drop is not None:
        raise InputError(
            "data and max_drop serve parity", received="an export without parity", fix="leave them out, or leave it in"
        )


def check_by_part(target: Target, precision: str) -> None:
    """Check that parts of the target's artifacts can be chosen for a precision."""
    if precision in target.by_part:
        return
    possible = " or ".join(target.by_part)
    raise InputError(
        f"parts are chosen for {target.title} artifacts in {possible}"
        if possible
        else f"{target.title} artifacts have one precision for all parts",
        received=f"parts for {precision}",
        fix=f"choose {possible}, or leave quantize out" if possible else "leave quantize out",
    )


def calibrated_on(target: Target, texts: list[str] | None, calibrate: str | os.PathLike[str] | None) -> dict[str, str]:
    """Return what the manifest tells of the texts of an artifact that is built anew elsewhere: the file's last name."""
    if texts is None or not target.built_on_device:
        return {}
    return {"calibrated_on": str(target.calibrated_on) if calibrate is None else Path(calibrate).name}


def texts_to_calibrate_on(target: Target, precision: str, calibrate: str | os.PathLike[str] | None) -> list[str] | None:
    """Return the texts of a calibration file, or None where none was chosen and the target needs none."""
    if calibrate is None and precision in target.calibrated:
        calibrate = target.calibrated_on
    if calibrate is None:
        return None
    if precision not in target.calibrated:
        possible = " or ".join(target.calibrated)
        raise InputError(
            f"calibration texts serve {target.title} artifacts in {possible}"
            if possible
            else f"{target.title} artifacts have nothing to calibrate",
            received=f"calibration texts for {precision}",
            fix=f"choose {possible}, or leave them out" if possible else "leave them out",
        )
    return calibration_texts(calibrate)


def inputs_to_calibrate_on(
    texts: list[str],
    tokenizer: Any | None,
    task: Task,
    sizes: Mapping[str, int | None],
    say: Callable[[str], None],
) -> list[dict[str, Any]]:
    """Return the texts as inputs of the model, and say what they are made of, and whether that is too little."""
    if tokenizer is None:
        raise InputError(
            "calibration needs the checkpoint's tokenizer",
            received="a checkpoint without one",
            fix="put its tokenizer files beside the weights, or leave calibration out",
        )
    found = coverage(texts, tokenizer=tokenizer, sequence=sizes.get("sequence"))
    say(f"calibration: {found.told()}")
    for warning in found.warnings():
        say(f"warning: {warning}")
    return calibration_inputs(texts, tokenizer=tokenizer, task=task, sizes=sizes)
