"""The one place that joins the stages: checkpoint, eager model, traced graph, bundle, parity."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from albert_export import _interrupts
from albert_export._imports import resolve
from albert_export.bundle import Artifact, Bundle, BundleWriter
from albert_export.bundle.filesystem import link_or_copy
from albert_export.calibration import calibration_inputs, calibration_texts
from albert_export.checkpoints import Checkpoint, open_checkpoint
from albert_export.errors import InputError, ParityError, UnknownNameError
from albert_export.parts import check_parts
from albert_export.readers import Reader, choose_reader, reader_layers, reader_sizes
from albert_export.targets import FRAMEWORKS, PRECISIONS, Target, check_precision, check_target_opset, get_target
from albert_export.tasks import Task, get_task

if TYPE_CHECKING:
    from albert_export.parity import ParityReport
    from albert_export.tokenization import AlbertTokenizerFast, AlbertWordPieceTokenizer

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
    calibrate: str | os.PathLike[str] | None = None,
    quantize: str | Sequence[str] | None = None,
    compat: str | None = None,
    embed_weights: bool = False,
    aot: str | None = None,
    parity: bool = True,
    data: str | os.PathLike[str] | None = None,
    max_drop: float | None = None,
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
        model: Checkpoint directory, built-in name, hub id or an opened checkpoint; None for the default
            built-in model, which is trained.
        task: Name or alias in the table of tasks, e.g. ``qa``.
        out: Directory of the bundle: absent, empty, or a bundle of the same task and checkpoint to add to.
        precision: One of the target's precisions; None for its default.
        layers: ``rolled`` stores and runs the shared layer as one loop, ``unrolled`` writes its operators out once
            a layer; None for the target's default.
        opset: ONNX operator set; None for the default, or for a target without any.
        batch: Fixed number of rows; None keeps it symbolic.
        sequence: Fixed number of tokens; None keeps it symbolic.
        choices: Fixed number of choices of the multiple-choice task; None keeps it symbolic.
        calibrate: Text file with one sentence a line, or ``builtin``: int8 activations get the fixed ranges that these
            texts show; None leaves them to be measured in each run.
        quantize: Parts of the model that get the integers of ``precision``, of ``embeddings``, ``attention``, ``ffn``
            and ``head``: a sequence, or a string with commas between; the others stay as they are. None for all.
        compat: Reader that takes only a form of its own; see the target's row. None for the general form.
        embed_weights: Whether the weights lie inside the graph's file, where the target can; else beside it, once for
            all artifacts of a precision.
        aot: A processor of the target's row, such as ``tpu:v5e``, to compile the artifact for on this machine as well:
            flops, bytes, memory and the estimated time are in the artifact's facts.
        parity: Whether to compare the artifact with the eager model before it is accepted.
        data: Texts with the right answers on which parity measures the task's metrics; see
            :func:`albert_export.check_parity`.
        max_drop: The largest drop of a metric that parity passes, in points; see there.
        allow_random_head: Whether a head that the checkpoint lacks may be filled freshly.
        revision: Branch, tag or commit of a hub repository.
        cache_dir: Where downloads are kept.
        local_files_only: Never use the network.
        token: Token for private repositories.
        progress: Gets one line as each stage begins.

    Raises:
        UnknownNameError: No target, task, precision, part, layers or reader of that name.
        InputError: The target has no such precision, a fixed size is out of range, there are no texts to calibrate
            on, or an option is not the target's.
        CheckpointError: The checkpoint cannot be found or read, or lacks the head.
        ConfigError: The configuration breaks a rule.
        ExportError: Tracing, a pass or the check of the file failed.
        ParityError: The artifact differs from the eager model; candidate and report lie in ``OUT.rejected``.
        BundleError: The bundle cannot be written.
        MissingDependencyError: A package is not installed; the message names the extra.
    """
    say = progress or _silent
    target_row, task_row = get_target(target), get_task(task)
    precision = check_precision(target_row, precision)
    reader = None if compat is None else choose_reader(target_row.readers, compat, task_row.name)
    layers = _one_of("layers", layers if reader is None else reader_layers(reader, layers), target_row.layers)
    if opset is not None:
        check_target_opset(opset, target_row.opsets)
    texts = _texts(target_row, precision, calibrate)
    options: dict[str, Any] = _own_options(target_row, embed_weights, aot)
    if quantize is not None:
        _check_by_part(target_row, precision)
        options["parts"] = check_parts(quantize)
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
    _check_data(data, max_drop, parity, checkpoint, task_row)
    if reader is not None:
        longest = checkpoint.config.max_position_embeddings
        batch, sequence = reader_sizes(reader, task_row.name, batch=batch, sequence=sequence, longest=longest)
    sizes = _sizes(task_row, checkpoint, {"batch": batch, "choices": choices, "sequence": sequence})
    emit = resolve(target_row.emitter)
    framework = FRAMEWORKS[target_row.framework]
    load_eager = resolve(f"{framework.module}:load_eager")  # the framework itself is wanted from here on only

    if parity:
        from albert_export.parity.needs import check_needs

        check_needs(target_row, otherwise="export without a proof: --no-parity")

    say(f"checkpoint {checkpoint.source_name}: {len(checkpoint.weight_files)} weight file(s)")
    with BundleWriter(out, task=task_row.name, source=checkpoint.source) as writer:
        tokenizer = _put_shared_files(writer, checkpoint, task_row, say)
        if opset is not None:
            options["opset"] = opset
        if texts is not None:
            options["calibration"] = _calibration(texts, tokenizer, task_row, sizes)
        if reader is not None:
            options |= {"reader": reader, "vocabulary": _vocabulary(writer.directory, reader)}
        eager, fresh = load_eager(checkpoint, task_row, allow_random_head=allow_random_head)
        if fresh:
            say(f"warning: the checkpoint lacks {', '.join(fresh)}: filled freshly, train them before use")
        form = _form(precision, layers, sizes, texts is not None, reader, embed_weights)
        file = target_row.place.format(form=form)
        emitted = emit(
            eager,
            task_row,
            writer.path_for_new_file(file),
            precision=precision,
            layers=layers,
            sizes=sizes,
            metadata={"checkpoint": checkpoint.source.name, "checkpoint_sha256": checkpoint.source.sha256},
            progress=say,
            **options,
        )
        # Parity loads the model again, in double precision, from the checkpoint.
        del eager
        paths = [*emitted.files]
        if form in target_row.second_names:
            second = writer.path_for_new_file(target_row.place.format(form=target_row.second_names[form]))
            link_or_copy(paths[0], second)
            paths.append(second)
        artifact = Artifact(
            target=target_row.name,
            precision=precision,
            layers=layers,
            file=file,
            files=tuple(writer.settle(path.relative_to(writer.directory).as_posix()) for path in paths),
            shapes=sizes,
            opset=emitted.opset,
            inputs=emitted.inputs,
            outputs=emitted.outputs,
            sharing=emitted.sharing.to_dict(),
            versions=emitted.versions,
            facts={
                **emitted.facts,
                "fresh_weights": fresh,
                "traced_sizes": emitted.traced_sizes,
                **({"calibration_texts": len(texts)} if texts is not None else {}),
                **({"compat": reader.name} if reader is not None else {}),
            },
        )
        writer.put_artifact(artifact)
        _remove_reports(writer)
        if parity:
            _prove(
                writer,
                artifact,
                checkpoint,
                allow_random_head=allow_random_head,
                say=say,
                data=data,
                max_drop=max_drop,
            )
        say("writing the bundle")
        _interrupts.check()
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


