"""The benchmarks run and report; what they measure is nobody's test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.measuring import ALBERT_EXPORT, best, run_process, table

ROOT = Path(__file__).parents[2]


def run(module: str, *arguments: str, json_file: Path) -> tuple[str, dict[str, Any]]:
    command = [sys.executable, "-m", f"benchmarks.{module}", *arguments, "--json", str(json_file)]
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
