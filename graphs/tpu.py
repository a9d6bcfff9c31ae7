"""Compiling for a TPU on a machine that has none: what libtpu says of memory, and what a run would take.

A topology stands for the TPU (``jax.experimental.topologies``): libtpu compiles for it, and nothing is run.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from albert_export._imports import require
from albert_export._native_noise import caught_stderr
from albert_export.errors import ExportError, UnknownNameError
from albert_export.graphs.jax_tracing import JaxTrace, jax, traceable

#: What is compiled where the export fixes no size: programs of a TPU have one shape.
DEFAULT_SIZES = {"batch": 1, "choices": 2, "sequence": 128}

#: A TPU multiplies bfloat16. For a product of float32 numbers in full each is split in three, and the six products
#: that count are added up: https://arxiv.org/abs/1904.06376
_PASSES = {"float32": 6}


@dataclass(frozen=True)
class Chip:
    """One chip, as Google publishes it: https://cloud.google.com/tpu/docs/system-architecture-tpu-vm.

    Attributes:
        topology: libtpu's name of a single one.
        flops: Most bfloat16 operations a second.
        bandwidth: Bytes a second between it and its memory.
        memory: Bytes of its memory.
    """

    topology: str
    flops: float
    bandwidth: float
    memory: float


CHIPS: Mapping[str, Chip] = {
    "tpu:v4": Chip("v4:1x1x1", flops=275e12, bandwidth=1228e9, memory=32e9),
    "tpu:v5e": Chip("v5e:1x1", flops=197e12, bandwidth=819e9, memory=16e9),
    "tpu:v5p": Chip("v5p:1x1x1", flops=459e12, bandwidth=2765e9, memory=95e9),
    "tpu:v6e": Chip("v6e:1x1", flops=918e12, bandwidth=1640e9, memory=32e9),
}


def check_chip(name: str) -> None:
    """Check, before anything is traced, that there is a chip of that name, and a compiler for it.

    Raises:
        UnknownNameError: No chip of that name.
        MissingDependencyError: libtpu is not installed.
    """
    if name not in CHIPS:
        raise UnknownNameError("aot", name, tuple(CHIPS))
    require("libtpu", needed_for="compiling for a TPU", extra="tpu")


def compile_for_tpu(
    name: str,
    exported: Any,
    unrolled: JaxTrace,
    *,
    precision: str,
    topology: Callable[[Chip], Any] | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Compile an artifact for a chip, and say what it takes.

    Args:
        name: A key of :data:`CHIPS`, which :func:`check_chip` has let pass.
        exported: The artifact.
        unrolled: The same model with its layers written out: XLA counts a loop's body once, however often it runs, so
            that operations and traffic are those of this form. The memory is the artifact's own.
        precision: Of the artifact.
        topology: Gives the device that stands for the chip; libtpu's by default.
        progress: Gets a line as each stage begins.

    Returns:
        ``chip``; ``sizes`` of the shape; ``flops`` and ``bytes_accessed`` of a run;
        ``argument_bytes``, ``output_bytes``, ``temporary_bytes``, ``code_bytes`` and their sum ``peak_bytes``;
        ``passes`` of the bfloat16 unit for one product; ``estimated_seconds``: the longer of what the chip's published
        peak leaves for the operations and its bandwidth for the bytes, which no run is faster than.

    Raises:
        ExportError: libtpu cannot compile the artifact.
    """
    chip = CHIPS[name]
    topology = topology or _single_chip
    sizes = {axis: size or DEFAULT_SIZES[axis] for axis, size in unrolled.sizes.items()}
    fixed = all(unrolled.sizes.values())
    shape = ", ".join(f"{axis} {size}" for axis, size in sizes.items())
    progress(f"compiling for {name}, {shape}{'' if fixed else ' (chosen: the artifact takes any)'}")
    with traceable(unrolled.task, precision), _as_on_a_tpu_host():
        place = jax.sharding.SingleDeviceSharding(_described(name, topology))
        inputs = {key: _placed(spec, sizes, place) for key, spec in unrolled.inputs.items()}
        weights = {key: _placed(weight, sizes, place) for key, weight in unrolled.weights.items()}
        takes_weights = bool(jax.tree_util.tree_unflatten(exported.in_tree, exported.in_avals)[0][1])
        start = time.perf_counter()
        program = jax.jit(exported.call).lower(inputs, weights if takes_weights else {}).compile()
        seconds = time.perf_counter() - start
        progress(f"compiled for {name} in {seconds:.1f} s; counting operations")
        cost = jax.jit(unrolled.function).lower(inputs, weights).compile().cost_analysis()
    memory = program.memory_analysis()
    figures = {
        "argument_bytes": int(memory.argument_size_in_bytes),
        "output_bytes": int(memory.output_size_in_bytes),
        "temporary_bytes": int(memory.temp_size_in_bytes),
        "code_bytes": int(memory.generated_code_size_in_bytes),
    }
    passes = _PASSES.get(str(next(iter(weights.values())).dtype), 1)
    flops, traffic = float(cost["flops"]), float(cost["bytes accessed"])
    return {
        "chip": name,
        "sizes": sizes,
        "flops": flops,
        "bytes_accessed": traffic,
        **figures,
        "peak_bytes": sum(figures.values()),
        "passes": passes,
        "estimated_seconds": max(flops * passes / chip.flops, traffic / chip.bandwidth),
    }


def _described(name: str, topology: Callable[[Chip], Any]) -> Any:
    try:
        return topology(CHIPS[name])
    except RuntimeError as error:
        raise ExportError(
            f"libtpu must be able to compile for {name}",
            received=str(error).splitlines()[0],
            fix="pip install --upgrade libtpu, or leave aot out",
        ) from error


def _single_chip(chip: Chip) -> Any:
    from jax.experimental import topologies

    bounds = (1, 1, 1)  # a host has four of them by default
    found = topologies.get_topology_desc(platform="tpu", topology_name=chip.topology, chips_per_host_bounds=bounds)
    return found.devices[0]


def _placed(spec: Any, sizes: Mapping[str, int], place: Any) -> Any:
    shape = [size if isinstance(size, int) else sizes[str(size)] for size in spec.shape]
    return jax.ShapeDtypeStruct(shape, spec.dtype, sharding=place)


@contextmanager
def _as_on_a_tpu_host() -> Iterator[None]:
    """Tell libtpu what it would ask its host for, and keep what it says all the same out of the program's output."""
    told = {
        "TPU_SKIP_MDS_QUERY": "1",
        "TPU_ACCELERATOR_TYPE": "v5litepod-1",
        "TPU_WORKER_HOSTNAMES": "localhost",
        "TPU_LOG_DIR": "disabled",
        # Nothing runs on a TPU, so that others may: a lock that a killed process left would hinder every compilation.
        "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
    }
    added = [key for key in told if os.environ.setdefault(key, told[key]) is told[key]]
    failure: ExportError | None = None
    try:
        with caught_stderr() as said:
            try:
                yield
            except ExportError as error:
                failure = error
        if failure is not None:
            if said.text.strip():
                failure.add_note(said.text.strip())
            raise failure
    finally:
        for key in added:
            del os.environ[key]