def _form(
    precision: str,
    layers: str,
    sizes: Mapping[str, int | None],
    calibrated: bool,
    reader: Reader | None,
    embedded: bool,
) -> str:
    """Return what tells the artifact's file from others of its target."""
    static = "_static" if calibrated else ""
    unrolled = "_unrolled" if layers == "unrolled" else ""
    fixed = "".join(f"_{_AXIS_LETTERS[axis]}{size}" for axis, size in sizes.items() if size is not None)
    for_reader = "" if reader is None else f"_{reader.name.replace('-', '_')}"
    inside = "_embedded" if embedded else ""
    return f"{PRECISIONS[precision]}{static}{unrolled}{fixed}{for_reader}{inside}"


def _own_options(target: Target, embed_weights: bool, aot: str | None) -> dict[str, Any]:
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


def _check_data(
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


def _check_by_part(target: Target, precision: str) -> None:
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


def _texts(target: Target, precision: str, calibrate: str | os.PathLike[str] | None) -> list[str] | None:
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


def _calibration(
    texts: list[str], tokenizer: Any | None, task: Task, sizes: Mapping[str, int | None]
) -> list[dict[str, Any]]:
    if tokenizer is None:
        raise InputError(
            "calibration needs the checkpoint's tokenizer",
            received="a checkpoint without one",
            fix="put its tokenizer files beside the weights, or leave calibration out",
        )
    return calibration_inputs(texts, tokenizer=tokenizer, task=task, sizes=sizes)


def _put_shared_files(
    writer: BundleWriter, checkpoint: Checkpoint, task: Task, say: Callable[[str], None]
) -> AlbertTokenizerFast | AlbertWordPieceTokenizer | None:
    """Write the configuration and the tokenizer, which all artifacts of the bundle share; return the tokenizer."""
    from albert_export.tokenization import has_tokenizer, load_tokenizer

    config = checkpoint.config.copy()
    config.architectures = [task.torch_class]
    # Weights of an artifact have the artifact's precision; what the checkpoint was stored in would mislead a reader.
    config.torch_dtype = "float32"
    # Written by other tools: often an absolute path on the machine of whoever saved the checkpoint.
    config.extra.pop("_name_or_path", None)
    config.save_pretrained(writer.directory)
    names = ["config.json"]
    tokenizer = None
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
    return tokenizer


def _vocabulary(directory: Path, reader: Reader) -> Path:
    """Return the vocabulary that a reader which tokenises by itself is given."""
    for name in _VOCABULARIES:
        if (directory / name).is_file():
            return directory / name
    raise InputError(
        f"{reader.title} tokenises with the checkpoint's {' or '.join(_VOCABULARIES)}",
        received="a checkpoint without either",
        fix="put its vocabulary beside the weights, or leave compat out",
    )


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
    data: str | os.PathLike[str] | None,
    max_drop: float | None,
) -> None:
    from albert_export.parity import check_parity, write_reports

    say(f"parity: {artifact.file} against the eager model in float64")
    candidate = writer.candidate()
    older = [each.file for each in candidate.manifest.artifacts if each.target == artifact.target]
    older.remove(artifact.file)
    if older:
        say(f"parity: with it again {', '.join(older)}, which the bundle holds already")
    report: ParityReport = check_parity(
        candidate,
        model=checkpoint,
        targets=[artifact.target],
        allow_random_head=allow_random_head,
        data=data,
        max_drop=max_drop,
        progress=say,
    )
    write_reports(report, writer.directory)
    for proven in writer.candidate().manifest.artifacts:
        if proven.target == artifact.target:
            writer.put_artifact(dataclasses.replace(proven, parity=report.for_artifact(proven.file)))
    if not report.ok:
        rejected = writer.reject()
        # Older artifacts of the target are proven again, and one of them may be the one that differs.
        missed = " and ".join(
            [result.file for result in report.artifacts if not result.ok]
            or [f"the eager {FRAMEWORKS[eager.framework].title} model" for eager in report.eager if not eager.ok]
        )
        raise ParityError(
            f"{missed} must compute what the eager model computes",
            received=report.worst(),
            fix=f"read {rejected}/parity/report.md; the old bundle stays as it was",
        )
