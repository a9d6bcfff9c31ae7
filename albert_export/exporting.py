"""The one place that joins the stages: checkpoint, eager model, traced graph, bundle, parity."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from albert_export import _interrupts
from albert_export._imports import resolve
from albert_export._progress import silent
from albert_export.artifact_making import ArtifactMaker
from albert_export.bundle import Bundle, BundleWriter
from albert_export.checkpoints import Checkpoint, check_finite, open_checkpoint
from albert_export.choosing_parts import leave_costly_parts
from albert_export.engines.options import EngineOptions
from albert_export.export_files import put_shared_files, vocabulary_for
from albert_export.export_options import (
    calibrated_on,
    check_by_part,
    check_data,
    check_engine_options,
    fixed_sizes,
    inputs_to_calibrate_on,
    one_of,
    own_options,
    texts_to_calibrate_on,
)
from albert_export.export_proof import Proof, remove_reports
from albert_export.parts import NARROW, check_parts
from albert_export.positions import at_positions, check_target_chooses
from albert_export.readers import Reader, choose_reader, reader_layers, reader_sizes
from albert_export.targets import FRAMEWORKS, PRECISIONS, check_precision, check_target_opset, get_target
from albert_export.tasks import get_task

#: Letter of each axis in the file name of an artifact with fixed sizes.
_AXIS_LETTERS = {"batch": "b", "choices": "n", "sequence": "s"}


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
    tokens: str | None = None,
    compat: str | None = None,
    embed_weights: bool = False,
    aot: str | None = None,
    positions: bool = False,
    engine: EngineOptions | None = None,
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
            and ``head``: a sequence, or a string with commas between; the others stay as they are, and no others do.
            None for all, but those that cost more of the task's metric than ``max_drop`` allows, or int8's parity.
            Matrices with fewer than 16 outputs, such as the head's of question answering, always stay as they are.
        tokens: ``packed`` leaves padding out of all that is computed token by token, so that a batch of mixed lengths
            costs its real tokens; outputs keep their shapes and repeat, at padding, the last real token before it.
            ``padded`` computes padding as any token; None for the target's default.
        compat: Reader that takes only a form of its own; see the target's row. None for the general form.
        embed_weights: Whether the weights lie inside the graph's file, where the target can; else beside it, once for
            all artifacts of a precision.
        aot: A processor of the target's row, such as ``tpu:v5e``, to compile the artifact for on this machine as well:
            flops, bytes, memory and the estimated time are in the artifact's facts.
        positions: Whether a fill-mask artifact gets one more input, ``positions`` ``[B,P]``, and gives its logits at
            these only, ``[B,P,V]``: of one masked word in a long text, most of the decoder's work is left out.
        engine: For TensorRT: profiles, and how the engine is built; see
            :class:`albert_export.engines.options.EngineOptions`. It is built on the first GPU that CUDA shows to this
            process.
        parity: Whether to compare the artifact with the eager model before it is accepted.
        data: Texts with the right answers on which parity measures the task's metrics; see
            :func:`albert_export.check_parity`.
        max_drop: The largest drop of a metric that parity passes, in points; see there. Where int8 or int4 costs
            more, parts are left in float32 until it does not, those with the fewest bytes first; ``progress`` and the
            artifact's facts tell which. Where none helps, the export fails.
        allow_random_head: Whether a head that the checkpoint lacks may be filled freshly.
        revision: Branch, tag or commit of a hub repository.
        cache_dir: Where downloads are kept.
        local_files_only: Never use the network.
        token: Token for private repositories.
        progress: Gets one line as each stage begins.

    Raises:
        UnknownNameError: No target, task, precision, part, layers or reader of that name.
        InputError: The target has no such precision, a fixed size is out of range, there are no texts to calibrate
            on, the parts to quantise have nothing to quantise, or an option is not the target's.
        CheckpointError: The checkpoint cannot be found or read, lacks the head, or holds NaN or infinity.
        ConfigError: The configuration breaks a rule.
        ExportError: Tracing, a pass or the check of the file failed.
        ParityError: The artifact differs from the eager model; candidate and report lie in ``OUT.rejected``.
        BundleError: The bundle cannot be written.
        MissingDependencyError: A package is not installed; the message names the extra.
    """
    say = progress or silent
    target_row, task_row = get_target(target), get_task(task)
    if positions:
        check_target_chooses(target_row)
        task_row = at_positions(task_row)
    precision = check_precision(target_row, precision)
    reader = None if compat is None else choose_reader(target_row.readers, compat, task_row.name)
    if layers is None:
        layers = target_row.layers_of.get(precision)
    layers = one_of("layers", layers if reader is None else reader_layers(reader, layers), target_row.layers)
    tokens = one_of("tokens", tokens, target_row.tokens)
    if opset is not None:
        check_target_opset(opset, target_row.opsets)
    texts = texts_to_calibrate_on(target_row, precision, calibrate)
    options: dict[str, Any] = own_options(target_row, embed_weights, aot)
    if len(target_row.tokens) > 1:
        options["tokens"] = tokens
    if quantize is not None:
        check_by_part(target_row, precision)
        options["parts"] = check_parts(quantize)
    checkpoint = open_checkpoint(
        model,
        task=task_row,
        revision=revision,
        cache_dir=cache_dir,
        local_files_only=local_files_only,
        token=token,
        progress=progress,
    )
    check_data(data, max_drop, parity, checkpoint, task_row)
    if reader is not None:
        longest = checkpoint.config.max_position_embeddings
        batch, sequence = reader_sizes(reader, task_row.name, batch=batch, sequence=sequence, longest=longest)
    sizes = fixed_sizes(task_row, checkpoint, {"batch": batch, "choices": choices, "sequence": sequence})
    options |= check_engine_options(target_row, engine, task_row, checkpoint, sizes)
    check_finite(checkpoint, task_row)
    if target_row.preflight is not None:
        resolve(target_row.preflight)()
    # What is not installed shows before anything is written.
    resolve(target_row.emitter)
    framework = FRAMEWORKS[target_row.framework]
    resolve(f"{framework.module}:load_eager")

    if parity:
        from albert_export.parity.needs import check_needs

        check_needs(target_row, otherwise="export without a proof: --no-parity")

    say(f"checkpoint {checkpoint.source_name}: {len(checkpoint.weight_files)} weight file(s)")
    with BundleWriter(out, task=task_row.name, source=checkpoint.source) as writer:
        tokenizer = put_shared_files(writer, checkpoint, task_row, say)
        if opset is not None:
            options["opset"] = opset
        if texts is not None:
            options["calibration"] = inputs_to_calibrate_on(texts, tokenizer, task_row, sizes, say)
        if reader is not None:
            options |= {"reader": reader, "vocabulary": vocabulary_for(writer.directory, reader)}
        other_tokens = "" if tokens == target_row.tokens[0] else tokens
        maker = ArtifactMaker(
            writer,
            checkpoint,
            target_row,
            task_row,
            form=_form(precision, layers, other_tokens, sizes, texts is not None, reader, embed_weights, positions),
            precision=precision,
            layers=layers,
            sizes=sizes,
            allow_random_head=allow_random_head,
            options=options,
            facts={
                **({"calibration_texts": len(texts)} if texts is not None else {}),
                **calibrated_on(target_row, texts, calibrate),
                **({"compat": reader.name} if reader is not None else {}),
            },
            say=say,
        )
        file = maker.make().file
        for part in options.get("parts", ()):
            if part not in (maker.quantized_bytes or {}):
                say(f"warning: {part} has no matrix with {NARROW} outputs or more: nothing of it is in {precision}")
        remove_reports(writer)
        if parity:
            proof = Proof(
                writer,
                checkpoint,
                target_row,
                allow_random_head=allow_random_head,
                data=data,
                max_drop=max_drop,
                say=say,
            )
            report = proof.of(file)
            if not report.ok and quantize is None:
                report = leave_costly_parts(maker, proof, report, file)
            if not report.ok:
                raise proof.miss(report, file)
        say("writing the bundle")
        _interrupts.check()
        return writer.commit()


def _form(
    precision: str,
    layers: str,
    other_tokens: str,
    sizes: Mapping[str, int | None],
    calibrated: bool,
    reader: Reader | None,
    embedded: bool,
    chosen: bool,
) -> str:
    """Return what tells the artifact's file from others of its target."""
    static = "_static" if calibrated else ""
    unrolled = "_unrolled" if layers == "unrolled" else ""
    tokens = f"_{other_tokens}" if other_tokens else ""
    fixed = "".join(f"_{_AXIS_LETTERS[axis]}{size}" for axis, size in sizes.items() if size is not None)
    for_reader = "" if reader is None else f"_{reader.name.replace('-', '_')}"
    inside = "_embedded" if embedded else ""
    at = "_positions" if chosen else ""
    return f"{PRECISIONS[precision]}{static}{unrolled}{tokens}{fixed}{at}{for_reader}{inside}"
