"""Tiny eager TensorFlow models and LiteRT runs of what becomes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from albert_export import AlbertConfig
from albert_export.models import tf_albert
from albert_export.models.tf_layers import named_weights
from albert_export.tasks import Task

TINY = {
    "vocab_size": 200,
    "embedding_size": 16,
    "hidden_size": 32,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "num_hidden_layers": 4,
    "max_position_embeddings": 24,
    "initializer_range": 0.2,
}

#: Batch, choices, sequence: one, the maximum, and odd ones.
SHAPES = ((1, 1, 1), (2, 3, 16), (3, 2, 24), (1, 2, 7))


def tiny_model(task: Task, *, seed: int = 7, **changes: Any) -> Any:
    labels = {"num_labels": 2 if task.name == "question-answering" else 3}
    model = getattr(tf_albert, task.tensorflow_class)(AlbertConfig(**{**TINY, **labels, **changes}))
    generator = np.random.default_rng(seed)
    for _, variable in named_weights(model):
        spread = 0.2 if len(variable.shape) == 2 else 0.1
        # Around ones for normalisations: a graph that drops or swaps vectors cannot pass unseen.
        variable.assign(generator.normal(float(len(variable.shape) == 1), spread, variable.shape).astype(np.float32))
    return model


def inputs(task: Task, batch: int, choices: int, sequence: int) -> dict[str, np.ndarray]:
    sizes = {"batch": batch, "choices": choices, "sequence": sequence}
    shape = [sizes[str(axis)] for axis in task.inputs[0].axes]
    generator = np.random.default_rng(batch + 10 * choices + 100 * sequence)
    mask = np.ones(shape, dtype=np.int32)
    mask[0, ..., sequence // 2 + 1 :] = 0
    return {
        "input_ids": generator.integers(5, TINY["vocab_size"], shape, dtype=np.int32),
        "attention_mask": mask,
        "token_type_ids": generator.integers(0, 2, shape, dtype=np.int32),
    }


def eager_outputs(model: Any, task: Task, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
    outputs = model(**{name: tf.constant(array) for name, array in feed.items()})
    return [np.asarray(outputs[spec.name]) for spec in task.outputs]


def litert_outputs(path: Path, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=1)
    indices = {detail["name"]: detail["index"] for detail in interpreter.get_input_details()}
    for name, array in feed.items():
        interpreter.resize_tensor_input(indices[name], array.shape)
    interpreter.allocate_tensors()
    for name, array in feed.items():
        interpreter.set_tensor(indices[name], array)
    interpreter.invoke()
    return [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]


def worst_relative_error(found: list[np.ndarray], expected: list[np.ndarray]) -> float:
    errors = []
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        errors.append(float(np.abs(one - other).max() / np.sqrt(np.mean(other.astype(np.float64) ** 2))))
    return max(errors)
