"""A tiny checkpoint in ``tf_model.h5``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from albert_export.checkpoints import write_h5
from albert_export.tasks import get_task
from tests.checkpoints.tiny import tiny_config, tiny_tensors

SIX = {"num_hidden_layers": 6, "num_hidden_groups": 2, "inner_group_num": 2}
WORDS = "predictions.bias"


def written(directory: Path, task: str = "fill-mask", **changes: Any) -> tuple[Path, dict[str, np.ndarray]]:
    config = tiny_config(**changes)
    tensors = tiny_tensors(config, task)
    directory.mkdir(parents=True, exist_ok=True)
    config.save_pretrained(directory)
    write_h5(directory / "tf_model.h5", tensors, config=config, architecture=get_task(task).tensorflow_class)
    return directory / "tf_model.h5", tensors
