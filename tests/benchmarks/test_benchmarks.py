"""The benchmarks run and report; what they measure is nobody's test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from albert_export.bench.child import Child
from benchmarks.measuring import ALBERT_EXPORT, best, run_process, table
from benchmarks.mini_exports import Cost, Form, forms, render
from benchmarks.onnxruntime_worker import _lengths
from benchmarks.peers import parse as parse_peers
from tests.conftest import Exported

ROOT = Path(__file__).parents[2]


def run(module: str, *arguments: str, json_file: Path) -> tuple[str, dict[str, Any]]:
    command = [sys.executable, "-m", f"benchmarks.{module}", *arguments, "--save", str(json_file)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(json_file.read_text())
    assert str(ROOT) not in json_file.read_text() and str(json_file.parent) not in json_file.read_text()
    return done.stdout, document


@pytest.mark.slow
def test_the_export_benchmark_reports_every_round(tmp_path: Path) -> None:
    arguments = ["--sizes", "tiny", "--repeats", "2", "--no-with-parity", "--scratch", str(tmp_path)]
    printed, document = run("export_vs_optimum", *arguments, json_file=tmp_path / "results/export.json")
    ours = document["results"]["tiny"]["contenders"]["albert-export"]
    assert len(ours["rounds"]) == 2
    assert ours["seconds"] == min(each["seconds"] for each in ours["rounds"])
    # What the process wrote is a whole model, and what it took is that of a Python with torch in it.
    assert 0.9 < ours["onnx_bytes"] / document["results"]["tiny"]["weights_bytes"] < 2
    assert ours["peak_bytes"] > 50e6 and ours["cpu_seconds"] > 0.1
    assert "| albert-export |" in printed
    assert document["machine"]["threads"] >= 1 and document["packages"]["torch"]


@pytest.mark.slow
def test_the_latency_benchmark_times_the_same_model_in_every_form(tmp_path: Path) -> None:
    arguments = [
        "--size",
        "tiny",
        "--rounds",
        "1",
        "--seconds",
        "0.01",
        "--sequences",
        "16",
        "--scratch",
        str(tmp_path),
    ]
    _, document = run("onnxruntime_latency", *arguments, json_file=tmp_path / "latency.json")
    assert set(document["results"]) == {"rolled", "unrolled"}
    for result in document["results"].values():
        assert set(result["milliseconds"]) == {"1x16", "8x16"}
        assert all(each > 0 for each in (*result["milliseconds"].values(), result["load_seconds"]))
        assert result["largest_difference"] < 1e-5


@pytest.mark.slow
def test_the_check_is_timed_in_every_form(tmp_path: Path) -> None:
    arguments = ["--size", "tiny", "--targets", "onnx", "--repeats", "1", "--scratch", str(tmp_path)]
    printed, document = run("parity_time", *arguments, json_file=tmp_path / "parity.json")
    assert set(document["results"]) == {"default", "--quick", "all reports"}
    assert all(len(result["rounds"]) == 1 and result["cpu_seconds"] > 0.5 for result in document["results"].values())
    assert "| --quick" in printed


@pytest.mark.slow
def test_mixed_lengths_are_timed_in_both_forms(tmp_path: Path) -> None:
    shapes = ["--batches", "1", "4", "--sequences", "16", "--paddings", "0", "50"]
    few = ["--size", "tiny", "--rounds", "1", "--seconds", "0.01", "--precisions", "fp32"]
    arguments = [*few, *shapes, "--scratch", str(tmp_path)]
    printed, document = run("mixed_lengths", *arguments, json_file=tmp_path / "mixed.json")
    assert set(document["results"]) == {"fp32 padded", "fp32 packed"}
    for result in document["results"].values():
        assert set(result["milliseconds"]) == {"1x16 0%", "4x16 0%", "4x16 50%"}
        assert all(each > 0 for each in result["milliseconds"].values())
    assert document["results"]["fp32 packed"]["largest_difference"] < 1e-5
    assert "| 4x16 50% |" in printed


@pytest.mark.slow
def test_work_that_is_left_out_is_timed_beside_the_whole(tmp_path: Path) -> None:
    few = ["--size", "tiny", "--rounds", "1", "--seconds", "0.01", "--sequences", "16", "--precisions", "fp32"]
    arguments = [*few, "--scratch", str(tmp_path)]
    printed, document = run("left_out_work", *arguments, json_file=tmp_path / "left_out.json")
    forms = {"text-classification": ("all tokens", "first token"), "fill-mask": ("every position", "one position")}
    for task, (whole, less) in forms.items():
        results = document["results"][task]
        assert set(results) == {f"fp32 {form}" for form in (whole, less)}
        for result in results.values():
            assert set(result["milliseconds"]) == set(result["processor_milliseconds"]) == {"1x16", "8x16"}
            assert all(each > 0 for each in result["processor_milliseconds"].values())
            assert result["run_bytes"] > 0
        assert f"fp32 {less}" in printed
    pooled = document["results"]["text-classification"]
    assert pooled["fp32 first token"]["largest_difference"] < 1e-5
    assert "| run MB " in printed


def test_padding_takes_its_share_of_the_tokens_and_no_row_whole() -> None:
    for padding, real in ((0, 32), (50, 16), (75, 11), (100, 11)):
        lengths = _lengths(np.random.default_rng(0), 4, 8, padding)
        assert lengths.sum() == real and lengths.min() >= 1 and lengths[0] == 8


@pytest.mark.slow
def test_ours_is_put_beside_the_others_in_one_run(tmp_path: Path) -> None:
    """Without the peers' environment, which no test has, it is ours alone."""
    names = ["ours onnx int8", "ours onnx fp32"]
    arguments = ["--quick", "--threads", "1", "--contenders", *names, "--scratch", str(tmp_path)]
    printed, document = run(
        "peers", *arguments, "--plot", str(tmp_path / "peers.png"), json_file=tmp_path / "peers.json"
    )
    results = document["results"]
    assert [each["name"] for each in results["artifacts"]] == names
    assert results["baseline"] == "ours onnx fp32"
    int8, fp32 = results["artifacts"]
    assert set(int8["latency"]) == {"1x16", "2x16p"}
    assert {each["ratio"] for each in fp32["latency"].values()} == {1.0}
    assert max(fp32["error"]["largest"].values()) < max(int8["error"]["largest"].values())
    assert "ours onnx int8" in printed and (tmp_path / "peers.png").stat().st_size > 1000


