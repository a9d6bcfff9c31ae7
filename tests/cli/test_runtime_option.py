"""``--runtime`` of ``run`` and ``parity``, ``--runtimes`` of ``bench``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from albert_export.bench.entries import choose_entries
from albert_export.bench.worker import prepare
from albert_export.bundle import Bundle
from albert_export.errors import InputError, UnknownNameError
from tests.cli.conftest import Invoke
from tests.cli.test_program import error_line
from tests.conftest import Exported

QUESTION = ("--question", "Who wrote it?", "--context", "Ada Lovelace wrote the first program.")
QUICK = ("--shapes", "1x8", "--repeats", "1", "--loads", "1", "--no-error", "-q", "--json")


@pytest.mark.parametrize("target", ["onnx", "tflite"])
def test_a_bundle_gives_the_same_answer_in_openvino(invoke: Invoke, exported: Exported, target: str) -> None:
    bundle = exported("question-answering", target)
    own, other = (invoke("run", bundle, *QUESTION, "-q", "--json", *named) for named in ((), ("--runtime", "openvino")))
    assert other.exit_code == 0, other.stderr
    mine, theirs = json.loads(other.stdout), json.loads(own.stdout)
    assert mine["score"] == pytest.approx(theirs["score"], rel=1e-3)
    assert (mine["text"], mine["start"]) == (theirs["text"], theirs["start"])


def test_parity_in_openvino_passes_and_is_not_recorded(invoke: Invoke, exported: Exported, tmp_path: Path) -> None:
    bundle = Path(shutil.copytree(exported("question-answering"), tmp_path / "qa"))
    before = (bundle / "manifest.json").read_bytes()
    result = invoke("parity", bundle, "--runtime", "openvino", "-q", "--json")
    assert result.exit_code == 0, result.stderr
    (artifact,) = json.loads(result.stdout)["artifacts"]
    assert artifact["ok"] is True
    assert list(artifact["runtime"]["versions"]) == ["openvino"]
    assert (bundle / "manifest.json").read_bytes() == before


def test_a_verdict_of_another_runtime_is_not_recorded_by_name(invoke: Invoke, exported: Exported) -> None:
    result = invoke("parity", exported("question-answering"), "--runtime", "openvino", "--record")
    assert result.exit_code == 2
    assert "the manifest holds the verdict of a full run on each target's own runtime" in error_line(result.stderr)


def test_parity_needs_an_artifact_that_the_runtime_reads(invoke: Invoke, exported: Exported) -> None:
    result = invoke("parity", exported("question-answering"), "--runtime", "litert")
    assert result.exit_code == 2
    assert "parity needs an artifact that LiteRT reads; received onnx/model.onnx" in error_line(result.stderr)


def test_bench_measures_one_file_in_several_runtimes(invoke: Invoke, exported: Exported) -> None:
    result = invoke("bench", exported("question-answering"), "--runtimes", "own,openvino:fp32", *QUICK)
    assert result.exit_code == 0, result.stderr
    own, other = json.loads(result.stdout)["artifacts"]
    assert (own["name"], own["runtime"]) == ("onnx/model.onnx", "onnxruntime")
    assert (other["name"], other["runtime"]) == ("onnx/model.onnx@openvino:fp32", "openvino:fp32")
    assert (other["computes_in"], list(other["versions"])) == ("fp32", ["openvino"])
    assert other["latency"]["1x8"]["least_seconds"] > 0


def test_which_runtimes_are_entries(exported: Exported) -> None:
    bundle = exported("question-answering")

    def names(*runtimes: str) -> list[str]:
        return [entry.name for entry in choose_entries([bundle], runtimes=runtimes)]

    assert names() == names("own") == names("onnxruntime") == names("own", "onnxruntime") == ["onnx/model.onnx"]
    assert names("all") == ["onnx/model.onnx", "onnx/model.onnx@openvino"]
    assert names("openvino:bf16", "own") == ["onnx/model.onnx@openvino:bf16", "onnx/model.onnx"]
    with pytest.raises(UnknownNameError, match="openvino"):
        names("openvin")
    with pytest.raises(InputError, match="a runtime must read one of the artifacts; received litert"):
        names("own", "litert")


def test_the_worker_loads_in_the_runtime_that_it_is_told(exported: Exported) -> None:
    bundle = Bundle.open(exported("question-answering"))
    request = {"bundle": str(bundle.path), "file": bundle.select().file, "device": "cpu", "threads": 1}
    assert "onnxruntime" in prepare(request)().facts["versions"]
    assert "openvino" in prepare({**request, "runtime": "openvino"})().facts["versions"]
