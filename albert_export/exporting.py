"""The one place that joins the stages: checkpoint, eager model, traced graph, bundle, parity."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from albert_export._imports import resolve
from albert_export.bundle import Artifact, Bundle, BundleWriter
from albert_export.checkpoints import Checkpoint, open_checkpoint
from albert_export.errors import InputError, ParityError, UnknownNameError
from albert_export.targets import PRECISIONS, Target, check_target_opset, get_target
from albert_export.tasks import Task, get_task

if TYPE_CHECKING:
    from albert_export.parity import ParityReport

#: Letter of each axis in the file name of an artifact with fixed sizes.
_AXIS_LETTERS = {"batch": "b", "choices": "n", "sequence": "s"}

#: Runtimes count elements in 32 bits in places; no machine runs a larger batch.
_LARGEST_SIZE = 2**31 - 1

#: Vocabularies that are taken over even where the fast tokenizer does not need them: other languages' readers do.
_VOCABULARIES = ("spiece.model", "vocab.txt")


def export(
    target: str,
    *,
    model: str | os.PathLike[str] | Checkpoint | None = None,
    task: str,
    out: str | os.PathLike[str],
    precision: str | None = None,
    layers: str | None = None,
    opset: int | None = None,
    batch: int | None = None,
    sequence: int | None = None,
    choices: int | None = None,
    parity: bool = True,
    allow_random_head: bool = False,
    revision: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    local_files_only: bool = False,
    token: str | bool | None = None,
    progress: Callable[[str], None] | None = None,
) -> Bundle:
    """Export one head of a checkpoint and prove that the artifact computes what the eager model computes.

    The bundle in ``out`` is replaced in one step and only with success; until then, and after any error, what was
    there stays.

    Args:
        target: Name in the table of targets, e.g. ``onnx``.
        model: Checkpoint directory, built-in name, hub id or an opened checkpoint; None for the built-in model.
        task: Name or alias in the table of tasks, e.g. ``qa``.
        out: Directory of the bundle: absent, empty, or a bundle of the same task and checkpoint to add to.
        precision: One of the target's precisions; None for its default.
        layers: ``rolled`` stores and runs the shared layer as one loop, ``unrolled`` writes its operators out once
            a layer; None for the target's default.
        opset: ONNX operator set; None for the default.
        batch: Fixed number of rows; None keeps it symbolic.
        sequence: Fixed number of tokens; None keeps it symbolic.
        choices: Fixed number of choices of the multiple-choice task; None keeps it symbolic.
        parity: Whether to compare the artifact with the eager model before it is accepted.
        allow_random_head: Whether a head that the checkpoint lacks may be filled freshly.
        revision: Branch, tag or commit of a hub repository.
        cache_dir: Where downloads are kept.
        local_files_only: Never use the network.
        token: Token for private repositories.
        progress: Gets one line as each stage begins.

    Raises:
        UnknownNameError: No target, task, precision or layers of that name.
        InputError: A fixed size is out of range.
        CheckpointError: The checkpoint cannot be found or read, or lacks the head.
        ConfigError: The configuration breaks a rule.
        ExportError: Tracing, a pass or the check of the file failed.
        ParityError: The artifact differs from the eager model; candidate and report lie in ``OUT.rejected``.
        BundleError: The bundle cannot be written.
        MissingDependencyError: A package is not installed; the message names the extra.
    """
    say = progress or _silent
    target_row, task_row = get_target(target), get_task(task)
    precision = _one_of("precision", precision, target_row.precisions)
    layers = _one_of("layers", layers, target_row.layers)
    if opset is not None:
        check_target_opset(opset, target_row.opsets)
    if isinstance(model, Checkpoint):
        checkpoint = model
    else:
        checkpoint = open_checkpoint(
            model,
            task=task_row,
            revision=revision,
            cache_dir=cache_dir,
            local_files_only=local_files_only,
            token=token,
            progress=progress,
        )
    sizes = _sizes(task_row, checkpoint, {"batch": batch, "choices": choices, "sequence": sequence})
    emit = resolve(target_row.emitter)
    from albert_export.models.torch_loading import load_eager  # torch is wanted from here on only

    say(f"checkpoint {checkpoint.source_name}: {len(checkpoint.weight_files)} weight file(s)")
    eager, fresh = load_eager(checkpoint, task_row, allow_random_head=allow_random_head)
    if fresh:
        say(f"warning: the checkpoint lacks {', '.join(fresh)}: filled freshly, train them before use")
    with BundleWriter(out, task=task_row.name, source=checkpoint.source) as writer:
        _put_shared_files(writer, checkpoint, task_row, say)
        file = f"{target_row.folder}/{_file_name(target_row, precision, layers, sizes)}"
        options = {} if opset is None else {"opset": opset}
        emitted = emit(
            eager,
            task_row,
            writer.path_for_new_file(file),
            layers=layers,
            sizes=sizes,
            metadata={
                "precision": precision,
                "checkpoint": checkpoint.source.name,
                "checkpoint_sha256": checkpoint.source.sha256,
            },
            progress=say,
            **options,
        )
        # Parity loads the model again, in double precision, from the checkpoint.
        del eager
        artifact = Artifact(
            target=target_row.name,
            precision=precision,
            layers=layers,
            file=file,
            files=tuple(writer.record(f"{target_row.folder}/{path.name}") for path in emitted.files),
            shapes=sizes,
            opset=emitted.opset,
            inputs=emitted.inputs,
            outputs=emitted.outputs,
            sharing=emitted.sharing.to_dict(),
            versions=emitted.versions,
            facts={**emitted.facts, "fresh_weights": fresh, "traced_sizes": emitted.traced_sizes},
        )
        writer.put_artifact(artifact)
        _remove_reports(writer)
        if parity:
            _prove(writer, artifact, checkpoint, allow_random_head=allow_random_head, say=say)
        say("writing the bundle")
        return writer.commit()


def _silent(_: str) -> None:
    """Take a line of progress that nobody asked for."""


def _one_of(kind: str, chosen: str | None, allowed: tuple[str, ...]) -> str:
    if chosen is None:
        return allowed[0]
    if chosen not in allowed:
        raise UnknownNameError(kind, chosen, allowed)
    return chosen


def _sizes(task: Task, checkpoint: Checkpoint, chosen: Mapping[str, int | None]) -> dict[str, int | None]:
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


def _file_name(target: Target, precision: str, layers: str, sizes: Mapping[str, int | None]) -> str:
    fixed = "".join(f"_{_AXIS_LETTERS[axis]}{size}" for axis, size in sizes.items() if size is not None)
    form = "_unrolled" if layers == "unrolled" else ""
    return f"model{PRECISIONS[precision]}{form}{fixed}{target.suffix}"


def _put_shared_files(writer: BundleWriter, checkpoint: Checkpoint, task: Task, say: Callable[[str], None]) -> None:
    """Write the configuration and the tokenizer, which all artifacts of the bundle share."""
    from albert_export.tokenization import has_tokenizer, load_tokenizer

    config = checkpoint.config.copy()
    config.architectures = [task.torch_class]
    # Weights of an artifact have the artifact's precision; what the checkpoint was stored in would mislead a reader.
    config.torch_dtype = "float32"
    # Written by other tools: often an absolute path on the machine of whoever saved the checkpoint.
    config.extra.pop("_name_or_path", None)
    config.save_pretrained(writer.directory)
    names = ["config.json"]
    if has_tokenizer(checkpoint.directory):
        tokenizer = load_tokenizer(checkpoint.directory, config=config)
        names += [os.path.relpath(path, writer.directory) for path in tokenizer.save_pretrained(writer.directory)]
        for name in _VOCABULARIES:
            if name not in names and (checkpoint.directory / name).is_file():
                shutil.copyfile(checkpoint.directory / name, writer.path_for_new_file(name))
                names.append(name)
    else:
        say("warning: the checkpoint has no tokenizer: the bundle runs on token ids, but not on text")
    for record in writer.previous.files if writer.previous else ():
        if record.path not in names:
            writer.remove(record.path)  # of a tokenizer that the checkpoint no longer has
    for name in names:
        writer.put_file(name)


def _remove_reports(writer: BundleWriter) -> None:
    # A report of the artifact that is being replaced would speak of something that is gone.
    from albert_export.parity import REPORT_FILES

    for name in REPORT_FILES:
        writer.remove(name)


def _prove(
    writer: BundleWriter,
    artifact: Artifact,
    checkpoint: Checkpoint,
    *,
    allow_random_head: bool,
    say: Callable[[str], None],
) -> None:
    from albert_export.parity import check_parity, write_reports

    say(f"parity: {artifact.file} against the eager model in float64")
    report: ParityReport = check_parity(
        writer.candidate(),
        model=checkpoint,
        targets=[artifact.target],
        allow_random_head=allow_random_head,
        progress=say,
    )
    write_reports(report, writer.directory)
    for proven in writer.candidate().manifest.artifacts:
        if proven.target == artifact.target:
            writer.put_artifact(dataclasses.replace(proven, parity=report.for_artifact(proven.file)))
    if not report.ok:
        rejected = writer.reject()
        # Older artifacts of the target are proven again, and one of them may be the one that differs.
        missed = " and ".join(result.file for result in report.artifacts if not result.ok)
        raise ParityError(
            f"{missed} must compute what the eager model computes",
            received=report.worst(),
            fix=f"read {rejected}/parity/report.md; the old bundle stays as it was",
        )
