"""albert-mini: a small trained ALBERT whose files come with the package: one encoder, and a head for each task.

The weights are stored in float16, and these numbers are the model: float32, which a checkpoint directory has them in,
holds each of them exactly.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from albert_export.checkpoints.names import parameters
from albert_export.checkpoints.safetensors_file import numpy_tensors
from albert_export.checkpoints.writing import safetensors_bytes
from albert_export.config import AlbertConfig
from albert_export.errors import CheckpointError
from albert_export.tasks import Task, get_task

if TYPE_CHECKING:
    import numpy as np

#: Where the package has the files.
FILES = Path(__file__).parent / "mini"

ENCODER = "encoder.safetensors"
TOKENIZER_FILES = ("spiece.model", "tokenizer.json", "tokenizer_config.json")

#: The heads of a checkpoint for no particular task. Three tasks call their weights ``classifier``; multiple choice is
#: the one that needs no labels, so that spans and sentence order, which need two, go with it.
HEADS_WITHOUT_TASK = ("pretraining", "question-answering", "multiple-choice")

#: What a head's JSON file says of the configuration; the rest of it are figures.
_HEAD_FIELDS = ("id2label", "problem_type", "task_specific_params")

README = """# albert-mini

A small ALBERT that albert-export has trained from scratch, on text that it generates itself: sentences about people,
places, jobs, dates, things, shops and feelings in small invented worlds.

It answers questions about such text, and so shows what an export does, and what quantisation costs in answers. It has
seen next to no other text, and is no model for any: neither for your documents nor for comparing models.

License: Apache-2.0.
"""


def mini_files(task: Task | None) -> dict[str, bytes]:
    """Return file name -> contents of a checkpoint directory of albert-mini with the head of ``task``.

    Raises:
        CheckpointError: The package lacks a file of the model, or one is damaged.
    """
    return dict(_files(FILES, None if task is None else task.name))


@cache
def _files(directory: Path, task_name: str | None) -> dict[str, bytes]:
    task = None if task_name is None else get_task(task_name)
    config = _config(directory, task)
    return {
        "README.md": README.encode("utf-8"),
        "config.json": config.to_json_string().encode("utf-8"),
        "model.safetensors": safetensors_bytes(_tensors(directory, config, task)),
        **{name: _read(directory / name) for name in TOKENIZER_FILES},
    }


def _config(directory: Path, task: Task | None) -> AlbertConfig:
    head = {} if task is None else json.loads(_read(directory / "heads" / f"{task.name}.json"))
    return AlbertConfig.from_dict(
        {
            **json.loads(_read(directory / "config.json")),
            "id2label": None,
            "label2id": None,
            **{name: head[name] for name in _HEAD_FIELDS if name in head},
            "torch_dtype": "float32",
            "architectures": ["AlbertModel" if task is None else task.torch_class],
        }
    )


def _tensors(directory: Path, config: AlbertConfig, task: Task | None) -> dict[str, np.ndarray]:
    """Return canonical name -> float32 weight of the encoder, its pooler and the heads."""
    import numpy as np

    found: dict[str, np.ndarray] = {}
    for name in HEADS_WITHOUT_TASK if task is None else ("feature-extraction", task.name):
        needed = parameters(config, get_task(name))
        stored = _stored(directory, name)
        for weight, shape in needed.items():
            if weight not in stored or stored[weight].shape != shape:
                there = "none" if weight not in stored else f"one of shape {list(stored[weight].shape)}"
                raise _damaged(f"{there} for {weight} {list(shape)} of {name}")
            found[weight] = stored[weight].astype(np.float32)
    return found


def _stored(directory: Path, task_name: str) -> Mapping[str, np.ndarray]:
    head = directory / "heads" / f"{task_name}.safetensors"
    try:
        return numpy_tensors([directory / ENCODER, *([head] if task_name != "feature-extraction" else [])])
    except CheckpointError as error:
        raise _damaged(f"{error.rule}, {error.received}") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        if not FILES.is_dir():
            raise CheckpointError(
                "this copy comes without the files of albert-mini",
                received=f"no {FILES.name}/ in the package",
                fix="install albert-export again, or train them in a checkout with: make mini",
            ) from error
        raise _damaged(f"{path.name}: {error.strerror or error}") from error


def _damaged(received: Any) -> CheckpointError:
    return CheckpointError(
        "the files of albert-mini must be those that come with the package",
        received=received,
        fix="install albert-export again",
    )
