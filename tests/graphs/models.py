"""Tiny eager models with weights large enough that a wrong graph cannot pass for a right one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from albert_export import AlbertConfig
from albert_export.models import torch_albert
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


def tiny_model(task: Task, **changes: Any) -> torch.nn.Module:
    config = AlbertConfig(**{**TINY, "num_labels": 2 if task.name == "question-answering" else 3, **changes})
    torch.manual_seed(7)
    model = getattr(torch_albert, task.torch_class)(config)
    # Fresh biases and normalisations are zeros and ones: a graph that drops or swaps them would pass unseen.
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    return model.eval()


def inputs(task: Task, batch: int, choices: int, sequence: int) -> dict[str, np.ndarray]:
    sizes = {"batch": batch, "choices": choices, "sequence": sequence}
    shape = [sizes[str(axis)] for axis in task.inputs[0].axes]
    generator = np.random.default_rng(batch + 10 * choices + 100 * sequence)
    mask = np.ones(shape, dtype=np.int64)
    mask[0, ..., sequence // 2 + 1 :] = 0
    return {
        "input_ids": generator.integers(5, TINY["vocab_size"], shape),
        "attention_mask": mask,
        "token_type_ids": generator.integers(0, 2, shape),
    }


def eager_outputs(model: torch.nn.Module, task: Task, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
    with torch.no_grad():
        outputs = model(**{name: torch.from_numpy(array) for name, array in feed.items()})
    return [outputs[spec.name].numpy() for spec in task.outputs]


def onnx_outputs(path: Path, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return session.run(None, feed)


def worst_relative_error(found: list[np.ndarray], expected: list[np.ndarray]) -> float:
    errors = []
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        errors.append(float(np.abs(one - other).max() / np.sqrt(np.mean(other.astype(np.float64) ** 2))))
    return max(errors)
