"""THE TABLE of runtimes: what each is called, what it needs installed, and what it can be told.

Which of them read a target's artifacts stands in the target's row.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, field

from albert_export.errors import InputError, UnknownNameError


@dataclass(frozen=True)
class RuntimeRow:
    """One runtime.

    Attributes:
        name: The value of ``runtime=`` and ``--runtime``.
        title: How people write it.
        location: ``module:class`` that runs artifacts with it.
        extra: Extra that brings what it needs.
        package: Package that it imports.
        devices: Devices it knows, besides ``auto``.
        takes_threads: Whether it can be told the number of threads.
        compiles_shapes: Whether it compiles every new shape, and so can be given buckets of lengths.
        computes_in: Precisions of arithmetic that it can be told by name, as in ``openvino:bf16``.
        through: What it can be told by name to run through, as in ``onnxruntime:tensorrt``.
        native_module: Module whose import loads the native library; None where that of ``package`` does.
        beside: Requirements that its extra does not bring, since their files are not on the common index -> the command
            that does.
        bounds_memory: Whether it can be told how much memory of a GPU it may take.
    """

    name: str
    title: str
    location: str
    extra: str
    package: str
    devices: tuple[str, ...]
    takes_threads: bool = True
    compiles_shapes: bool = False
    computes_in: tuple[str, ...] = ()
    through: tuple[str, ...] = ()
    native_module: str | None = None
    beside: Mapping[str, str] = field(default_factory=dict)
    bounds_memory: bool = False

    @property
    def tellings(self) -> tuple[str, ...]:
        """All that may stand after a colon behind its name."""
        return (*self.computes_in, *self.through)


#: NVIDIA's own index has TensorRT's libraries; the bindings alone, as other indexes have them, load nothing.
TENSORRT_INSTALL = "pip install tensorrt"

RUNTIMES: tuple[RuntimeRow, ...] = (
    RuntimeRow(
        name="onnxruntime",
        title="ONNX Runtime",
        location="albert_export.runtimes.onnxruntime_runtime:OnnxRuntime",
        extra="onnxruntime",
        package="onnxruntime",
        devices=("cpu", "cuda"),
        through=("tensorrt",),
        bounds_memory=True,
    ),
    RuntimeRow(
        name="tensorflow",
        title="TensorFlow",
        location="albert_export.runtimes.savedmodel_runtime:SavedModelRuntime",
        extra="tensorflow",
        package="tensorflow",
        devices=("cpu", "cuda"),
    ),
    RuntimeRow(
        name="litert",
        title="LiteRT",
        location="albert_export.runtimes.litert_runtime:LiteRtRuntime",
        extra="tflite",
        package="ai_edge_litert",
        devices=("cpu",),
        native_module="ai_edge_litert.interpreter",
    ),
    RuntimeRow(
        name="jax",
        title="JAX",
        location="albert_export.runtimes.stablehlo_runtime:StableHloRuntime",
        extra="jax",
        package="jax",
        devices=("cpu", "cuda", "tpu"),
        takes_threads=False,
        compiles_shapes=True,
        bounds_memory=True,
    ),
    RuntimeRow(
        name="tensorrt",
        title="TensorRT",
        location="albert_export.runtimes.tensorrt_runtime:TensorRtRuntime",
        extra="tensorrt",
        package="tensorrt",
        devices=("cuda",),
        takes_threads=False,
        bounds_memory=True,
        beside={"tensorrt>=10.0": TENSORRT_INSTALL},
    ),
    RuntimeRow(
        name="openvino",
        title="OpenVINO",
        location="albert_export.runtimes.openvino_runtime:OpenVinoRuntime",
        extra="openvino",
        package="openvino",
        devices=("cpu", "gpu", "npu"),
        computes_in=("fp32", "bf16"),
    ),
)

_ROWS = {row.name: row for row in RUNTIMES}


def get_runtime(name: str) -> RuntimeRow:
    """Return the runtime of that name.

    Raises:
        UnknownNameError: None has the name; the message names the nearest.
    """
    if name not in _ROWS:
        raise UnknownNameError("runtime", name, list(_ROWS))
    return _ROWS[name]


def parse_runtime(name: str) -> tuple[RuntimeRow, str | None]:
    """Split what a caller named into the runtime and what it is told by name: ``openvino:bf16``.

    Raises:
        UnknownNameError: No runtime has the name.
        InputError: The runtime is told nothing by name, or not that.
    """
    plain, colon, told = name.partition(":")
    row = get_runtime(plain)
    if colon and told not in row.tellings:
        named = [f"{row.name}:{known}" for known in row.tellings]
        raise InputError(
            f"{row.title} is named {' or '.join([row.name, *named])}", received=name, fix=f"name {row.name} alone"
        )
    return row, told or None


def is_installed(row: RuntimeRow) -> bool:
    """Whether the package of a runtime is there; it is not imported."""
    return importlib.util.find_spec(row.package) is not None


def runtime_names() -> list[str]:
    """Return everything that :func:`parse_runtime` takes, in the order of the table."""
    return [name for row in RUNTIMES for name in (row.name, *(f"{row.name}:{known}" for known in row.tellings))]
