"""THE TABLE of targets: which emitter makes an artifact, which runtime runs it, what each needs installed."""

from __future__ import annotations

from dataclasses import dataclass

from albert_export.errors import UnknownNameError

#: Precisions in the order in which they are listed, with the suffix of the artifact's file name.
PRECISIONS: dict[str, str] = {"fp32": "", "fp16": "_fp16", "bf16": "_bf16", "int8": "_int8", "int4": "_q4"}


@dataclass(frozen=True)
class Target:
    """One kind of artifact.

    Attributes:
        name: The sub-command and the value of ``target=``.
        folder: Directory inside the bundle.
        suffix: Ending of the artifact's file name.
        emitter: ``module:function`` that writes the artifact.
        runtime: ``module:class`` that runs it.
        precisions: Precisions it can be exported in, the default first.
        layers: Forms of the shared layer it can be exported in, the default (the benchmark's winner) first.
        devices: Devices its runtime knows, besides ``auto``.
        build_extra: Extra that brings what export needs.
        run_extra: Extra that brings what the runtime needs.
    """

    name: str
    folder: str
    suffix: str
    emitter: str
    runtime: str
    precisions: tuple[str, ...]
    layers: tuple[str, ...]
    devices: tuple[str, ...]
    build_extra: str
    run_extra: str


TARGETS: tuple[Target, ...] = (
    Target(
        name="onnx",
        folder="onnx",
        suffix=".onnx",
        emitter="albert_export.graphs.onnx_emitter:emit_onnx",
        runtime="albert_export.runtimes.onnxruntime_runtime:OnnxRuntime",
        precisions=("fp32",),
        layers=("rolled", "unrolled"),
        devices=("cpu", "cuda"),
        build_extra="onnx",
        run_extra="onnxruntime",
    ),
)


def get_target(name: str) -> Target:
    """Return the target of that name.

    Raises:
        UnknownNameError: No target has the name; the message names the nearest.
    """
    for target in TARGETS:
        if target.name == name:
            return target
    raise UnknownNameError("target", name, [target.name for target in TARGETS])
