"""``albert-export tensorrt``: its plan, where there is neither TensorRT nor a GPU, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest

from albert_export.engines.support import OPERATORS
from tests.cli.conftest import Invoke
from tests.cli.test_program import error_line

COMMON = ("tensorrt", "--task", "qa", "--model", "albert-seeded", "-q")


def test_a_plan_is_printed_and_nothing_is_written(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = invoke(*COMMON, "--plan", "--precision", "fp16", "--profile", "1x16,8x128,32x384", "--tensorrt", "10")
    assert result.exit_code == 0, result.stderr
    assert result.stderr == ""
    assert list(tmp_path.iterdir()) == []
    text = result.stdout
    assert "question-answering of albert-seeded for TensorRT 10: fp16, rolled layers" in text
    assert "operators.md of TensorRT 10.15" in text
    for line in ("1x16", "input input_ids INT64", "output start_logits FP32", "loop group_0_layers: its body runs"):
        assert line in text
    assert "activations at 32x384" in text
    assert "trtexec --onnx=model_fp16.onnx --saveEngine=model_fp16.engine --stronglyTyped" in text
    assert "REFUSED" not in text


def test_the_plan_as_json_has_every_operator_and_the_network_is_what_it_says(invoke: Invoke, tmp_path: Path) -> None:
    network = tmp_path / "net.onnx"
    result = invoke(*COMMON, "--plan", "--precision", "bf16", "--save-network", network, "--json")
    assert result.exit_code == 0, result.stderr
    plan = json.loads(result.stdout)
    assert plan["tensorrt"]["major"] == 11
    assert plan["network"]["refused"] == []
    assert {step["operator"] for step in plan["network"]["steps"]} <= set(OPERATORS)
    assert plan["network"]["memory"]["weights_each_use"] > plan["network"]["memory"]["weights_once"] > 0
    assert plan["profiles"][0]["axes"] == ["batch", "sequence"]
    assert plan["trtexec"].startswith(
        f"trtexec --onnx={network} --saveEngine=model_bf16.engine --minShapes=input_ids:1x1,"
    )
    assert {item.data_type for item in onnx.load(network).graph.initializer} <= {1, 16}
    again = invoke(*COMMON, "--plan", "--save-network", network)
    assert again.exit_code == 2
    assert "must be written to a new file" in error_line(again.stderr)


def test_a_network_that_would_be_refused_is_printed_and_is_exit_code_2(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    from albert_export.engines import support

    without = {name: row for name, row in OPERATORS.items() if name != "Gelu"}
    monkeypatch.setattr(support, "OPERATORS", without)
    for module in ("tensorrt_rules", "tensorrt_plan"):
        monkeypatch.setattr(f"albert_export.graphs.{module}.OPERATORS", without)
    result = invoke(*COMMON, "--plan")
    assert result.exit_code == 2
    assert "REFUSED: Gelu (" in result.stdout
    assert "TensorRT 11 must be able to read every operator of the network; received Gelu (" in error_line(
        result.stderr
    )


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--plan", "--profile", "8x128,1x16,32x384"), "batch 8, 1, 32 in 8x128,1x16,32x384; fix: order them"),
        (("--plan", "--profile", "1x16,8x128,32x4096"), "max_position_embeddings"),
        (("--plan", "--profile", "16"), "a profile must be its smallest, tuned and largest shape"),
        (("--plan", "--precision", "fp8"), "precision must be one of fp32"),
        (("--plan", "--precision", "int4"), "TensorRT artifacts can be fp32, fp16, bf16 or int8; received int4"),
        (("--plan", "--tensorrt", "8.6"), "TensorRT must be 10.x or 11.x; received 8.6"),
        (("--plan", "--workspace", "lots"), "workspace must be a number of bytes"),
        (("--plan", "--quantize", "ffn"), "parts are chosen for TensorRT artifacts in int8; received parts for fp32"),
        (("--plan", "--calibrate", "builtin"), "calibration texts serve TensorRT artifacts in int8"),
        (
            ("--plan", "--save-network", "nowhere/net.onnx"),
            "a new file in a folder that is there; received nowhere/net",
        ),
        (("--plan", "--timing-cache", "nowhere/kernels.bin"), "timing_cache must be a file in a folder that can be"),
        (("--plan", "--out", "qa"), "--plan writes no bundle"),
        (("--tensorrt", "10", "--out", "qa"), "--tensorrt and --save-network belong to --plan"),
        ((), "missing option '--out'"),
        (("--out", "qa"), "building TensorRT engines needs"),
    ],
)
def test_what_cannot_be_met_is_one_line_and_exit_code_2(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = invoke(*COMMON, *options)
    assert result.exit_code == 2, result.stdout
    assert told in error_line(result.stderr)
    assert list(tmp_path.iterdir()) == []
