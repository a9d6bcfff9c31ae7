"""The TensorRT target: a traced model becomes a typed network, and that an engine for this machine's GPU."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from albert_export.engines.facts import KEY, EngineFacts
from albert_export.engines.options import EngineOptions
from albert_export.engines.profiles import parse_profiles
from albert_export.graphs.emitted import Emitted, described
from albert_export.graphs.onnx_calibration import Feed
from albert_export.graphs.onnx_emitter import package_versions
from albert_export.graphs.sharing import Sharing
from albert_export.graphs.tensorrt_build import Builder, build_engine, check_buildable, open_builder
from albert_export.graphs.tensorrt_network import OPSET, build_network
from albert_export.graphs.tensorrt_plan import plan_network
from albert_export.graphs.tracing import Trace
from albert_export.parts import PARTS
from albert_export.tasks import Task

if TYPE_CHECKING:
    from torch import nn


def emit_tensorrt(
    model: nn.Module,
    task: Task,
    path: Path,
    *,
    precision: str = "fp32",
    layers: str = "rolled",
    parts: Sequence[str] = PARTS,
    sizes: Mapping[str, int | None] | None = None,
    calibration: Iterable[Feed] | None = None,
    metadata: Mapping[str, str] | None = None,
    engine: EngineOptions | None = None,
    traced: Trace | None = None,
    builder: Builder | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Emitted:
    """Trace ``model`` and build an engine.

    Args:
        model: An eager torch ALBERT with the task's head, in float32.
        task: The task whose inputs and outputs the engine has.
        path: The file to make; it must not exist.
        precision: ``fp32``, ``fp16``, ``bf16`` or ``int8``.
        layers: ``rolled`` or ``unrolled``.
        parts: With int8: what the integers are for, of :data:`albert_export.parts.PARTS`.
        sizes: Fixed size of a dynamic axis; absent or None takes the range of the profiles.
        calibration: For int8: inputs by name, int64.
        metadata: Entries of the network's ``metadata_props``.
        engine: Profiles, and how it is built.
        traced: What an earlier call returned for the same model, task, layers and sizes.
        builder: What builds it; this machine's by default.
        progress: Gets a line as each stage begins.

    Raises:
        MissingDependencyError: Polygraphy or tensorrt is not installed.
        DeviceError: TensorRT's libraries or a GPU are not there, or it is too old for what is asked.
        InputError: A profile breaks its rule, or no chosen part has anything to quantise.
        ExportError: The model cannot be traced or typed, or TensorRT does not build it.
    """
    options = engine or EngineOptions()
    sizes = dict(sizes or {})
    config: Any = model.config
    profiles = parse_profiles(options.profiles, task, longest=config.max_position_embeddings, sizes=sizes)
    builder = builder or open_builder()
    check_buildable(builder, precision, options)
    network = build_network(
        model,
        task,
        precision=precision,
        layers=layers,
        parts=parts,
        sizes=sizes,
        calibration=calibration,
        metadata=metadata,
        traced=traced,
        progress=progress,
    )
    plan = plan_network(network.described(), profiles, builder.release)
    plan.check(builder.release)
    place = builder.place
    progress(f"building with TensorRT {place.tensorrt} on {place.gpu}: minutes, or seconds with --timing-cache")
    with tempfile.TemporaryDirectory() as directory:
        onnx_path = Path(directory, "network.onnx")
        network.write(onnx_path)
        data = build_engine(
            builder,
            onnx_path,
            inputs=[spec.name for spec in task.inputs],
            profiles=profiles,
            options=options,
            dynamic=any(sizes.get(axis) is None for axis in task.dynamic_axes),
        )
    path.write_bytes(data)
    facts = EngineFacts(place, options.version_compatible, options.hardware_compatible)
    return Emitted(
        files=(path,),
        opset=None,
        inputs=tuple(described(spec, config, network.traced.sizes) for spec in task.inputs),
        outputs=tuple(described(spec, config, network.traced.sizes) for spec in task.outputs),
        # Told, and not held to the guarantee: what an engine packs is TensorRT's.
        sharing=Sharing(network.unique, network.stored, max(0, len(data) - network.stored)),
        versions={**package_versions(), **builder.versions},
        facts={
            KEY: facts.to_dict(),
            "profiles": [profile.to_dict() for profile in profiles],
            "network_opset": OPSET,
            "operators": {use.operator: use.nodes for use in plan.uses},
            "loops": [f"{name} x {trips}" for name, trips in plan.loops.items()],
            "passes": list(network.passes),
            **({"quantized": list(network.quantized)} if network.quantized else {}),
        },
        traced_sizes=dict(network.traced.traced_sizes),
        quantized_bytes=network.quantized,
        traced=network.traced,
    )
