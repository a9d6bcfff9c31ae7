"""``albert-export onnx``: from a checkpoint to a bundle on disk."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import albert_export
from albert_export.bundle import Bundle
from tests.cli.conftest import Invoke, Spawn
from tests.cli.test_program import error_line
from tests.conftest import Exported


def copied(bundle: Path, out: Path) -> Path:
    return Path(shutil.copytree(bundle, out))


def test_an_export_with_parity_prints_what_the_bundle_holds(invoke: Invoke, tmp_path: Path) -> None:
    out = tmp_path / "qa"
    result = invoke("onnx", "--task", "qa", "--model", "albert-seeded", "--out", out)
    assert result.exit_code == 0, result.stderr
    bundle = Bundle.open(out)
    (artifact,) = bundle.manifest.artifacts
    assert (artifact.file, artifact.precision, artifact.layers) == ("onnx/model.onnx", "fp32", "rolled")
    assert artifact.parity is not None
    assert artifact.parity["ok"]
    assert f"onnx/model.onnx: onnx fp32, rolled layers, opset {artifact.opset}" in result.stdout
    assert "holds against the eager model on cpu" in result.stdout
    assert "start_logits" in result.stdout.partition("parity")[2]
    assert "tracing" in result.stderr
    assert "tracing" not in result.stdout
    # What was just made and what is read back from a manifest with sorted keys are told alike.
    assert invoke("inspect", out).stdout == result.stdout


def test_every_option_reaches_the_export(invoke: Invoke, tmp_path: Path) -> None:
    out = tmp_path / "choice"
    fixed = ("--batch", "1", "--choices", "2", "--sequence", "16")
    options = ("--layers", "unrolled", "--opset", "18", *fixed, "--no-parity", "--quiet", "--json")
    result = invoke("onnx", "--task", "choice", "--model", "albert-seeded", "--out", out, *options)
    assert result.exit_code == 0, result.stderr
    assert result.stderr == ""
    (artifact,) = json.loads(result.stdout)["artifacts"]
    assert artifact["file"] == "onnx/model_unrolled_b1_n2_s16.onnx"
    assert artifact["layers"] == "unrolled"
    assert artifact["opset"] == 18
    assert artifact["shapes"] == {"batch": 1, "choices": 2, "sequence": 16}
    assert artifact["parity"] is None


def test_a_second_artifact_is_added_the_first_kept_and_each_can_be_run(
    invoke: Invoke, exported: Exported, tmp_path: Path
) -> None:
    out = copied(exported("ner"), tmp_path / "ner")
    result = invoke(
        "onnx",
        "--task",
        "ner",
        "--model",
        "albert-seeded",
        "--out",
        out,
        "--layers",
        "unrolled",
        "--no-parity",
        "-q",
        "--json",
    )
    assert result.exit_code == 0, result.stderr
    files = [artifact["file"] for artifact in json.loads(result.stdout)["artifacts"]]
    assert files == ["onnx/model.onnx", "onnx/model_unrolled.onnx"]
    for file in files:
        with albert_export.pipeline(out, file=file) as ner:
            assert ner.runtime.describe()["file"] == Path(file).name
    text = ("run", out, "--text", "Ada Lovelace lived in London.", "-q", "--json")
    assert json.loads(invoke(*text, "--file", files[1]).stdout)
    absent = invoke(*text, "--file", "onnx/model_b1.onnx")
    assert "must hold the artifact asked for (file=onnx/model_b1.onnx)" in error_line(absent.stderr)


def test_another_task_does_not_get_into_a_bundle(invoke: Invoke, exported: Exported, tmp_path: Path) -> None:
    out = copied(exported("ner"), tmp_path / "ner")
    before = (out / "manifest.json").read_bytes()
    result = invoke("onnx", "--task", "qa", "--model", "albert-seeded", "--out", out, "--no-parity", "-q")
    assert result.exit_code == 2
    assert "token-classification" in error_line(result.stderr)
    assert (out / "manifest.json").read_bytes() == before


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--sequence", "100000"), "max_position_embeddings"),
        (("--choices", "2"), "choices"),
        (("--opset", "3"), "opset"),
        (("--opset", "99"), "opset"),
    ],
)
def test_a_shape_or_opset_that_cannot_be_is_refused(
    invoke: Invoke, tmp_path: Path, options: tuple[str, ...], told: str
) -> None:
    result = invoke(
        "onnx", "--task", "qa", "--model", "albert-seeded", "--out", tmp_path / "out", *options, "--no-parity", "-q"
    )
    assert result.exit_code == 2
    assert told in error_line(result.stderr)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("opset", ["5", "12", "29"])
def test_an_opset_is_refused_before_the_checkpoint_is_looked_for(invoke: Invoke, tmp_path: Path, opset: str) -> None:
    result = invoke("onnx", "--task", "qa", "--model", "./nowhere", "--out", tmp_path / "out", "--opset", opset)
    assert result.exit_code == 2
    told = f"opset must be a whole number from 18 to 28; received {opset}; fix: "
    assert error_line(result.stderr).startswith(told)


def test_all_missing_options_are_told_at_once(invoke: Invoke) -> None:
    line = error_line(invoke("onnx").stderr)
    assert "'--task'" in line
    assert "'--out'" in line
    one = error_line(invoke("onnx", "--task", "qa").stderr)
    assert "'--out'" in one
    assert "'--task'" not in one


def test_a_parity_miss_is_exit_code_1_and_keeps_the_old_bundle(
    invoke: Invoke, exported: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from albert_export.parity import criteria

    out = copied(exported("qa"), tmp_path / "qa")
    before = (out / "manifest.json").read_bytes()
    # An artifact that is right misses a limit below its own rounding.
    monkeypatch.setitem(criteria.CRITERIA, "fp32", criteria.Criterion(noise_factor=1e-6, scale_factor=0.0))
    result = invoke("onnx", "--task", "qa", "--model", "albert-seeded", "--out", out, "-q")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "must compute what the eager model computes" in error_line(result.stderr)
    assert (out / "manifest.json").read_bytes() == before
    assert (tmp_path / "qa.rejected" / "parity" / "report.md").is_file()


@pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX")
def test_an_interrupt_writes_nothing_and_loses_nothing(spawn: Spawn, exported: Exported, tmp_path: Path) -> None:
    out = copied(exported("qa"), tmp_path / "qa")
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    process = spawn("onnx", "--task", "qa", "--model", "albert-seeded", "--out", out, "--layers", "unrolled")
    assert process.stderr is not None
    seen = []
    for line in process.stderr:
        seen.append(line)
        if line.startswith("tracing"):  # the writer is at work in its sibling directory
            os.kill(process.pid, signal.SIGINT)
            break
    stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == 130, (seen, stderr)
    assert stdout == ""
    assert stderr.splitlines()[-1] == "error: interrupted; no file was left half-written"
    assert "Traceback" not in stderr
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["qa"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_a_full_disk_under_the_output_of_the_command_is_told(spawn: Spawn) -> None:
    """stdout itself may lie on the full disk."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", "from albert_export.cli import main; main()", "tasks"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert error_line(done.stderr) == "No space left on device"


