"""Triton: a model repository, ``NAME/config.pbtxt`` with ``NAME/1/model.onnx`` or ``model.plan``.

Two backends of the server run an ALBERT. ``onnxruntime`` takes the bundle's ONNX file; with ``onnxruntime-tensorrt`` it
hands the graph to TensorRT on the server's GPU when the model is loaded. ``tensorrt`` takes a plan, which only the same
kind of GPU and TensorRT can read that it was built with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from albert_export.bundle import Artifact
from albert_export.errors import BundleError, InputError, UnknownNameError
from albert_export.layouts.place import Place, check_name, folder_of

BACKENDS = ("onnxruntime", "onnxruntime-tensorrt", "tensorrt")

MAX_BATCH_SIZE = 32
#: Microseconds that a request may wait for others.
QUEUE_DELAY = 500
INSTANCES = 1

#: numpy's dtype -> the server's.
DATA_TYPES = {
    "int32": "TYPE_INT32",
    "int64": "TYPE_INT64",
    "float16": "TYPE_FP16",
    "bfloat16": "TYPE_BF16",
    "float32": "TYPE_FP32",
}

#: TensorRT gets strongly typed networks here: the precision is in the graph, and none is asked for.
_TENSORRT = """optimization {
  execution_accelerators {
    gpu_execution_accelerator [
      { name: "tensorrt" }
    ]
  }
}
"""


def write(
    place: Place,
    *,
    name: str | None = None,
    precision: str | None = None,
    file: str | None = None,
    backend: str = BACKENDS[0],
    plan: Path | None = None,
    max_batch_size: int = MAX_BATCH_SIZE,
    queue_delay: int = QUEUE_DELAY,
    instances: int = INSTANCES,
) -> dict[str, str]:
    """Write the repository.

    Args:
        place: Where.
        name: The model's name on the server; by default that of the bundle's directory.
        precision: Precision of the ONNX file.
        file: One ONNX file of several.
        backend: One of :data:`BACKENDS`.
        plan: TensorRT's plan of the ONNX file; for the backend ``tensorrt``, and needed there.
        max_batch_size: Most rows that the server puts together into one run; 0 for requests as they come.
        queue_delay: Microseconds that a request may wait for others, where rows are put together.
        instances: How many copies of the model run side by side, on each device.

    Raises:
        UnknownNameError: No backend of that name.
        InputError: A number is out of range, or a plan without its backend, or this without a plan.
        BundleError: The bundle has no such ONNX file.
    """
    if backend not in BACKENDS:
        raise UnknownNameError("backend", backend, BACKENDS)
    for what, value, least in (
        ("max_batch_size", max_batch_size, 0),
        ("queue_delay", queue_delay, 0),
        ("instances", instances, 1),
    ):
        if type(value) is not int or value < least:
            raise InputError(f"{what} must be a whole number of at least {least}", received=value)
    if (backend == "tensorrt") != (plan is not None):
        raise InputError(
            "the backend tensorrt takes a plan, and no other does",
            received=f"{backend} {'without one' if plan is None else f'with {plan}'}",
            fix="build one on the server with trtexec --onnx=model.onnx --saveEngine=model.plan, and give --plan",
        )
    name = check_name(name or place.bundle.path.name)
    artifact = place.bundle.select("onnx", precision, file=file)
    if plan is not None:
        if not plan.is_file():
            raise BundleError("a plan must be a file", received=str(plan))
        place.link_file(plan, to=f"{name}/1/model.plan")
    else:
        folder = folder_of(artifact)
        for record in artifact.files:
            if record.path == artifact.file:
                place.link(record.path, to=f"{name}/1/model.onnx")
            elif not record.path.endswith(".onnx"):  # weights beside the graph; another name of the graph is none
                place.link(record.path, to=f"{name}/1/{record.path.removeprefix(folder)}")
    fixed = artifact.shapes.get("batch")
    if fixed is not None:
        place.note(f"requests are not put together: the file is for {fixed} rows")
    batch = 0 if fixed is not None else max_batch_size
    place.write(f"{name}/config.pbtxt", _config(name, backend, artifact, batch, queue_delay, instances))
    if batch and None in artifact.shapes.values():
        place.note("the server puts requests of equal length together: pad to a few lengths")
    return {"name": name}


def _config(name: str, backend: str, artifact: Artifact, batch: int, queue_delay: int, instances: int) -> str:
    server = "tensorrt" if backend == "tensorrt" else "onnxruntime"
    parts = [
        f'name: "{name}"\n',
        f'backend: "{server}"\n',
        f"max_batch_size: {batch}\n",
        _tensors("input", artifact.inputs, batched=batch > 0),
        _tensors("output", artifact.outputs, batched=batch > 0),
    ]
    if batch:
        parts.append(f"dynamic_batching {{\n  max_queue_delay_microseconds: {queue_delay}\n}}\n")
    # Plans run on GPUs alone; else the server takes a GPU where it has one.
    kind = "KIND_GPU" if backend != "onnxruntime" else "KIND_AUTO"
    parts.append(f"instance_group [\n  {{\n    count: {instances}\n    kind: {kind}\n  }}\n]\n")
    if backend == "onnxruntime-tensorrt":
        parts.append(_TENSORRT)
    return "".join(parts)


def _tensors(kind: str, tensors: Sequence[Mapping[str, Any]], *, batched: bool) -> str:
    """Return the list of inputs or outputs; where the server adds the batch, its axis is left out."""
    entries = []
    for tensor in tensors:
        shape = tensor["shape"][1:] if batched else tensor["shape"]
        dims = ", ".join(str(axis if isinstance(axis, int) else -1) for axis in shape)
        kinds = DATA_TYPES[tensor["dtype"]]
        entries.append(f'  {{\n    name: "{tensor["name"]}"\n    data_type: {kinds}\n    dims: [ {dims} ]\n  }}')
    return f"{kind} [\n" + ",\n".join(entries) + "\n]\n"
