"""Doing what the plan says: with workers that say what they are told to, and once for real, on the CPU."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from albert_export.config import AlbertConfig
from tests.packaging.conftest import ROOT
from tools.gpu import driver
from tools.gpu.driver import Found, Settings, drive
from tools.gpu.eager_check import judge
from tools.gpu.plan import Here
from tools.gpu.report import complete, goals, markdown
from tools.gpu.workers import run_worker

LACKS = {"jax": "no jax", "onnxruntime": "no build", "tensorrt": "none", "onnxruntime tensorrt": "none"}
TORCH_ONLY = Here("cuda", LACKS, ("onnx", "stablehlo"))
Lines = list[dict[str, Any]]


def settings(**changed: Any) -> Settings:
    fields: dict[str, Any] = {
        "device": "cuda",
        "tasks": ("fill-mask", "question-answering"),
        "precisions": ("fp32", "fp16"),
        "batches": (64, 1),
        "sequences": (128,),
        "checked_model": "albert-mini",
        "timed_model": "m",
        "allow_random_head": False,
        "scratch": Path("s"),
        "seconds": 0.01,
        "minutes": 5.0,
        "peak_sizes": (4096,),
        "ways": ("torch", "jax"),
    }
    return Settings(**{**fields, **changed})


def drive_with(answer: Callable[[str, dict[str, Any]], Lines], **changed: Any) -> tuple[Found, list[str], Lines]:
    """Drive workers that answer as they are told; return what was found, what was said, and what was asked."""
    asked: Lines = []
    said: list[str] = []

    def work(module: str, request: dict[str, Any], *, seconds: float) -> Iterator[dict[str, Any]]:
        assert seconds > 0
        asked.append({"module": module.rpartition(".")[2], **request})
        yield from answer(module.rpartition(".")[2], request)

    return drive(TORCH_ONLY, settings(**changed), said.append, work=work), said, asked


def passing(module: str, request: dict[str, Any]) -> Lines:
    if module == "check_worker":
        return [
            line
            for check in request["checks"]
            for line in (
                {"begins": check},
                {**check, "ok": True, "device": "cuda", "figure": "90.0 dB", "seconds": 1.0},
            )
        ]
    if module == "peak_worker":
        return [{"precision": precision, "tflops": 700.0, "size": 8192} for precision in request["precisions"]]
    rows = [{"shape": shape, "first": 1.0, "least": 0.001, "median": 0.002, "runs": 9} for shape in request["shapes"]]
    return [{"load": 1.0}, *rows, {"memory_mib": 900}]


def test_everything_is_done_and_what_is_not_is_told() -> None:
    found, said, asked = drive_with(passing)
    assert [check["ok"] for check in found.checks] == [True] * 4 and found.planned == 4
    assert [(each.what, each.why) for each in found.skipped] == [("jax", "no jax")]
    assert "skipped: jax: no jax" in said
    assert "ok: torch, fill-mask, fp32 on cuda: 90.0 dB in 1.0 s" in said
    assert [each["module"] for each in asked] == ["check_worker", "peak_worker", "bench_worker", "bench_worker"]
    assert asked[1]["framework"] == "torch"
    assert asked[2]["shapes"] == [[64, 128], [1, 128]]


def test_a_check_that_ends_its_process_fails_alone() -> None:
    def dies_at_the_second(module: str, request: dict[str, Any]) -> Lines:
        if module != "check_worker":
            return passing(module, request)
        if any(check["task"] == "question-answering" and check["precision"] == "fp32" for check in request["checks"]):
            if request["checks"][0]["task"] == "fill-mask":
                first, second = request["checks"][:2]
                return [*passing(module, {"checks": [first]}), {"begins": second}, {"ended": "status -11: Segfault"}]
            return [{"begins": request["checks"][0]}, {"ended": "status -11: Segfault"}]
        return passing(module, request)

    found, said, asked = drive_with(dies_at_the_second)
    assert [check["ok"] for check in found.checks] == [True, False, True, True]
    assert "FAILS: torch, question-answering, fp32: status -11: Segfault" in said
    assert [each["module"] for each in asked].count("check_worker") == 2


def test_a_worker_that_cannot_start_is_tried_once() -> None:
    found, _, asked = drive_with(
        lambda module, request: (
            [{"ended": "status 1: no torch"}] if module == "check_worker" else passing(module, request)
        )
    )
    assert [(check["ok"], check["error"]) for check in found.checks] == [(False, "status 1: no torch")]
    assert not report_of(found)["ok"], "what the machine has the parts for must work"
    assert [(each.what, each.why) for each in found.skipped][1] == (
        "checks of torch: question-answering fp32 and 2 more",
        "status 1: no torch",
    )
    assert [each["module"] for each in asked].count("check_worker") == 1


def test_no_way_takes_the_time_of_those_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(driver.time, "time", lambda: clock[0])
    given: dict[str, float] = {}

    def work(module: str, request: dict[str, Any], *, seconds: float) -> Iterator[dict[str, Any]]:
        if module.endswith("check_worker"):
            given.setdefault(request["checks"][0]["way"], seconds)
            clock[0] += seconds  # as slow as it is let
            yield {"begins": request["checks"][0]}
            yield {"ended": "no time was left", "late": True}

    ready = {**dict.fromkeys(("torch", "jax", "stablehlo export", "onnx export", "onnxruntime")), "tensorrt": "no"}
    here = Here("cuda", {**ready, "onnxruntime tensorrt": "no"}, ("onnx", "stablehlo"))
    found = drive(here, settings(ways=("torch", "jax", "onnxruntime"), minutes=10.0), lambda _: None, work=work)
    # Three ways, and the memory of two of them, within the checks' share.
    assert list(given) == ["torch", "jax", "onnxruntime"]
    assert list(given.values()) == pytest.approx([72.0] * 3)
    assert found.checks == [] and not report_of(found)["ok"]


def test_a_timing_that_cannot_be_opened_fails_and_one_that_is_late_is_skipped() -> None:
    def answer(module: str, request: dict[str, Any]) -> Lines:
        if module != "bench_worker":
            return passing(module, request)
        if request["precision"] == "fp32":
            return [{"load": 1.0}, {"ended": "no time was left after 9 s", "late": True}]
        return [{"error": "no engine"}]

    found, said, _ = drive_with(answer)
    assert "skipped: timing of torch, fp32 from its shape 1 on: no time was left after 9 s" in said
    assert "FAILS: timing of torch, fp16: no engine" in said
    assert not report_of(found)["ok"]
    found.timings.pop()
    assert report_of(found)["ok"]


def test_without_time_all_is_skipped() -> None:
    found, _, asked = drive_with(passing, minutes=0.0)
    assert (found.checks, found.timings) == ([], [])
    assert {each.why for each in found.skipped} == {"no jax", "no time was left"}
    assert [each["module"] for each in asked] == ["peak_worker"]


def report_of(found: Found) -> dict[str, Any]:
    machine = {"gpus": ["NVIDIA H200"], "cpu": "CPU", "threads": 16, "system": "Linux", "python": "CPython 3.12.3"}
    machine |= {"packages": {"torch": "2.11.0"}, "nvidia": ["GPU: NVIDIA H200"]}
    fields: dict[str, Any] = {
        "planned": found.planned,
        "checks": found.checks,
        "peaks": found.peaks,
        "timings": found.timings,
    }
    skipped = [{"what": each.what, "why": each.why} for each in found.skipped]
    base = AlbertConfig(hidden_size=768, num_attention_heads=12, intermediate_size=3072)
    return complete(
        {"date": "2026-11-28", "machine": machine, "device": "cuda", "model": "base", **fields, "skipped": skipped},
        base,
    )


def test_the_report_has_shares_of_the_peak_and_every_part() -> None:
    found, _, _ = drive_with(passing)
    report = report_of(found)
    row = report["timings"][1]["rows"][0]
    # 22.5 GFLOP for a row of 128 tokens of base size, 64 of them in 2 ms.
    assert row["tflops"] == pytest.approx(720, rel=0.02)
    assert row["share"] == pytest.approx(row["tflops"] / 700)
    assert report["ok"]
    text = markdown(report)
    assert "| fill-mask | 90.0 dB | 90.0 dB |" in text
    assert f"| 64x128 | 2 ({row['share']:.0%}) |" in text
    assert "4 of 4 passed." in text
    assert "- jax: no jax" in text and "fp16 700 TFLOP/s" in text
    assert "- fp16: faster than torch.compile: not measured" in text


def test_a_failed_check_is_in_the_report() -> None:
    found, _, _ = drive_with(passing)
    found.checks[1] |= {"ok": False, "error": "start_logits: error 3"}
    report = report_of(found)
    assert not report["ok"]
    assert "**fails**" in markdown(report)
    assert "- question-answering, torch fp32: start_logits: error 3" in markdown(report)
    assert not complete({**report, "checks": []}, AlbertConfig())["ok"], "nothing checked is nothing shown"


@pytest.mark.parametrize(
    ("jax", "compiled", "share", "met"),
    [(1.0, 2.0, 0.6, (True, True)), (2.0, 1.0, 0.4, (False, False)), (1.0, None, None, (None, None))],
)
def test_goals_are_judged_by_the_best_of_ours(
    jax: float, compiled: float | None, share: float | None, met: tuple[bool | None, bool | None]
) -> None:
    def timing(way: str, median: float | None) -> dict[str, Any]:
        rows = [] if median is None else [{"shape": [64, 128], "median": median, "share": share}]
        return {"way": way, "precision": "bf16", "rows": rows}

    found = goals([timing("torch.compile", compiled), timing("jax", jax), timing("onnxruntime", 9.0)])
    assert [goal["precision"] for goal in found] == ["fp16", "bf16"]
    assert found[0]["best"] is None and found[0]["share_met"] is None
    assert (found[1]["best"], found[1]["share_met"], found[1]["faster_met"]) == ("jax", *met)


def test_the_eager_model_is_judged_by_the_criterion_of_its_precision() -> None:
    truth = {"logits": np.random.default_rng(0).normal(size=100)}
    noise = {"logits": truth["logits"] + 1e-6}

    def off(size: float) -> dict[str, np.ndarray]:
        return {"logits": truth["logits"] + size}

    assert judge(off(3e-6), truth, noise, "fp32")[0]
    assert not judge(off(1e-4), truth, noise, "fp32")[0], "what TF32 would do"
    assert judge(off(1e-3), truth, noise, "fp16")[0]
    assert not judge(off(0.2), truth, noise, "fp16")[0]
    assert judge({"logits": truth["logits"] * np.nan}, truth, noise, "bf16") == (False, float("-inf"))


def test_a_worker_that_ends_or_takes_too_long_is_told() -> None:
    (ended,) = run_worker("tools.gpu.no_such_worker", {}, seconds=60)
    assert ended["ended"].startswith("the process ended with status 1: ")
    assert "no_such_worker" in ended["ended"]
    (late,) = run_worker("http.server", {}, seconds=2)
    assert late == {"ended": "no time was left after 2 s", "late": True}


def test_what_a_worker_started_ends_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    # A compiler that is left behind would hold the pipe open, and whoever reads it for as long as it runs.
    script = tmp_path / "parent_of_a_compiler.py"
    script.write_text(
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(f'@@{child.pid}', flush=True)\n"
        "time.sleep(60)\n"
    )
    started = time.monotonic()
    child, late = run_worker("parent_of_a_compiler", {}, seconds=8)
    assert late["late"] and time.monotonic() - started < 40
    with pytest.raises(ProcessLookupError):
        for _ in range(100):
            os.kill(int(str(child)), 0)
            time.sleep(0.1)


def test_who_is_told_to_end_ends_the_worker_too(tmp_path: Path) -> None:
    (tmp_path / "sleeper.py").write_text(
        "import os, time\nprint(f'@@{os.getpid()}', flush=True)\ntime.sleep(60)\n", encoding="utf-8"
    )
    code = (
        "from tools.gpu.workers import end_workers_with_this, run_worker\n"
        "end_workers_with_this()\n"
        "for line in run_worker('sleeper', {}, seconds=60):\n"
        "    print(line, flush=True)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    parent = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    parent.terminate()
    assert parent.wait(60) == 128 + signal.SIGTERM
    parent.stdout.close()
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)


@pytest.mark.slow
def test_the_whole_program_on_the_cpu(tmp_path: Path) -> None:
    arguments = ["--dry-run", "--tasks", "qa", "--precisions", "fp32", "--ways", "torch", "onnxruntime"]
    done = subprocess.run(
        [sys.executable, "-m", "tools.gpu", *arguments, "--out", str(tmp_path / "report")],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=290,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "report" / "gpu-report.json").read_text())
    assert {(check["way"], check["ok"], check["device"]) for check in report["checks"]} == {
        ("torch", True, "cpu"),
        ("onnxruntime", True, "cpu"),
    }
    assert {timing["way"] for timing in report["timings"]} == {"torch", "onnxruntime"}
    for timing in report["timings"]:
        assert [row["shape"] for row in timing["rows"]] == [[1, 16], [2, 16]]
        assert all(row["median"] > 0 and row["share"] > 0 for row in timing["rows"]), timing
    assert "2 of 2 checks passed" in done.stdout
    assert "| question-answering |" in (tmp_path / "report" / "gpu-report.md").read_text()
    assert str(tmp_path) not in json.dumps(report)


def test_without_a_gpu_it_says_so_and_writes_nothing(tmp_path: Path) -> None:
    if any(Path(path, "nvidia-smi").exists() for path in os.environ.get("PATH", "").split(os.pathsep)):
        pytest.skip("there may be a GPU")
    done = subprocess.run(
        [sys.executable, "-m", "tools.gpu", "--out", str(tmp_path / "report")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=290,
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: nothing here can be checked on a GPU; fix: ")
    assert "skipped: torch: " in done.stdout and "skipped: tensorrt: " in done.stdout
    assert done.stdout.startswith("NVIDIA driver: no: ")
    assert not (tmp_path / "report").exists()
