"""The eager PyTorch model on the device against itself in float64 on the CPU."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from albert_export.checkpoints import Checkpoint
from albert_export.parity.criteria import criterion_for
from albert_export.tasks import Task

Arrays = Mapping[str, np.ndarray]


def judge(outputs: Arrays, truth: Arrays, noise: Arrays, precision: str) -> tuple[bool, float]:
    """Return whether outputs meet the criterion of their precision, and the worst signal-to-noise ratio in dB.

    Args:
        outputs: What the device gave.
        truth: In float64.
        noise: What the CPU gives in float32: its error is that of the framework itself.
        precision: ``fp32``, ``fp16`` or ``bf16``.
    """
    criterion = criterion_for(precision)
    passes, worst = True, float("inf")
    for name, true in truth.items():
        error = np.asarray(outputs[name], np.float64) - true
        if not np.isfinite(error).all():
            return False, float("-inf")
        spread = float(np.sqrt(np.mean((true - true.mean()) ** 2)))
        size = float(np.sqrt(np.mean(error**2)))
        snr = float("inf") if size == 0 else 20 * np.log10(max(spread, 1e-30) / size)
        worst = min(worst, float(snr))
        if criterion.least_snr_db is None:
            e0 = float(np.abs(np.asarray(noise[name], np.float64) - true).max())
            scale = float(np.sqrt(np.mean(true**2)))
            passes &= float(np.abs(error).max()) <= criterion.noise_factor * e0 + criterion.scale_factor * scale
        else:
            passes &= snr >= criterion.least_snr_db
    return bool(passes), worst


def check_eager(
    checkpoint: Checkpoint, task: Task, precision: str, device: str, *, allow_random_head: bool, seed: int = 0
) -> tuple[bool, float]:
    """Run the eager model on the device, and judge it; see :func:`judge`."""
    import torch

    from albert_export.bench.shapes import Shape, make_inputs
    from albert_export.models.torch_loading import load_eager

    config = checkpoint.config
    choices = 2 if "choices" in task.dynamic_axes else None
    shape = Shape(4, min(64, config.max_position_embeddings), padded=True)
    inputs = make_inputs(shape, vocabulary=config.vocab_size, choices=choices, seed=seed)

    def run(dtype: str, place: str) -> dict[str, Any]:
        model = load_eager(checkpoint, task, dtype=dtype, allow_random_head=allow_random_head)[0].to(place)
        with torch.inference_mode():
            given = {name: torch.from_numpy(array).to(place) for name, array in inputs.items()}
            found = model(**given, output_attentions=False, output_hidden_states=False, return_dict=True)
        return {spec.name: found[spec.name].to("cpu", torch.float64).numpy() for spec in task.outputs}

    torch.backends.cuda.matmul.allow_tf32 = False
    dtypes = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}
    return judge(run(dtypes[precision], device), run("float64", "cpu"), run("float32", "cpu"), precision)
