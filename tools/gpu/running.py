"""Loading a model in one of the ways, as a function from inputs to outputs, both in host memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from tools.gpu.plan import GOAL, Way, fixed_sizes, profile_for

Inputs = Mapping[str, np.ndarray]
Run = Callable[[Inputs], Mapping[str, np.ndarray]]

DTYPES = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}

#: Shapes that torch.compile may compile anew for before it gives up and runs eagerly.
_COMPILED_SHAPES = 128


def open_way(
    way: Way,
    precision: str,
    *,
    shapes: Sequence[tuple[int, int]],
    model: str,
    device: str,
    scratch: Path,
    stack: ExitStack,
) -> Run:
    """Return what runs a question-answering model.

    Args:
        way: Which way.
        precision: ``fp32``, ``fp16`` or ``bf16``.
        shapes: Batch and sequence of all that will be run.
        model: Directory of the checkpoint.
        device: ``cuda`` or ``cpu``.
        scratch: Where an artifact is exported to.
        stack: Closes what was opened.
    """
    if way.target is None:
        return _eager(precision, model, device, compiled=way.name == "torch.compile")
    from albert_export import export, load
    from albert_export.engines.options import EngineOptions
    from albert_export.targets import get_target
    from albert_export.tasks import get_task

    fixed = fixed_sizes(
        way, get_task("question-answering").dynamic_axes, dict(zip(("batch", "sequence"), GOAL, strict=True))
    )
    out = scratch / f"{way.name}-{precision}".replace(" ", "-")
    options: dict[str, Any] = {"precision": precision, "parity": False, **fixed}
    if get_target(way.target).built_on_device:  # an engine takes the shapes that it is built for, and no others
        options["engine"] = EngineOptions(profiles=(profile_for(shapes),))
    bundle = export(way.target, model=model, task="question-answering", out=out, **options)
    runtime = stack.enter_context(
        load(bundle, target=way.target, precision=precision, device=device, runtime=way.runtime)
    )
    hold_to(way, runtime)
    return lambda inputs: runtime.run(**inputs)


def hold_to(way: Way, runtime: Any) -> None:
    """Raise where a runtime is not what the way is called after: its figures would stand under a wrong name.

    Raises:
        ValueError: It runs elsewhere, or its runs are not captured.
    """
    if way.captured and not runtime.cuda_graph:
        raise ValueError("runs are not captured as a CUDA graph; fix: see what albert_export.runtimes logs at INFO")


def own_cache(scratch: Path) -> None:
    """Have this process keep what it compiles and builds in a folder that is removed with the rest.

    What an earlier run kept would be in the figures otherwise, and gigabytes of engines in the user's own cache.
    """
    os.environ["ALBERT_EXPORT_CACHE"] = str(scratch / "cache")


def built_engines(scratch: Path) -> set[Path]:
    """Return the engines that ONNX Runtime had TensorRT build so far; see :func:`own_cache`."""
    return set((scratch / "cache").rglob("*.engine"))


def _eager(precision: str, model: str, device: str, *, compiled: bool) -> Run:
    import torch

    from albert_export.checkpoints import open_checkpoint
    from albert_export.models.torch_loading import load_eager
    from albert_export.tasks import get_task

    # As in all other ways here: fp32 is fp32.
    torch.backends.cuda.matmul.allow_tf32 = False
    task = get_task("question-answering")
    checkpoint = open_checkpoint(model, task=task)
    eager: Any = load_eager(checkpoint, task, dtype=DTYPES[precision])[0].to(device)
    if compiled:
        import torch._dynamo

        torch._dynamo.config.recompile_limit = _COMPILED_SHAPES
        # For one shape each: with symbolic shapes, which it would turn to at the second one, its kernels are slower.
        eager = torch.compile(eager, dynamic=False)
    names = [spec.name for spec in task.outputs]

    def run(inputs: Inputs) -> Mapping[str, np.ndarray]:
        with torch.inference_mode():
            given = {name: torch.from_numpy(array).to(device) for name, array in inputs.items()}
            found = eager(**given, return_dict=True)
            return {name: found[name].float().cpu().numpy() for name in names}

    return run
