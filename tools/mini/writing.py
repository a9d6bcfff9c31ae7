"""The files of albert-mini that the package carries."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from albert_export.checkpoints.writing import write_safetensors
from albert_export.tasks import get_task
from tools.mini.eager import OPTIONS, head_weights, task_config
from tools.mini.encoding import TASKS
from tools.mini.model import MiniModel

#: Tasks with a file in ``heads``.
HEADS = TASKS[:-1]
#: Split of the worlds -> end of the file's name.
SPLITS = {"held_out": "", "new_patterns": ".new-patterns"}


def write_items(path: Path, items: Iterable[Mapping[str, Any]]) -> None:
    """Write items as compressed JSON lines; the same items give the same bytes."""
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0, filename="") as file:
        for item in items:
            file.write((json.dumps(item, ensure_ascii=False) + "\n").encode())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(buffer.getvalue())


def read_items(path: Path) -> list[dict[str, Any]]:
    """Return the items of a file that :func:`write_items` wrote."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def held_out_path(directory: Path, task: str, split: str) -> Path:
    """Return where the items of a task and split lie."""
    return directory / "held_out" / f"{task}{SPLITS[split]}.jsonl.gz"


def write_weights(directory: Path, model: MiniModel, figures: Mapping[str, Mapping[str, Any]]) -> None:
    """Write the encoder, its configuration and the heads, in fp16.

    Args:
        directory: Exists, with the tokenizer's files in it.
        model: The trained model.
        figures: Task -> split -> figures, for ``heads/<task>.json``.
    """
    (directory / "heads").mkdir(parents=True, exist_ok=True)
    encoder = {f"albert.{name}": tensor.detach().half() for name, tensor in model.albert.state_dict().items()}
    write_safetensors(directory / "encoder.safetensors", encoder)
    (directory / "config.json").write_text(
        task_config(model.config, "feature-extraction").to_json_string(), encoding="utf-8"
    )
    for task in HEADS:
        weights = {name: tensor.detach().half() for name, tensor in head_weights(model, task).items()}
        if weights:
            write_safetensors(directory / "heads" / f"{task}.safetensors", weights)
        config = task_config(model.config, task)
        described = {
            "architectures": [get_task(task).torch_class],
            "id2label": {str(number): label for number, label in config.id2label.items()},
            **({"task_specific_params": {task: OPTIONS[task]}} if task in OPTIONS else {}),
            "figures": figures.get(task, {}),
        }
        path = directory / "heads" / f"{task}.json"
        path.write_text(json.dumps(described, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
