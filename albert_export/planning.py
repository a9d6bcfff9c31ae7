"""What an engine would be, found out where it cannot be built: the network, its shapes, its memory, the command."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from albert_export._imports import require, resolve
from albert_export._progress import silent
from albert_export._text import human_size, table
from albert_export.checkpoints import Checkpoint, check_finite, open_checkpoint
from albert_export.engines.options import EngineOptions
from albert_export.engines.profiles import Profile, parse_profiles
from albert_export.engines.support import NEWEST, Release, release_of
from albert_export.engines.trtexec import trtexec_command
from albert_export.errors import InputError
from albert_export.export_options import (
    check_by_part,
    check_engine_options,
    fixed_sizes,
    inputs_to_calibrate_on,
    one_of,
    texts_to_calibrate_on,
)
from albert_export.parts import check_parts
from albert_export.positions import check_target_chooses
from albert_export.targets import FRAMEWORKS, check_precision, get_target
from albert_export.tasks import get_task

if TYPE_CHECKING:
    from albert_export.graphs.tensorrt_plan import NetworkPlan

#: What the plan is of: the one target whose artifacts are built on their device.
_TARGET = "tensorrt"


@dataclass(frozen=True)
class EnginePlan:
    """The plan of an engine.

    Attributes:
        task: Canonical name of the head.
        source: Name of the checkpoint.
        precision: Of the network.
        layers: ``rolled`` or ``unrolled``.
        release: Row of the TensorRT that it is for.
        profiles: Shapes that the engine takes.
        network: What was found in the network.
        file: The network's ONNX file, where it was written; the name that ``trtexec`` would be given otherwise.
        written: Whether it was.
        trtexec: The command that builds the same engine from it.
    """

    task: str
    source: str
    precision: str
    layers: str
    release: Release
    profiles: tuple[Profile, ...]
    network: NetworkPlan
    file: str
    written: bool
    trtexec: str

    @property
    def refused(self) -> bool:
        """Whether TensorRT would refuse the network."""
        return bool(self.network.refused)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return {
            "task": self.task,
            "source": self.source,
            "precision": self.precision,
            "layers": self.layers,
            "tensorrt": asdict(self.release),
            "profiles": [profile.to_dict() for profile in self.profiles],
            "network": self.network.to_dict(),
            "file": self.file,
            "written": self.written,
            "trtexec": self.trtexec,
        }


def plan_engine(
    *,
    model: str | os.PathLike[str] | Checkpoint | None = None,
    task: str,
    precision: str | None = None,
    layers: str | None = None,
    batch: int | None = None,
    sequence: int | None = None,
    choices: int | None = None,
    calibrate: str | os.PathLike[str] | None = None,
    quantize: str | Sequence[str] | None = None,
    engine: EngineOptions | None = None,
    tensorrt: str | None = None,
    save_network: str | os.PathLike[str] | None = None,
    positions: bool = False,
    allow_random_head: bool = False,
    revision: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    local_files_only: bool = False,
    token: str | bool | None = None,
    progress: Callable[[str], None] | None = None,
) -> EnginePlan:
    """Make the network that TensorRT would be given, and tell what it would make of it.

    Neither TensorRT nor a GPU is needed. A network that TensorRT would refuse is told in the plan, and is no exception;
    :meth:`albert_export.graphs.tensorrt_plan.NetworkPlan.check` raises.

    Args:
        model: Checkpoint, as for :func:`albert_export.export`.
        task: Name or alias of the head.
        precision: ``fp32``, ``fp16``, ``bf16`` or ``int8``; None for the first.
        layers: ``rolled`` or ``unrolled``; None for the default of the precision.
        batch: Fixed number of rows; None for the range of the profiles.
        sequence: Fixed number of tokens; None likewise.
        choices: Fixed number of choices; None likewise.
        calibrate: Texts that int8 is calibrated on; None for those that come with the package.
        quantize: The parts that int8 is for; None for all.
        engine: Profiles, and how the engine would be built.
        tensorrt: Version of TensorRT, e.g. ``10`` or ``11.2``; None for the newest in the table.
        save_network: Where to write the network as ONNX; None to write nothing.
        positions: Whether logits are computed at chosen positions only; no TensorRT artifact has them.
        allow_random_head: Whether a head that the checkpoint lacks may be filled freshly.
        revision: Branch, tag or commit of a hub repository.
        cache_dir: Where downloads are kept.
        local_files_only: Never use the network.
        token: Token for private repositories.
        progress: Gets a line as each stage begins.

    Raises:
        UnknownNameError: No task, precision or layers of that name.
        InputError: A profile or another option breaks its rule, the version has no row, or ``save_network`` exists.
        CheckpointError: The checkpoint cannot be found or read, lacks the head, or holds NaN or infinity.
        ExportError: Tracing or a pass failed.
        MissingDependencyError: A package is not installed; the message names the extra.
    """
    from albert_export.tokenization import find_tokenizer

    say = progress or silent
    target, task_row = get_target(_TARGET), get_task(task)
    if positions:
        check_target_chooses(target)
    precision = check_precision(target, precision)
    if layers is None:
        layers = target.layers_of.get(precision)
    layers = one_of("layers", layers, target.layers)
    release = NEWEST if tensorrt is None else release_of(tensorrt)
    texts = texts_to_calibrate_on(target, precision, calibrate)
    if quantize is not None:
        check_by_part(target, precision)
    parts = check_parts(quantize)
    network_file = None if save_network is None else Path(save_network)
    if network_file is not None and (network_file.exists() or not network_file.absolute().parent.is_dir()):
        raise InputError(
            "the network must be written to a new file in a folder that is there",
            received=str(network_file),
            fix="name another",
        )
    checkpoint = open_checkpoint(
        model,
        task=task_row,
        revision=revision,
        cache_dir=cache_dir,
        local_files_only=local_files_only,
        token=token,
        progress=progress,
    )
    sizes = fixed_sizes(task_row, checkpoint, {"batch": batch, "choices": choices, "sequence": sequence})
    options = check_engine_options(target, engine, task_row, checkpoint, sizes)["engine"]
    profiles = parse_profiles(
        options.profiles, task_row, longest=checkpoint.config.max_position_embeddings, sizes=sizes
    )
    check_finite(checkpoint, task_row)
    build_network = resolve("albert_export.graphs.tensorrt_network:build_network")
    plan_network = resolve("albert_export.graphs.tensorrt_plan:plan_network")
    calibration = None
    if texts is not None:
        require("onnxruntime", needed_for="calibrating int8", extra="onnxruntime")
        tokenizer = find_tokenizer(checkpoint.directory, config=checkpoint.config)
        calibration = inputs_to_calibrate_on(texts, tokenizer, task_row, sizes, say)
    load_eager = resolve(f"{FRAMEWORKS[target.framework].module}:load_eager")
    eager, fresh = load_eager(checkpoint, task_row, allow_random_head=allow_random_head)
    if fresh:
        say(f"warning: the checkpoint lacks {', '.join(fresh)}: filled freshly, train them before use")
    network = build_network(
        eager,
        task_row,
        precision=precision,
        layers=layers,
        parts=parts,
        sizes=sizes,
        calibration=calibration,
        metadata={"checkpoint": checkpoint.source.name, "checkpoint_sha256": checkpoint.source.sha256},
        progress=say,
    )
    say("reading the network as TensorRT would")
    found = plan_network(network.described(), profiles, release)
    if network_file is not None:
        network.write(network_file)
    engine_name = Path(target.place.format(form="" if precision == "fp32" else f"_{precision}")).name
    file = str(network_file) if network_file is not None else f"{Path(engine_name).stem}.onnx"
    return EnginePlan(
        task=task_row.name,
        source=checkpoint.source.name,
        precision=precision,
        layers=layers,
        release=release,
        profiles=profiles,
        network=found,
        file=file,
        written=network_file is not None,
        trtexec=trtexec_command(
            file,
            engine_name,
            inputs=[spec.name for spec in task_row.inputs],
            profiles=profiles,
            options=options,
            release=release,
            dynamic=any(sizes[axis] is None for axis in task_row.dynamic_axes),
        ),
    )


def render(plan: EnginePlan) -> str:
    """Return a plan as text for a person."""
    network = plan.network
    lines = [
        f"{plan.task} of {plan.source} for TensorRT {plan.release.major}: {plan.precision}, {plan.layers} layers",
        f"  operators read in {plan.release.source}",
        "",
        table(_profile_rows(plan), header=("profile", "axes", "min", "opt", "max")),
        "",
        table(_operator_rows(network), header=("operator", "nodes", "takes", "gives", "TensorRT", "")),
        "",
        *(f"loop {name}: its body runs {trips} times" for name, trips in network.loops.items()),
        *_io_lines("input", network.inputs),
        *_io_lines("output", network.outputs),
        "",
        *_memory_lines(plan),
        "",
        f"{plan.file} is the network that this command takes:"
        if plan.written
        else f"--save-network {plan.file} writes the network that this command takes:",
        plan.trtexec,
    ]
    lines += ["", *(f"REFUSED: {refusal}" for refusal in network.refused)] if network.refused else []
    return "\n".join(lines)


def _profile_rows(plan: EnginePlan) -> Iterator[tuple[str, ...]]:
    for index, profile in enumerate(plan.profiles):
        yield str(index), "x".join(profile.axes), *("x".join(map(str, sizes)) for sizes in profile.shapes)


def _operator_rows(network: NetworkPlan) -> Iterator[tuple[str, ...]]:
    for use in network.uses:
        verdict = "yes" if use.supported else "NO"
        yield use.operator, str(use.nodes), _listed(use.inputs), _listed(use.outputs), verdict, use.restrictions


def _listed(types: tuple[str, ...]) -> str:
    return ", ".join(types) or "-"


def _io_lines(kind: str, types: Mapping[str, str]) -> Iterator[str]:
    for name, dtype in types.items():
        yield f"{kind} {name} {dtype}"


def _memory_lines(plan: EnginePlan) -> Iterator[str]:
    memory = plan.network.memory
    shape = "x".join(map(str, memory.shape))
    yield (
        f"weights: {human_size(memory.weights_once)} stored once, as a loop reads them; up to "
        f"{human_size(memory.weights_each_use)} where every product of unrolled layers packs its own"
    )
    yield (
        f"activations at {shape}: {human_size(memory.activations)} at most, fusion aside, rolled or unrolled; "
        f"inputs and outputs: {human_size(memory.inputs_and_outputs)}"
    )
