"""``--positions``: where it is shown, and what is said where it cannot be had."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Invoke
from tests.cli.test_program import error_line

MODEL = ("--model", "albert-seeded")


def test_the_artifact_is_named_and_described(invoke: Invoke, tmp_path: Path) -> None:
    out = tmp_path / "mlm"
    result = invoke(
        "onnx",
        "--task",
        "mlm",
        *MODEL,
        "--out",
        out,
        "--precision",
        "int8",
        "--positions",
        "--no-parity",
        "-q",
        "--json",
    )
    assert result.exit_code == 0, result.stderr
    (artifact,) = json.loads(result.stdout)["artifacts"]
    assert artifact["file"] == "onnx/model_int8_positions.onnx"
    assert artifact["inputs"][-1] == {"name": "positions", "dtype": "int64", "shape": ["batch", "positions"]}
    told = invoke("run", out, "--text", "the city by the [MASK].")
    assert told.exit_code == 0, told.stderr


def test_the_help_shows_it_where_it_can_be_had(invoke: Invoke) -> None:
    assert "--positions" in invoke("onnx", "--help").stdout
    assert "--positions" not in invoke("tflite", "--help").stdout


@pytest.mark.parametrize("target", ["savedmodel", "tflite", "stablehlo"])
def test_other_targets_name_the_one_that_can(invoke: Invoke, target: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = invoke(target, "--task", "mlm", *MODEL, "--out", out, "--positions")
    assert result.exit_code == 2
    line = error_line(result.stderr)
    assert "artifacts compute every position; received positions; fix: export to ONNX, or leave" in line
    assert not out.exists()


def test_other_heads_have_none(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("onnx", "--task", "qa", *MODEL, "--out", tmp_path / "out", "--positions")
    assert result.exit_code == 2
    assert error_line(result.stderr).startswith("positions are chosen for fill-mask, whose output is as wide")
