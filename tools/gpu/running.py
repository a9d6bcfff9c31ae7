"""Loading a model in one of the ways, as a function from inputs to outputs, both in host memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from tools.gpu.plan import GOAL, Way

Inputs = Mapping[str, np.ndarray]
Run = Callable[[Inputs], Mapping[str, np.ndarray]]

DTYPES = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}

#: Shapes that torch.compile may compile anew for before it gives up and runs eagerly.
_COMPILED_SHAPES = 128


def open_way(way: Way, precision: str, *, model: str, device: str, scratch: Path, stack: ExitStack) -> Run:
    """Return what runs a question-answering model.

    Args:
        way: Which way.
        precision: ``fp32``, ``fp16`` or ``bf16``.
        model: Directory of the checkpoint.
        device: ``cuda`` or ``cpu``.
        scratch: Where an artifact is exported to.
        stack: Closes what was opened.
    """
    if way.target is None:
        return _eager(precision, model, device, compiled=way.name == "torch.compile")
    from albert_export import export, load

    fixed: dict[str, Any] = {}
    if way.captured:
        fixed = {"layers": "unrolled", "batch": GOAL[0], "sequence": GOAL[1]}
    out = scratch / f"{way.name}-{precision}".replace(" ", "-")
    bundle = export(
        way.target, model=model, task="question-answering", out=out, precision=precision, parity=False, **fixed
    )
    runtime = stack.enter_context(
        load(bundle, target=way.target, precision=precision, device=device, runtime=way.runtime)
    )
    return lambda inputs: runtime.run(**inputs)


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
