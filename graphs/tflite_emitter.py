"""The TFLite target: a traced model becomes a checked ``.tflite`` file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from albert_export._version import __version__
from albert_export.config import AlbertConfig
from albert_export.errors import ExportError, SharingError
from albert_export.graphs.emitted import Emitted, described, shape_of
from albert_export.graphs.tf_tracing import TFTrace, tf, trace
from albert_export.graphs.tflite_conversion import convert
from albert_export.graphs.tflite_file import LARGEST_FILE, write_tflite
from albert_export.graphs.tflite_graph import StoredWeight, TFLiteGraph, schema
from albert_export.graphs.tflite_integer import quantize_layers
from albert_export.graphs.tflite_metadata import (
    ENTRY,
    append_files,
    archive_bytes,
    broken_labels,
    metadata_buffer,
    packed_files,
)
from albert_export.graphs.tflite_passes import (
    Pass,
    bind_weights,
    check_builtin,
    drop_unused,
    name_plainly,
    write_dense_layers,
)
from albert_export.graphs.tflite_quantization import halve_weights, quantize_weights, quantized_bytes
from albert_export.graphs.tflite_sharing import sharing_of
from albert_export.parts import PARTS
from albert_export.readers import Reader
from albert_export.tasks import Task

#: Name of the signature, as SavedModel has it.
SIGNATURE = "serving_default"

#: Name of the metadata entry with what ONNX files have in ``metadata_props``, in JSON.
OWN_ENTRY = "albert_export"


@dataclass(frozen=True)
class Converted:
    """A model that was traced and converted, without its weights.

    Attributes:
        trace: What was traced, and the weights.
        flatbuffer: What the converter made of it.
    """

    trace: TFTrace
    flatbuffer: bytes


def emit_tflite(
    model: Any,
    task: Task,
    path: Path,
    *,
    layers: str = "rolled",
    precision: str = "fp32",
    parts: Sequence[str] = PARTS,
    sizes: Mapping[str, int | None] | None = None,
    calibration: Iterable[Mapping[str, np.ndarray[Any, Any]]] | None = None,
    reader: Reader | None = None,
    vocabulary: Path | None = None,
    metadata: Mapping[str, str] | None = None,
    traced: Converted | None = None,
    largest: int = LARGEST_FILE,
    progress: Callable[[str], None] = lambda _: None,
) -> Emitted:
    """Trace ``model`` and write it as TFLite, of builtin operators only.

    Args:
        model: An eager TensorFlow ALBERT with the task's head, in float32.
        task: The task whose inputs (int32) and outputs (float32) the file has.
        path: The file to make; it must not exist.
        layers: ``rolled`` or ``unrolled``.
        precision: ``fp32``, ``fp16`` (weights) or ``int8`` (weights; activations too, at run time or by calibration).
        parts: What int8 is for, of :data:`albert_export.parts.PARTS`.
        sizes: Fixed size of a dynamic axis; absent or None stays dynamic.
        calibration: With int8: inputs by name, int, of the shapes that ``sizes`` allows; activations are then
            quantised with the ranges they have on these, in place of at run time.
        reader: The program whose form is written; ``layers`` and ``sizes`` are already what it takes.
        vocabulary: SentencePiece model or WordPiece vocabulary to pack behind the model, for TFLite clients.
        metadata: Entries besides tool, version, task, layers and labels.
        traced: What an earlier call returned for the same model, task, layers and sizes; None traces it.
        largest: Bytes that the file may have, with what is packed.
        progress: Gets a line as each stage begins.

    Raises:
        ExportError: The model cannot be traced, converted or written, or an argument does not fit.
        InputError: No chosen part has anything to quantise.
        SharingError: The file would store a weight more than once.
    """
    config: Any = model.config
    if calibration is not None and precision != "int8":
        raise ExportError("calibration serves precision int8", received=precision, fix="choose int8")
    wanted = dict(sizes or {})
    _check_sequence(wanted.get("sequence"), config)
    files = packed_files(vocabulary, _packed_labels(task, config, reader, progress))
    if traced is None:
        progress(f"tracing {task.tensorflow_class}, layers {layers}")
        trace_ = trace(model, task, layers=layers, sizes=wanted)
        progress("converting to TFLite")
        traced = Converted(trace_, convert(trace_.function))
    graph = TFLiteGraph(traced.flatbuffer)
    changed = _run_passes(graph, _pipeline(traced.trace, precision, parts, reader, calibration))
    check_builtin(graph)
    _name_tensors(graph, task, config, traced.trace)
    _add_metadata(graph, ENTRY, metadata_buffer(task, files, name=f"ALBERT {task.name}", version=__version__))
    _add_metadata(graph, OWN_ENTRY, _own_metadata(task, config, layers, metadata or {}))
    progress(f"writing {path.name}")
    write_tflite(graph, path, largest=largest, behind=archive_bytes(files))
    # What is packed behind the model is the user's own, and no part of the model.
    sharing = sharing_of(graph, path.stat().st_size)
    sharing.check("writing the file")
    append_files(path, files)
    quantized = quantized_bytes(graph, parts)
    return Emitted(
        files=(path,),
        opset=None,
        inputs=tuple(described(spec, config, traced.trace.sizes, "int32") for spec in task.inputs),
        outputs=tuple(described(spec, config, traced.trace.sizes) for spec in task.outputs),
        sharing=sharing,
        versions=_versions(),
        facts={
            "operators": graph.operator_counts(),
            "operator_versions": graph.operator_versions(),
            "subgraphs": len(graph.subgraphs),
            "rolled": layers == "rolled",
            "loops": _loops(config) if layers == "rolled" else [],
            "passes": changed,
            "activations": _activations(precision, calibrated=calibration is not None),
            **({"quantized": list(quantized)} if precision == "int8" else {}),
            "packed_files": [file.name for file in files],
        },
        traced_sizes={axis: size for axis, size in traced.trace.sizes.items() if size is not None},
        quantized_bytes=quantized,
        traced=traced,
    )


def _check_sequence(sequence: int | None, config: AlbertConfig) -> None:
    longest = int(config.max_position_embeddings)
    if sequence is not None and sequence > longest:
        raise ExportError(f"sequence must be at most {longest}, the positions of this model", received=sequence)


def _packed_labels(
    task: Task, config: AlbertConfig, reader: Reader | None, progress: Callable[[str], None]
) -> list[str]:
    """Return the labels to pack: none for a task without, nor where they cannot be and no reader asks for them."""
    if task.outputs[-1].axes[-1] != "num_labels":
        return []
    labels = [config.id2label[index] for index in sorted(config.id2label)]
    broken = broken_labels(labels)
    if broken and reader is None:
        progress(f"warning: no labels are packed behind the model: {broken[0]!r} is not one line of text")
        return []
    return labels


def _loops(config: AlbertConfig) -> list[str]:
    layers = range(config.num_hidden_layers)
    repeats = Counter(int(layer / (config.num_hidden_layers / config.num_hidden_groups)) for layer in layers)
    return [f"group {group} x {count}" for group, count in sorted(repeats.items())]


def _activations(precision: str, *, calibrated: bool) -> str:
    if precision != "int8":
        return "float32"
    return "int8, calibrated" if calibrated else "int8, quantised at run time"


def _pipeline(
    traced: TFTrace,
    precision: str,
    parts: Sequence[str],
    reader: Reader | None,
    calibration: Iterable[Mapping[str, np.ndarray[Any, Any]]] | None,
) -> list[tuple[str, Pass]]:
    weights = {name: StoredWeight(weight.name, weight.read, weight.shape) for name, weight in traced.weights.items()}
    old = reader is not None and reader.old_operators
    passes: list[tuple[str, Pass]] = [
        # First: all others ask which tensors are weights.
        ("bind_weights", lambda graph: bind_weights(graph, weights)),
        ("write_dense_layers", write_dense_layers),
        ("drop_unused", drop_unused),
    ]
    if precision == "fp16":
        passes.append(("halve_weights", lambda graph: halve_weights(graph, gather_halves=not old)))
    elif precision == "int8" and calibration is not None:
        feeds = calibration
        passes.append(("quantize_layers", lambda graph: quantize_layers(graph, feeds, parts, per_row=not old)))
    elif precision == "int8":
        passes.append(("quantize_weights", lambda graph: quantize_weights(graph, parts, per_row=not old)))
    elif precision != "fp32":
        raise ExportError("TFLite's precision must be fp32, fp16 or int8", received=precision, fix="choose one of them")
    # Last: what the others left behind.
    passes += [("drop_unused", drop_unused), ("name_plainly", name_plainly)]
    return passes


def _run_passes(graph: TFLiteGraph, passes: list[tuple[str, Pass]]) -> list[str]:
    done: list[str] = []
    changed: list[str] = []
    for name, run in passes:
        try:
            if run(graph):
                changed.append(name)
            # Only the weights count yet: the graph is written, and measured, at the end.
            sharing_of(graph, 0).check(name)
        except SharingError:
            raise
        except ExportError as error:
            rule = f"{error.rule} (pass {name}; passes before it: {', '.join(done) or 'none'})"
            raise ExportError(rule, received=error.received, fix=error.fix) from error
        done.append(name)
    return list(dict.fromkeys(changed))


def _name_tensors(graph: TFLiteGraph, task: Task, config: AlbertConfig, traced: TFTrace) -> None:
    """Give inputs and outputs the task's names and shapes, and the model a signature of them."""
    main = graph.main.raw
    if len(main.inputs) != len(task.inputs) or len(main.outputs) != len(task.outputs):
        raise ExportError(
            "the converted model must have the task's inputs and outputs",
            received=f"{len(main.inputs)} inputs and {len(main.outputs)} outputs",
        )
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = SIGNATURE, 0
    for specs, indices, role in ((task.inputs, main.inputs, "inputs"), (task.outputs, main.outputs, "outputs")):
        maps = []
        for spec, index in zip(specs, indices, strict=True):
            graph.main.tensor(index).name = spec.name
            graph.main.set_shape(index, shape_of(spec, config, traced.sizes))
            entry = schema.TensorMapT()
            entry.name, entry.tensorIndex = spec.name, index
            maps.append(entry)
        setattr(signature, role, maps)
    graph.model.signatureDefs = [signature]
    graph.model.description = f"albert-export {__version__}"


def _add_metadata(graph: TFLiteGraph, name: str, data: bytes) -> None:
    entry = schema.MetadataT()
    entry.name, entry.buffer = name, graph.add_buffer(data)
    graph.model.metadata = [*(graph.model.metadata or ()), entry]


def _own_metadata(task: Task, config: AlbertConfig, layers: str, metadata: Mapping[str, str]) -> bytes:
    labels = {str(index): config.id2label[index] for index in sorted(config.id2label)}
    entries = {
        "tool": f"albert-export {__version__}",
        "task": task.name,
        "layers": layers,
        "labels": json.dumps(labels, ensure_ascii=False),
        **metadata,
    }
    return json.dumps(entries, ensure_ascii=False, indent=1).encode()


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    return {"tensorflow": str(tf.__version__), "flatbuffers": version("flatbuffers")}
