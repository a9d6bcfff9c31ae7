"""Tiny eager Flax models, and runs of what becomes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict
from jax import export

from albert_export import AlbertConfig
from albert_export.checkpoints.safetensors_file import numpy_tensors
from albert_export.models import flax_albert
from albert_export.models.flax_loading import run_eager
from albert_export.tasks import Task
from tests.graphs.noise import signal_to_noise
from tests.graphs.tf_models import TINY, inputs, worst_relative_error

__all__ = ["SHAPES", "call", "eager_outputs", "inputs", "signal_to_noise", "tiny_model", "worst_relative_error"]

#: Batch, choices, sequence: one, and the maximum of all. Each is a compilation.
SHAPES = ((1, 1, 1), (2, 3, 24))


def tiny_model(task: Task, *, seed: int = 7, **changes: Any) -> Any:
    labels = {"num_labels": 2 if task.name == "question-answering" else 3}
    config = AlbertConfig(**{**TINY, **labels, **changes})
    model = getattr(flax_albert, task.flax_class)(config, _do_init=False)
    generator = np.random.default_rng(seed)
    shapes = flatten_dict(model.params_shape_tree, sep="/")
    # Around ones for vectors: a graph that drops or swaps them cannot pass unseen.
    drawn = {
        path: generator.normal(float(len(shape.shape) == 1), 0.2 if len(shape.shape) == 2 else 0.1, shape.shape)
        for path, shape in shapes.items()
    }
    model.hold(unflatten_dict({path: jax.numpy.asarray(array, "float32") for path, array in drawn.items()}, sep="/"))
    return model


def eager_outputs(model: Any, task: Task, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
    outputs = run_eager(model, feed)
    return [outputs[spec.name] for spec in task.outputs]


def call(path: Path, task: Task, feed: dict[str, np.ndarray], *, weights: str | None = "weights.safetensors") -> Any:
    """Call an artifact as anybody with jax and its files would."""
    exported = export.deserialize(bytearray(path.read_bytes()))
    (_, wanted), _ = jax.tree.unflatten(exported.in_tree, exported.in_avals)
    stored = {} if weights is None else numpy_tensors([path.with_name(weights)])
    arrays = {name: jax.numpy.asarray(stored[name], wanted[name].dtype) for name in stored}
    outputs = jax.jit(exported.call)(feed, arrays)
    return [np.asarray(outputs[spec.name]) for spec in task.outputs]
