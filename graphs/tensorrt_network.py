"""The network that TensorRT is given: our ONNX graph, typed strongly, in the forms that its parser reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from albert_export._imports import require
from albert_export.errors import ExportError
from albert_export.graphs.onnx_calibration import Feed, observed_ranges
from albert_export.graphs.onnx_emitter import build_graph, file_metadata, quantizable_bytes
from albert_export.graphs.onnx_file import check_onnx, without_weights, write_onnx
from albert_export.graphs.onnx_quantization import quantizable_activations
from albert_export.graphs.onnx_sharing import stored_weight_bytes
from albert_export.graphs.onnx_strong_typing import TYPES, settle_loop_conditions, type_strongly
from albert_export.graphs.onnx_symmetric import quantize_symmetric
from albert_export.graphs.passes import Pass, pipeline, run_passes
from albert_export.graphs.tracing import Trace, trace
from albert_export.graphs.weights import WeightStore
from albert_export.parts import PARTS, quantized_parts
from albert_export.tasks import Task

if TYPE_CHECKING:
    import onnx
    import onnx_ir as ir
    from torch import nn
else:
    ir = require("onnx_ir", needed_for="exporting to TensorRT", extra="onnx")
    onnx = require("onnx", needed_for="exporting to TensorRT", extra="onnx")

#: Every release since 10.0 reads it, and it is the first in which GELU is one operator.
OPSET = 20

#: What is around the integers of int8: TensorRT's integer products write float16 as fast as float32 is slow.
_AROUND_INT8 = "fp16"


@dataclass(frozen=True)
class Network:
    """A typed network.

    Attributes:
        graph: It; weights are read when it is written.
        traced: What it was lowered from.
        passes: Names of the passes that changed it.
        unique: Bytes of the model's unique parameters in float32.
        stored: Bytes of the weights that it stores.
        quantized: Part -> bytes that its matrices which became integers take in float32; those with any.
    """

    graph: ir.Model
    traced: Trace
    passes: tuple[str, ...]
    unique: int
    stored: int
    quantized: Mapping[str, int]

    def write(self, path: Path) -> tuple[Path, ...]:
        """Write it as ONNX, check it, and return the files: the model's, and weights beside it from 2 GB on.

        Raises:
            ExportError: onnx's checker refuses it.
        """
        files = write_onnx(self.graph, path)
        check_onnx(self.graph, path)
        return files

    def described(self) -> onnx.ModelProto:
        """Return it without the data of its weights, as onnx's own object."""
        model = onnx.ModelProto()
        model.ParseFromString(without_weights(self.graph, "weights"))
        return model


def build_network(
    model: nn.Module,
    task: Task,
    *,
    precision: str,
    layers: str,
    parts: Sequence[str] = PARTS,
    sizes: Mapping[str, int | None] | None = None,
    calibration: Iterable[Feed] | None = None,
    metadata: Mapping[str, str] | None = None,
    traced: Trace | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Network:
    """Trace ``model`` and type it.

    Args:
        model: An eager torch ALBERT with the task's head, in float32.
        task: The task whose inputs and outputs the network has.
        precision: ``fp32``; ``fp16`` or ``bf16``, weights and arithmetic; or ``int8``, products with weights, and the
            rest in float16.
        layers: ``rolled`` or ``unrolled``.
        parts: What the integers are for, of :data:`albert_export.parts.PARTS`.
        sizes: Fixed size of a dynamic axis; absent or None stays symbolic.
        calibration: For int8: inputs by name, int64; activations get the ranges that they have on these.
        metadata: Further entries of ``metadata_props``.
        traced: What an earlier call traced for the same model, task, layers and sizes.
        progress: Gets a line as each stage begins.

    Raises:
        ExportError: There is no such precision or no calibration for int8, or the model cannot be traced or typed.
        InputError: No chosen part has anything to quantise.
        SharingError: A pass copied a weight.
    """
    if precision not in ("fp32", *TYPES, "int8"):
        raise ExportError("TensorRT's precision must be fp32, fp16, bf16 or int8", received=precision)
    if (calibration is not None) != (precision == "int8"):
        raise ExportError(
            "int8 has fixed ranges, and is calibrated", received=precision, fix="give calibration with int8 alone"
        )
    config: Any = model.config
    if traced is None:
        progress(f"tracing {task.torch_class}, layers {layers}")
        # What a loop of TensorRT carries keeps its shape: no turn can leave tokens out that the head does not read.
        traced = trace(model, task, layers=layers, sizes=sizes or {}, all_tokens=layers == "rolled")
    progress(f"typing the network in {precision}")
    store = WeightStore(traced.program, traced.weights)
    store.check_finite()
    ranges = None
    if calibration is not None:
        progress("measuring the ranges of activations")
        observed = build_graph(traced, WeightStore(traced.program, traced.weights), config, OPSET)
        ranges = observed_ranges(observed, quantizable_activations(observed, parts), calibration)
    graph = build_graph(traced, store, config, OPSET)
    graph.metadata_props.update(file_metadata(task, config, layers, {"precision": precision, **(metadata or {})}))
    unique = store.unique_parameter_bytes()
    quantized = quantized_parts(quantizable_bytes(graph), parts) if precision == "int8" else {}
    passes = run_passes(graph, _passes(precision, ranges, parts), unique_parameter_bytes=unique)
    return Network(graph, traced, passes, unique, stored_weight_bytes(graph), quantized)


def _passes(precision: str, ranges: Mapping[str, tuple[float, float]] | None, parts: Sequence[str]) -> tuple[Pass, ...]:
    quantizing = []
    if ranges is not None:
        quantizing = [Pass("quantize-symmetric", lambda model: quantize_symmetric(model, ranges, parts))]
    narrowing = [Pass("settle-loop-conditions", settle_loop_conditions)]
    dtype = TYPES.get(_AROUND_INT8 if precision == "int8" else precision)
    if dtype is not None:
        narrowing.append(Pass("type-strongly", lambda model: type_strongly(model, dtype)))
    return pipeline(OPSET, quantizing, narrowing)