def test_a_model_of_a_peer_runs_in_a_process_of_its_own(exported: Exported) -> None:
    file = exported("question-answering") / "onnx" / "model.onnx"
    inputs = {name: [[1, 1, 1]] for name in ("input_ids", "attention_mask", "token_type_ids")}
    with Child("peer", [sys.executable, "-P", "-m", "benchmarks.peers_worker"]) as child:
        loaded = child.ask("load", runtime="onnxruntime", file=str(file), threads=1, precision=None)
        assert loaded["facts"]["threads"] == 1 and "onnxruntime" in loaded["facts"]["versions"]
        assert child.ask("first", inputs=inputs)["seconds"] > 0


@pytest.mark.slow
def test_what_an_export_costs_is_told_head_by_head(tmp_path: Path) -> None:
    arguments = ["--tasks", "seqcls", "--targets", "onnx", "--precisions", "fp32", "--jobs", "1"]
    printed, document = run("mini_exports", *arguments, json_file=tmp_path / "exports.json")
    (cost,) = document["results"]["costs"]
    assert (cost["task"], cost["failure"], cost["left"]) == ("text-classification", "", [])
    accuracy = cost["metrics"]["accuracy"]
    assert accuracy["drop"] == pytest.approx(accuracy["before"] - accuracy["after"], abs=1e-6)
    assert f"| accuracy {accuracy['before']:.1f} |" in printed


def test_what_can_be_calibrated_is_measured_both_ways_and_what_a_gpu_builds_is_not() -> None:
    found = [str(form) for form in forms(["tflite", "tensorrt", "stablehlo"], ["fp32", "int8"])]
    assert found == ["tflite fp32", "tflite int8", "tflite int8 calibrated", "stablehlo fp32"]


def test_what_missed_has_no_figure() -> None:
    form = Form("onnx", "int8", calibrated=False)
    metrics = {
        "f1": {"before": 80.0, "after": 79.5, "drop": 0.5},
        "exact match": {"before": 70.0, "after": 71.0, "drop": -1.0},
    }
    costs = [Cost("question-answering", form, metrics, ("ffn",)), Cost("fill-mask", form, failure="too far off")]
    first, second = render(costs).splitlines()[2:]
    assert [cell.strip() for cell in first.split("|")[1:-1]] == [
        "question-answering",
        "f1 80.0, exact match 70.0",
        "0.5 (ffn in fp32)",
    ]
    assert [cell.strip() for cell in second.split("|")[1:-1]] == ["fill-mask", "", "missed"]


def test_a_contender_that_is_not_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_peers(["--contenders", "optimum fp32"])
    assert "received optimum fp32; fix: name one, or give --peers" in capsys.readouterr().err
    assert parse_peers(["--quick", "--repeats", "5"]).repeats == 5
    assert "optimum fp32" in parse_peers(["--peers", "python"]).contenders


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="Windows has no wait4, which tells the peak memory")
def test_a_process_is_measured_as_a_whole(tmp_path: Path) -> None:
    import resource  # absent on Windows

    code = "import time; data = bytearray(100_000_000); data[::4096] = b'x' * len(data[::4096]); time.sleep(0.2)"
    cost = run_process([sys.executable, "-c", code], tmp_path / "log.txt")
    assert cost.seconds > 0.2
    # On Linux a new process begins with the peak of the one that starts it, and the tests before this one were large.
    ours = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    assert 100e6 < cost.peak_bytes < max(300e6, 1.1 * ours)
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {code!r}])"
    assert run_process([sys.executable, "-c", parent], tmp_path / "log.txt").peak_bytes > 100e6
    assert best([cost, cost]) == cost
    with pytest.raises(RuntimeError, match="exit code 3"):
        run_process([sys.executable, "-c", "raise SystemExit(3)"], tmp_path / "log.txt")


def test_the_command_that_is_timed_is_the_installed_one() -> None:
    done = subprocess.run([*ALBERT_EXPORT, "--version"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip().startswith("albert-export") and done.returncode == 0


def test_tables_are_markdown_in_columns() -> None:
    assert table(("", "ms"), [("a", 1), ("long", 22.5)]) == (
        "|      |   ms |\n| ---- | ---: |\n| a    |    1 |\n| long | 22.5 |"
    )
