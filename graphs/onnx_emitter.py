"""The ONNX target: a traced model becomes a checked ``.onnx`` file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from albert_export._imports import require
from albert_export._version import __version__
from albert_export.config import AlbertConfig
from albert_export.errors import ExportError
from albert_export.graphs.aten_operators import LOWERINGS
from albert_export.graphs.emitted import Emitted, described, shape_of
from albert_export.graphs.lowering import GraphLowering
from albert_export.graphs.onnx_calibration import observed_ranges
from albert_export.graphs.onnx_file import LARGEST_MESSAGE, check_onnx, write_onnx
from albert_export.graphs.onnx_int4 import BLOCK, quantize_int4
from albert_export.graphs.onnx_narrowing import compute_in_half, store_in_bfloat16
from albert_export.graphs.onnx_packing import pack_tokens
from albert_export.graphs.onnx_quantization import WEIGHT_STEPS, quantizable, quantizable_activations, quantize_int8
from albert_export.graphs.onnx_sharing import stored_weight_bytes
from albert_export.graphs.passes import Pass, pipeline, run_passes
from albert_export.graphs.sharing import Sharing
from albert_export.graphs.tracing import Trace, trace
from albert_export.graphs.weights import WeightStore
from albert_export.parts import PARTS, quantized_parts
from albert_export.targets import NEWEST_INTEGER_OPSET, ONNX_OPSETS, check_target_opset
from albert_export.tasks import Task, TensorSpec

if TYPE_CHECKING:
    import numpy as np
    import onnx
    import onnx_ir as ir
    from torch import nn
else:
    ir = require("onnx_ir", needed_for="exporting to ONNX", extra="onnx")
    onnx = require("onnx", needed_for="exporting to ONNX", extra="onnx")

OLDEST_OPSET, NEWEST_OPSET = ONNX_OPSETS
#: Gelu begins at 20, so the layer is one operator shorter than at 18; onnxruntime runs it since 1.17 (January 2024).
DEFAULT_OPSET = 20


def check_opset(opset: int, precision: str = "fp32") -> int:
    """Return ``opset`` where it can be emitted in that precision.

    Raises:
        ExportError: It is outside :data:`OLDEST_OPSET` to :data:`NEWEST_OPSET`, newer than the installed onnx, or not
            one of the precision's.
    """
    check_target_opset(opset, ONNX_OPSETS)
    if precision == "int8" and opset > NEWEST_INTEGER_OPSET:
        raise ExportError(
            f"{precision} must have an opset up to {NEWEST_INTEGER_OPSET}, the newest that onnxruntime quantises with",
            received=opset,
            fix="leave opset out for the one that most runtimes read",
        )
    if opset > onnx.defs.onnx_opset_version():
        raise ExportError(
            f"the installed onnx {onnx.__version__} knows opsets up to {onnx.defs.onnx_opset_version()}",
            received=opset,
            fix="pip install --upgrade onnx, or choose an older opset",
        )
    return opset


def emit_onnx(
    model: nn.Module,
    task: Task,
    path: Path,
    *,
    precision: str = "fp32",
    layers: str = "rolled",
    tokens: str = "padded",
    parts: Sequence[str] = PARTS,
    opset: int = DEFAULT_OPSET,
    sizes: Mapping[str, int | None] | None = None,
    calibration: Iterable[Mapping[str, np.ndarray[Any, Any]]] | None = None,
    metadata: Mapping[str, str] | None = None,
    traced: Trace | None = None,
    largest_message: int = LARGEST_MESSAGE,
    progress: Callable[[str], None] = lambda _: None,
) -> Emitted:
    """Trace ``model`` and write it as ONNX.

    Args:
        model: An eager torch ALBERT with the task's head, in float32.
        task: The task whose inputs and outputs the file has.
        path: The file to make; it must not exist.
        precision: ``fp32``; ``fp16``, weights and arithmetic; ``bf16``, weights; ``int8``, weights, and activations
            with a scale for each token; or ``int4``, weights, in blocks.
        layers: ``rolled`` or ``unrolled``.
        tokens: ``padded``, or ``packed``: padding is left out of what is computed token by token; see
            :mod:`albert_export.graphs.onnx_packing`.
        parts: What the integers are for, of :data:`albert_export.parts.PARTS`.
        opset: Version of the standard operators.
        sizes: Fixed size of a dynamic axis; absent or None stays symbolic.
        calibration: With int8: inputs by name, int64, of the shapes that ``sizes`` allows; activations then get the
            fixed ranges that they have on these, in place of a scale for each token.
        metadata: Entries for the file's ``metadata_props``, besides tool, version, task, layers and labels.
        traced: What an earlier call returned for the same model, task, layers and sizes; None traces it.
        largest_message: Size in bytes from which on weights go into a file beside it.
        progress: Gets a line as each stage begins.

    Raises:
        ExportError: The model cannot be traced, lowered or checked.
        InputError: No chosen part has anything to quantise.
        SharingError: The file would store a weight more than once.
    """
    check_opset(opset, precision)
    config: Any = model.config
    if calibration is not None and precision != "int8":
        raise ExportError("calibration serves precision int8", received=precision, fix="choose int8")
    if traced is None:
        progress(f"tracing {task.torch_class}, layers {layers}")
        # Packing takes the tokens of a batch as one list, out of which no turn of the loop can take fewer.
        traced = trace(model, task, layers=layers, sizes=sizes or {}, all_tokens=tokens == "packed")
    progress(f"lowering to ONNX opset {opset}")
    store = WeightStore(traced.program, traced.weights)
    store.check_finite()
    ranges = None
    if calibration is not None:
        progress("measuring the ranges of activations")
        observed = build_graph(traced, WeightStore(traced.program, traced.weights), config, opset)
        if tokens == "packed":  # the activations that are quantised are those of the packed graph
            pack_tokens(observed)
        ranges = observed_ranges(observed, quantizable_activations(observed, parts), calibration)
    built = build_graph(traced, store, config, opset)
    form = {"precision": precision, "tokens": tokens}
    built.metadata_props.update(file_metadata(task, config, layers, {**form, **(metadata or {})}))
    unique = store.unique_parameter_bytes()
    quantized = quantized_parts(quantizable_bytes(built), parts) if precision in ("int8", "int4") else {}
    passes = _pipeline(opset, precision, tokens, parts, ranges)
    changed = run_passes(built, passes, unique_parameter_bytes=unique)
    progress(f"writing {path.name}")
    files = write_onnx(built, path, largest_message=largest_message)
    check_onnx(built, path)
    stored = stored_weight_bytes(built)
    sharing = Sharing(unique, stored, sum(file.stat().st_size for file in files) - stored)
    sharing.check("writing the file")
    operators = Counter(node.op_type for node in ir.traversal.RecursiveGraphIterator(built.graph))
    return Emitted(
        files=files,
        opset=opset,
        inputs=tuple(described(spec, config, traced.sizes) for spec in task.inputs),
        outputs=tuple(described(spec, config, traced.sizes) for spec in task.outputs),
        sharing=sharing,
        versions=package_versions(),
        facts={
            "ir_version": built.ir_version,
            "operators": dict(sorted(operators.items())),
            "loops": [f"{node.name} x {trip_count(node)}" for node in built.graph if node.op_type == "Loop"],
            "passes": list(changed),
            "tokens": tokens,
            **_precision_facts(precision, list(quantized), calibrated=ranges is not None),
            "external_data": len(files) > 1,
        },
        traced_sizes=dict(traced.traced_sizes),
        quantized_bytes=quantized,
        traced=traced,
    )


def _pipeline(
    opset: int,
    precision: str,
    tokens: str,
    parts: Sequence[str],
    ranges: Mapping[str, tuple[float, float]] | None,
) -> tuple[Pass, ...]:
    quantizing: list[Pass] = []
    narrowing: list[Pass] = []
    if precision == "fp16":
        narrowing = [Pass("compute-in-half", compute_in_half)]
    elif precision == "bf16":
        narrowing = [Pass("store-in-bfloat16", store_in_bfloat16)]
    elif precision == "int8":
        quantizing = [Pass("quantize-int8", lambda model: quantize_int8(model, parts, ranges))]
    elif precision == "int4":
        quantizing = [Pass("quantize-int4", lambda model: quantize_int4(model, parts))]
    elif precision != "fp32":
        raise ExportError(
            "ONNX's precision must be fp32, fp16, bf16, int8 or int4", received=precision, fix="choose one of them"
        )
    packing = [Pass("pack-tokens", pack_tokens)] if tokens == "packed" else []
    return pipeline(opset, quantizing, narrowing, packing)


def _precision_facts(precision: str, quantized: list[str], *, calibrated: bool) -> dict[str, Any]:
    if precision == "int8":
        form = "int8, calibrated" if calibrated else "int8, a scale for each token at run time"
        return {"quantized": quantized, "activations": form, "weight_steps": WEIGHT_STEPS}
    if precision == "int4":
        return {"quantized": quantized, "activations": "float32", "block_size": BLOCK}
    return {"activations": "float16" if precision == "fp16" else "float32"}


def quantizable_bytes(model: ir.Model) -> dict[str, int]:
    """Return the float32 bytes of each part's matrices that can be quantised."""
    return {part: sum(_nbytes(value) for value in quantizable(model, [part])) for part in PARTS}


