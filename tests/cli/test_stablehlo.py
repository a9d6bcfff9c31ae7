"""``albert-export stablehlo``: what it writes, what answers from it, and what bad input gets."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from albert_export.bundle import Bundle
from albert_export.inspection import inspect_bundle, render
from tests.cli.conftest import Invoke, Spawn
from tests.cli.test_program import error_line
from tests.conftest import Exported

QUESTION = ("--question", "Who wrote it?", "--context", "Ada Lovelace wrote the first program.")


def test_an_export_says_what_it_made_and_nothing_of_jax_s(spawn: Spawn, tmp_path: Path) -> None:
    options = (
        "--task",
        "qa",
        "--model",
        "albert-seeded",
        "--out",
        tmp_path / "qa",
        "--batch",
        "2",
        "--sequence",
        "24",
        "--precision",
        "bf16",
    )
    process = spawn("stablehlo", *options)
    stdout, stderr = process.communicate(timeout=250)
    assert process.returncode == 0, stderr
    assert "stablehlo/model_bf16_b2_s24.jax: stablehlo bf16, rolled layers" in stdout
    assert "holds against the eager model on cpu" in stdout
    ours = ("checkpoint", "tracing", "writing", "parity")
    assert all(line.startswith(ours) for line in stderr.splitlines()), stderr
    assert [record.path for record in Bundle.open(tmp_path / "qa").select().files] == [
        "stablehlo/model_bf16_b2_s24.cpu.mlirbc",
        "stablehlo/model_bf16_b2_s24.cuda.mlirbc",
        "stablehlo/model_bf16_b2_s24.jax",
        "stablehlo/model_bf16_b2_s24.tpu.mlirbc",
        "stablehlo/weights_bf16.safetensors",
    ]


def test_text_is_answered_as_from_onnx(invoke: Invoke, exported: Exported) -> None:
    answers, expected = (
        json.loads(invoke("run", exported("qa", target), *QUESTION, "-q", "--json", "--top-k", "5").stdout)
        for target in ("stablehlo", "onnx")
    )
    assert [answer["text"] for answer in answers] == [answer["text"] for answer in expected]
    assert [answer["score"] for answer in answers] == pytest.approx([answer["score"] for answer in expected], abs=1e-4)


def test_inspect_says_until_when_it_can_be_read(invoke: Invoke, exported: Exported) -> None:
    result = invoke("inspect", exported("qa", "stablehlo"))
    assert result.exit_code == 0, result.stderr
    assert "  read by  jax, version 10: until 2026-12-17, jax of up to 6 months after 0.10.2" in result.stdout
    assert "  read by  stablehlo, version 1." in result.stdout
    assert "  runs on  cpu, cuda, tpu" in result.stdout.splitlines()
    described = json.loads(invoke("inspect", exported("qa", "stablehlo"), "--json").stdout)
    (artifact,) = described["artifacts"]
    assert artifact["facts"]["readable"]["stablehlo"]["until"] == "2031-06-17"
    assert "GFLOP" not in result.stdout


def test_inspect_lists_the_files_beside_the_artifact(exported: Exported) -> None:
    description = inspect_bundle(Bundle.open(exported("qa", "stablehlo")))
    (artifact,) = description["artifacts"]
    text = " ".join(render(description).split())
    names = [file["path"].removeprefix("stablehlo/") for file in artifact["files"] if file["path"] != artifact["file"]]
    assert len([name for name in names if name.endswith(".mlirbc")]) == len(artifact["facts"]["platforms"])
    assert artifact["facts"]["weights"] in names
    for name in names:
        assert f" {name} " in text


def test_inspect_tells_what_a_tpu_would_take(exported: Exported) -> None:
    description = inspect_bundle(Bundle.open(exported("qa", "stablehlo")))
    description["artifacts"][0]["facts"]["aot"] = {
        "chip": "tpu:v5e",
        "sizes": {"batch": 1, "sequence": 128},
        "flops": 22.5e9,
        "bytes_accessed": 2.0e8,
        "peak_bytes": 47_000_000,
        "passes": 6,
        "estimated_seconds": 0.000685,
    }
    text = render(description)
    assert "  tpu:v5e  batch 1, sequence 128: 22.5 GFLOP in 6 passes, 200.0 MB moved, 47.0 MB of memory" in text
    assert "           at least 0.685 ms a run, by the chip's published peak and bandwidth; nothing was run" in text


def test_files_that_artifacts_share_count_once(exported: Exported, tmp_path: Path) -> None:
    from albert_export.exporting import export

    bundle = export("stablehlo", model="albert-seeded", task="qa", out=tmp_path / "qa", parity=False)
    before = inspect_bundle(bundle)["size"]
    bundle = export("stablehlo", model="albert-seeded", task="qa", out=tmp_path / "qa", layers="unrolled", parity=False)
    description = inspect_bundle(bundle)
    added = sum(file["size"] for file in description["artifacts"][1]["files"] if "weights" not in file["path"])
    assert description["size"] == before + added


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("onnx", "--embed-weights"), "--embed-weights"),
        (("stablehlo", "--aot", "tpu:v3"), "'tpu:v3' is not one of"),
        (("stablehlo", "--precision", "int8"), "can be fp32, bf16 or fp16; received int8"),
        (("stablehlo", "--sequence", "513"), "sequence must be at most max_position_embeddings, which is 512"),
    ],
)
def test_bad_options(invoke: Invoke, tmp_path: Path, args: tuple[str, ...], told: str) -> None:
    result = invoke(*args, "--task", "qa", "--model", "albert-seeded", "--out", tmp_path / "qa")
    assert result.exit_code == 2
    assert told in error_line(result.stderr)
    assert not (tmp_path / "qa").exists()


def test_what_is_not_installed_is_named(invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "libtpu", None)
    result = invoke(
        "stablehlo", "--task", "qa", "--model", "albert-seeded", "--out", tmp_path / "qa", "--aot", "tpu:v5e", "-q"
    )
    assert result.exit_code == 2
    assert "pip install 'albert-export[tpu]'" in error_line(result.stderr)
    assert not (tmp_path / "qa").exists()


def test_options_that_are_not_the_target_s(tmp_path: Path) -> None:
    from albert_export.errors import InputError, UnknownNameError
    from albert_export.exporting import export

    with pytest.raises(InputError, match="ONNX artifacts have one place for their weights"):
        export("onnx", model="albert-seeded", task="qa", out=tmp_path / "qa", embed_weights=True)
    with pytest.raises(InputError, match="TFLite artifacts are not compiled ahead of time"):
        export("tflite", model="albert-seeded", task="qa", out=tmp_path / "qa", aot="tpu:v5e")
    with pytest.raises(UnknownNameError, match="aot must be one of tpu:v4"):
        export("stablehlo", model="albert-seeded", task="qa", out=tmp_path / "qa", aot="tpu:v5")