def test_an_int8_export_bears_the_second_name_that_loaders_look_for(invoke: Invoke, tmp_path: Path) -> None:
    out = tmp_path / "ner"
    result = invoke(
        "onnx",
        "--task",
        "ner",
        "--model",
        "albert-seeded",
        "--out",
        out,
        "--precision",
        "int8",
        "--quantize",
        "ffn,attention",
        "-q",
    )
    assert result.exit_code == 0, result.stderr
    one, other = out / "onnx/model_int8.onnx", out / "onnx/model_quantized.onnx"
    assert one.samefile(other)
    (artifact,) = Bundle.open(out).manifest.artifacts
    assert [record.path for record in artifact.files] == ["onnx/model_int8.onnx", "onnx/model_quantized.onnx"]
    assert artifact.facts["quantized"] == ["attention", "ffn"]
    described = json.loads(invoke("inspect", out, "--json").stdout)
    assert described["artifacts"][0]["size"] == one.stat().st_size, "what has two names is stored once"
    # Exported again and beside another artifact, it is still one file, and nothing of it is left when it is replaced.
    again = invoke("onnx", "--task", "ner", "--model", "albert-seeded", "--out", out, "--no-parity", "-q")
    assert again.exit_code == 0, again.stderr
    assert one.samefile(other)
    assert not one.samefile(out / "onnx/model.onnx")


def test_an_int4_export_is_proven_smaller_than_int8_and_described(invoke: Invoke, tmp_path: Path) -> None:
    out = tmp_path / "qa"
    for precision in ("int8", "int4"):
        result = invoke(
            "onnx", "--task", "qa", "--model", "albert-seeded", "--out", out, "--precision", precision, "-q"
        )
        assert result.exit_code == 0, result.stderr
    small = Bundle.open(out).select(precision="int4")
    assert small.file == "onnx/model_q4.onnx"
    assert small.parity is not None
    assert small.parity["ok"] is True
    assert (out / small.file).stat().st_size < 0.75 * (out / "onnx/model_int8.onnx").stat().st_size
    assert small.sharing["ratio"] < 0.26
    described = json.loads(invoke("inspect", out, "--json").stdout)
    (artifact,) = [artifact for artifact in described["artifacts"] if artifact["precision"] == "int4"]
    assert artifact["operators"]["MatMulNBits"] >= 6
    assert artifact["facts"]["block_size"] == 32
    assert "onnx/model_q4.onnx: onnx int4, rolled layers" in invoke("inspect", out).stdout
    texts = ("--question", "Who wrote them?", "--context", "Ada wrote the notes.")
    assert invoke("run", out, *texts, "--precision", "int4", "-q").exit_code == 0


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--precision", "int9"), "precision must be one of fp32"),
        (("--precision", "int8", "--quantize", "fnn"), "did you mean ffn?"),
        (("--precision", "int8", "--quantize", ""), "there must be a part to quantise; received none"),
        (("--quantize", "ffn"), "parts are chosen for ONNX artifacts in int8 or int4; received parts for fp32"),
        (
            ("--precision", "int8", "--quantize", "head"),
            "received head, which has none in this model; fix: choose from",
        ),
        (("--precision", "int8", "--opset", "28"), "int8 must have an opset up to 27"),
        (("--precision", "int4", "--calibrate", "builtin"), "calibration texts serve ONNX artifacts in int8"),
    ],
)
def test_a_precision_or_part_that_cannot_be_is_refused(
    invoke: Invoke, tmp_path: Path, options: tuple[str, ...], told: str
) -> None:
    result = invoke(
        "onnx", "--task", "qa", "--model", "albert-seeded", "--out", tmp_path / "out", *options, "--no-parity", "-q"
    )
    assert result.exit_code == 2
    assert told in error_line(result.stderr)
    assert not (tmp_path / "out").exists()