def _nbytes(value: ir.Value) -> int:
    return 0 if value.const_value is None else value.const_value.nbytes


def build_graph(traced: Trace, store: WeightStore, config: AlbertConfig, opset: int) -> ir.Model:
    """Lower a traced model to a graph in float32, its weights read from ``store``."""
    program = traced.program
    user_inputs = set(program.graph_signature.user_inputs)
    placeholders = [node for node in program.graph.nodes if node.op == "placeholder" and node.name in user_inputs]
    dims: dict[str, tuple[ir.Value, int]] = {}
    inputs: list[ir.Value] = []
    lowering = GraphLowering(LOWERINGS, store, dims)
    for spec, placeholder in zip(traced.task.inputs, placeholders, strict=True):
        value = _typed_value(spec, config, traced)
        inputs.append(value)
        lowering.values[placeholder] = value
        for axis, size in enumerate(placeholder.meta["val"].shape):
            if not isinstance(size, int):
                dims.setdefault(str(size.node.expr), (value, axis))
    for placeholder, name in store.names.items():
        # A buffer is read as a value like any other; a weight only by the operators that know its orientation.
        if not store.is_parameter(name):
            lowering.values[placeholder] = store.initializer(name)
    outputs = lowering.run(program.graph)
    for spec, output in zip(traced.task.outputs, outputs, strict=True):
        typed = _typed_value(spec, config, traced)
        output.name, output.shape, output.type = typed.name, typed.shape, typed.type
    graph = ir.Graph(
        inputs,
        outputs,
        nodes=lowering.nodes,
        initializers=store.initializers,
        opset_imports={"": opset},
        name=f"albert_{traced.task.name.replace('-', '_')}",
    )
    return ir.Model(graph, ir_version=_ir_version(opset), producer_name="albert-export", producer_version=__version__)


