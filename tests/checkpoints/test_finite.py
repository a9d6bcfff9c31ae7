"""Weights that are no numbers: found in what the head takes, named, and refused by every export before it begins."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from albert_export.checkpoints import check_finite, open_checkpoint, parameters, write_safetensors
from albert_export.errors import CheckpointError
from albert_export.exporting import export
from albert_export.targets import TARGETS
from albert_export.tasks import get_task
from tests.checkpoints.tiny import tiny_config

QA = get_task("question-answering")
FFN = "albert.encoder.albert_layer_groups.0.albert_layers.0.ffn.weight"


def write(directory: Path, **broken: float) -> Path:
    """Write a question-answering checkpoint; ``broken`` holds what the first number of a weight becomes."""
    config = tiny_config()
    tensors = {name: np.ones(shape, np.float64) for name, shape in parameters(config, QA).items()}
    tensors["sop_classifier.classifier.weight"] = np.ones((2, config.hidden_size), np.float64)
    for name, number in broken.items():
        tensors[name].flat[0] = number
    directory.mkdir()
    config.save_pretrained(directory)
    write_safetensors(directory / "model.safetensors", tensors)
    return directory


def test_a_whole_checkpoint_passes_and_what_another_head_takes_is_left_alone(tmp_path: Path) -> None:
    write(tmp_path / "whole", **{"sop_classifier.classifier.weight": np.nan})
    check_finite(open_checkpoint(tmp_path / "whole"), QA)


@pytest.mark.parametrize(
    ("number", "told"), [(np.nan, "1 NaN"), (np.inf, "1 infinite"), (-np.inf, "1 infinite"), (1e300, "1 infinite")]
)
def test_the_weights_are_named_with_how_many_numbers_they_spoil(tmp_path: Path, number: float, told: str) -> None:
    write(tmp_path / "broken", **{FFN: number, "qa_outputs.bias": np.nan})
    with pytest.raises(CheckpointError, match="weights must be finite in float32") as caught:
        check_finite(open_checkpoint(tmp_path / "broken"), QA)
    assert f"received {FFN} ({told} of " in str(caught.value)
    assert "qa_outputs.bias (1 NaN of 2 numbers); fix:" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_of_many_weights_the_first_are_named(tmp_path: Path) -> None:
    names = list(parameters(tiny_config(), QA))
    write(tmp_path / "broken", **dict.fromkeys(names, np.nan))
    with pytest.raises(CheckpointError, match=f" and {len(names) - 8} more; fix:") as caught:
        check_finite(open_checkpoint(tmp_path / "broken"), QA)
    assert str(caught.value).count("1 NaN of") == 8


@pytest.mark.parametrize(
    ("target", "precision"), [(target.name, precision) for target in TARGETS for precision in target.precisions]
)
def test_every_export_refuses_it_and_leaves_nothing(tmp_path: Path, target: str, precision: str) -> None:
    write(tmp_path / "broken", **{FFN: np.nan})
    with pytest.raises(CheckpointError, match=f"{FFN} .1 NaN of"):
        export(target, model=tmp_path / "broken", task="qa", out=tmp_path / "out", precision=precision, parity=False)
    assert [path.name for path in tmp_path.iterdir()] == ["broken"]
