"""The weights of one export: each parameter stored once, in the orientation its users read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from albert_export._imports import require
from albert_export.errors import ExportError

if TYPE_CHECKING:
    import onnx_ir as ir
    import torch
else:
    ir = require("onnx_ir", needed_for="exporting to ONNX", extra="onnx")
    torch = require("torch", needed_for="exporting to ONNX", extra="onnx")


class WeightStore:
    """Initializers of one export, made on first use and shared by every graph that reads them.

    Two names of one tensor (tied weights) are one initializer. Tensors are read, and transposed, one at a time when
    the file is written: the peak of memory is one weight, not a second copy of all.

    Attributes:
        names: Canonical name of the weight behind each fx placeholder.
        initializers: What has been asked for so far, in order of first use.
    """

    def __init__(self, program: torch.export.ExportedProgram, tensors: Mapping[str, torch.Tensor]) -> None:
        self._tensors = tensors
        self._first_name: dict[tuple[Any, ...], str] = {}
        self.initializers: list[ir.Value] = []
        self._made: dict[tuple[str, bool], ir.Value] = {}
        self.names: dict[Any, str] = {}
        targets = {
            spec.arg.name: spec.target.removeprefix("model.")
            for spec in program.graph_signature.input_specs
            if spec.target is not None
        }
        for node in program.graph.nodes:
            if node.op == "placeholder" and node.name in targets:
                self.names[node] = self._representative(targets[node.name])
        readers: dict[str, set[str]] = {}
        for name, operator in _readers(program.graph, self.names):
            readers.setdefault(name, set()).add(operator)
        self._only_linear = {name for name, operators in readers.items() if operators == {"aten.linear.default"}}

    def _representative(self, name: str) -> str:
        tensor = self._tensors[name]
        return self._first_name.setdefault((tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype), name)

    def is_parameter(self, name: str) -> bool:
        """Whether the tensor is a weight; the others are integer buffers such as positions."""
        return self._tensors[name].dtype.is_floating_point

    def unique_parameter_bytes(self) -> int:
        """Count the bytes of the model's weights, tied ones once."""
        unique = set(self._first_name.values())
        return sum(self._tensors[name].nbytes for name in unique if self.is_parameter(name))

    def check_finite(self) -> None:
        """Check what makes every answer NaN, or what integers would turn into a number like any other.

        Raises:
            ExportError: A weight holds NaN or infinity; the message names them all.
        """
        unique = sorted(set(self._first_name.values()))
        broken = [name for name in unique if self.is_parameter(name) and not self._tensors[name].isfinite().all()]
        if broken:
            raise ExportError(
                "weights must be finite",
                received=f"NaN or infinity in {', '.join(broken)}",
                fix="mend the checkpoint",
            )

    def only_linear(self, placeholder: Any) -> bool:
        """Whether linear layers are the weight's only readers, so that it can be stored as [in, out]."""
        return self.names[placeholder] in self._only_linear

    def initializer(self, name: str, *, transposed: bool = False) -> ir.Value:
        """Return the initializer of a weight; its data is read when it is written."""
        key = (name, transposed)
        if key not in self._made:
            tensor = self._tensors[name]
            shape = list(reversed(tensor.shape)) if transposed else list(tensor.shape)
            dtype = ir.DataType.from_numpy(np.dtype(str(tensor.dtype).removeprefix("torch.")))

            def read(tensor: torch.Tensor = tensor, dtype: ir.DataType = dtype) -> ir.Tensor[Any]:
                # torch transposes in blocks and in threads; numpy takes five times as long at xxlarge size.
                stored = tensor.detach().t().contiguous() if transposed else tensor.detach()
                return ir.Tensor(stored.numpy(), dtype=dtype)

            value = ir.Value(name=name, shape=ir.Shape(shape), type=ir.TensorType(dtype))
            value.const_value = ir.LazyTensor(read, dtype=dtype, shape=ir.Shape(shape), name=name)
            self._made[key] = value
            self.initializers.append(value)
        return self._made[key]


def _readers(graph: Any, names: Mapping[Any, str]) -> Iterator[tuple[str, str]]:
    """Yield (weight, operator) for every operator that reads a weight, those in loop bodies included."""
    for node in graph.nodes:
        if str(node.target) == "while_loop":
            body = getattr(graph.owning_module, node.args[1].target).graph
            inside = [item for item in body.nodes if item.op == "placeholder"][len(node.args[2]) :]
            inner = {item: names[outer] for item, outer in zip(inside, node.args[3], strict=True) if outer in names}
            yield from _readers(body, inner)
            continue
        for item in node.all_input_nodes:
            if item in names:
                yield names[item], str(node.target)