def _typed_value(spec: TensorSpec, config: AlbertConfig, traced: Trace) -> ir.Value:
    dtype = ir.DataType.from_numpy(_dtype(spec))
    return ir.val(spec.name, dtype=dtype, shape=ir.Shape(shape_of(spec, config, traced.sizes)))


def _dtype(spec: TensorSpec) -> Any:
    import numpy as np

    return np.dtype(spec.dtype)


def file_metadata(task: Task, config: AlbertConfig, layers: str, metadata: Mapping[str, str]) -> dict[str, str]:
    """Return the entries of a file's ``metadata_props``."""
    labels = {str(index): config.id2label[index] for index in sorted(config.id2label)}
    return {
        "tool": f"albert-export {__version__}",
        "task": task.name,
        "layers": layers,
        "labels": json.dumps(labels, ensure_ascii=False),
        **metadata,
    }


def _ir_version(opset: int) -> int:
    """Return the oldest format that carries ``opset``: newer ones are refused by older runtimes for no gain."""
    return int(onnx.helper.OP_SET_ID_VERSION_MAP["ai.onnx", opset])


def trip_count(node: ir.Node) -> int:
    """Return how often a ``Loop`` of ours runs its body; 0 where that is no constant."""
    count = node.inputs[0]
    producer = None if count is None else count.producer()
    return 0 if producer is None else int(producer.attributes["value"].value.numpy())


def package_versions() -> dict[str, str]:
    """Return the versions of the packages that make a graph."""
    from importlib.metadata import version

    return {package: version(package) for package in ("torch", "onnx", "onnx-ir")}
