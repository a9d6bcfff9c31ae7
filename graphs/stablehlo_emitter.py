"""The StableHLO target: an eager Flax model becomes one artifact for CPU, CUDA and TPU.

Beside ``model.jax``, which jax reads, lies portable StableHLO for other readers, one file a platform: the module for
several platforms has a further argument, the platform, that only jax knows. Both take the weights as arguments, from
one safetensors file that all artifacts of a precision share; or they lie in ``model.jax``.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from albert_export._version import __version__
from albert_export.checkpoints.writing import write_safetensors
from albert_export.graphs.emitted import Emitted, described
from albert_export.graphs.jax_tracing import JaxTrace, jax, trace, traceable
from albert_export.graphs.sharing import Sharing
from albert_export.graphs.stablehlo_module import StableHlo, settle, windows
from albert_export.graphs.tpu import check_chip, compile_for_tpu
from albert_export.targets import PRECISIONS
from albert_export.tasks import Task

#: What the artifact is lowered for, as jax calls them.
PLATFORMS = ("cpu", "cuda", "tpu")


def emit_stablehlo(
    model: Any,
    task: Task,
    path: Path,
    *,
    precision: str = "fp32",
    layers: str = "rolled",
    sizes: Mapping[str, int | None] | None = None,
    metadata: Mapping[str, str] | None = None,
    embed_weights: bool = False,
    aot: str | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Emitted:
    """Trace ``model`` and write it for jax and, as portable StableHLO, for others.

    ``model.jax`` is a serialised ``jax.export.Exported``: called with the inputs by name and the weights by canonical
    name, it returns the outputs by name. The functions in ``model.PLATFORM.mlirbc`` take the inputs in the task's
    order, then the weights in the order of their names, and return the outputs in the task's order.

    Args:
        model: An eager Flax ALBERT with the task's head.
        task: The task whose inputs (int32) and outputs (float32) the artifact has.
        path: The ``.jax`` file to make; everything else lies beside it.
        precision: ``fp32``, ``bf16`` or ``fp16``, of weights and arithmetic.
        layers: ``rolled`` or ``unrolled``.
        sizes: Fixed size of a dynamic axis; absent or None stays symbolic.
        metadata: Entries for the header of the weights' file.
        embed_weights: Whether the weights lie in ``model.jax``. Then it is the only file: in each of the others they
            would lie once more.
        aot: ``tpu:v5e``, or another of :data:`albert_export.graphs.tpu.CHIPS`, to compile the artifact for as well; the
            compiler's figures are in ``facts``.
        progress: Gets a line as each stage begins.

    Raises:
        ExportError: The model cannot be traced, lowered, compiled or written, or an argument does not fit.
        SharingError: A weight would be stored more than once.
        MissingDependencyError: ``aot`` needs libtpu.
    """
    if aot is not None:
        check_chip(aot)
    traced = trace(model, task, precision=precision, layers=layers, sizes=sizes or {})
    progress(f"tracing {task.flax_class}, layers {layers}, for {', '.join(PLATFORMS)}")
    files = [path]
    with traceable(task, precision):
        exported, module = _export(traced, embed_weights=embed_weights)
        modules = [module]
        path.write_bytes(exported.serialize())
        if not embed_weights:
            for platform in PLATFORMS:
                portable = _portable(traced, platform)
                modules.append(portable)
                files.append(path.with_name(f"{path.stem}.{platform}.mlirbc"))
                files[-1].write_bytes(portable.bytecode)
    stored = sum(module.constant_bytes for module in modules)
    unique = sum(weight.nbytes for weight in traced.weights.values())
    if not embed_weights:
        weights_file = path.with_name(f"weights{PRECISIONS[precision]}.safetensors")
        progress(f"writing {weights_file.name}")
        _write_weights(weights_file, traced, metadata)
        files.append(weights_file)
        stored += unique
    sharing = Sharing(unique, stored, sum(file.stat().st_size for file in files) - stored)
    sharing.check("writing the artifact")
    facts: dict[str, Any] = {
        "operators": dict(sorted(modules[-1].operators.items())),
        "rolled": layers == "rolled",
        "loops": _loops(model.config) if layers == "rolled" else [],
        "platforms": list(PLATFORMS),
        "weights": None if embed_weights else files[-1].name,
        "readable": windows(
            jax.__version__,
            calling_convention=exported.calling_convention_version,
            stablehlo=modules[-1].version,
        ),
    }
    if aot is not None:
        unrolled = trace(model, task, precision=precision, layers="unrolled", sizes=traced.sizes)
        facts["aot"] = compile_for_tpu(aot, exported, unrolled, precision=precision, progress=progress)
    return Emitted(
        files=tuple(files),
        opset=None,
        inputs=tuple(described(spec, model.config, traced.sizes, "int32") for spec in task.inputs),
        outputs=tuple(described(spec, model.config, traced.sizes) for spec in task.outputs),
        sharing=sharing,
        versions=_versions(),
        facts=facts,
        traced_sizes={},
    )


def _export(traced: JaxTrace, *, embed_weights: bool) -> tuple[Any, StableHlo]:
    """Return the export for all platforms, its module settled."""
    from jax import export

    def serve(inputs: Mapping[str, Any], weights: Mapping[str, Any]) -> dict[str, Any]:
        return traced.function(inputs, embedded if embed_weights else weights)

    embedded = dict(traced.weights) if embed_weights else {}
    arguments = {} if embed_weights else _shapes(traced)
    exported = export.export(jax.jit(serve), platforms=PLATFORMS)(dict(traced.inputs), arguments)
    module = settle(exported.mlir_module_serialized)
    return dataclasses.replace(exported, mlir_module_serialized=module.bytecode), module


def _portable(traced: JaxTrace, platform: str) -> StableHlo:
    """Return the module for one platform, with plain lists of arguments and results."""
    from jax import export

    def main(*tensors: Any) -> tuple[Any, ...]:
        inputs = dict(zip(traced.inputs, tensors[: len(traced.inputs)], strict=True))
        weights = dict(zip(traced.weights, tensors[len(traced.inputs) :], strict=True))
        outputs = traced.function(inputs, weights)
        return tuple(outputs[spec.name] for spec in traced.task.outputs)

    exported = export.export(jax.jit(main, keep_unused=True), platforms=[platform])(
        *traced.inputs.values(), *_shapes(traced).values()
    )
    return settle(exported.mlir_module_serialized, widely=True)


def _shapes(traced: JaxTrace) -> dict[str, Any]:
    return {name: jax.ShapeDtypeStruct(weight.shape, weight.dtype) for name, weight in traced.weights.items()}


def _write_weights(path: Path, traced: JaxTrace, metadata: Mapping[str, str] | None) -> None:
    entries = {"format": "pt", "tool": f"albert-export {__version__}", "task": traced.task.name, **(metadata or {})}
    write_safetensors(path, traced.weights, metadata=entries)


def _loops(config: Any) -> list[str]:
    layers = range(config.num_hidden_layers)
    repeats = Counter(int(layer / (config.num_hidden_layers / config.num_hidden_groups)) for layer in layers)
    return [f"group {group} x {count}" for group, count in sorted(repeats.items())]


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in ("jax", "jaxlib", "flax")}
