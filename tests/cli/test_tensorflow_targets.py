"""``albert-export savedmodel`` and ``tflite``: what they write, what answers from it, and what bad input gets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from albert_export import pipeline
from albert_export.bundle import Bundle
from tests.cli.conftest import Invoke, Spawn
from tests.cli.test_program import error_line
from tests.conftest import Exported

QUESTION = ("--question", "Who wrote it?", "--context", "Ada Lovelace wrote the first program.")


@pytest.fixture(scope="module")
def every_target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One bundle with an artifact of each target, and a further one in int8."""
    from albert_export.exporting import export

    out = tmp_path_factory.mktemp("bundle") / "qa"
    for target, options in (("onnx", {}), ("savedmodel", {}), ("tflite", {}), ("tflite", {"precision": "int8"})):
        export(target, model="albert-seeded", task="qa", out=out, parity=False, **options)
    return out


@pytest.mark.parametrize(
    ("target", "file"), [("savedmodel", "saved_model/1/saved_model.pb"), ("tflite", "tflite/model.tflite")]
)
def test_an_export_says_what_it_made_and_nothing_of_tensorflow_s(
    spawn: Spawn, tmp_path: Path, target: str, file: str
) -> None:
    # As a process inherits it that was started by one with JAX in it.
    process = spawn(
        target, "--task", "qa", "--model", "albert-seeded", "--out", tmp_path / "qa", TF_CPP_MIN_LOG_LEVEL="1"
    )
    stdout, stderr = process.communicate(timeout=200)
    assert process.returncode == 0, stderr
    assert f"{file}: {target} fp32, rolled layers" in stdout
    assert "holds against the eager model on cpu" in stdout
    ours = ("checkpoint", "tracing", "converting", "writing", "parity")
    assert all(line.startswith(ours) for line in stderr.splitlines()), stderr
    bundle = Bundle.open(tmp_path / "qa")
    assert bundle.select().file == file
    assert bundle.select().parity is not None
    report = json.loads((tmp_path / "qa" / "parity" / "report.json").read_text(encoding="utf-8"))
    assert [eager["framework"] for eager in report["eager"]] == ["torch", "tensorflow"]


def test_options_of_tflite_reach_the_export(invoke: Invoke, tmp_path: Path) -> None:
    texts = tmp_path / "sentences.txt"
    texts.write_text("The ferry left at seven.\nWho repaired the clock?\n", encoding="utf-8")
    options = ("--precision", "int8", "--calibrate", texts, "--layers", "unrolled", "--batch", "1", "--sequence", "16")
    result = invoke(
        "tflite",
        "--task",
        "qa",
        "--model",
        "albert-seeded",
        "--out",
        tmp_path / "qa",
        *options,
        "--no-parity",
        "--json",
        "-q",
    )
    assert result.exit_code == 0, result.stderr
    (artifact,) = json.loads(result.stdout)["artifacts"]
    assert artifact["file"] == "tflite/model_int8_static_unrolled_b1_s16.tflite"
    assert artifact["facts"]["calibration_texts"] == 2
    assert artifact["shapes"] == {"batch": 1, "sequence": 16}
    assert artifact["opset"] is None
    assert artifact["inputs"][0] == {"name": "input_ids", "dtype": "int32", "shape": [1, 16]}


@pytest.mark.parametrize("target", ["onnx", "savedmodel", "tflite"])
def test_text_is_answered_alike_from_every_target(invoke: Invoke, every_target: Path, target: str) -> None:
    args = ("run", every_target, *QUESTION, "-q", "--json", "--top-k", "5")
    answers = json.loads(invoke(*args, "--target", target).stdout)
    expected = json.loads(invoke(*args, "--target", "onnx").stdout)
    assert [answer["text"] for answer in answers] == [answer["text"] for answer in expected]
    assert [answer["score"] for answer in answers] == pytest.approx([answer["score"] for answer in expected], abs=1e-4)


def test_int8_is_run_when_it_is_asked_for(invoke: Invoke, every_target: Path) -> None:
    args = ("run", every_target, *QUESTION, "-q", "--json", "--target", "tflite", "--precision")
    scores = {}
    for precision in ("int8", "fp32"):
        result = invoke(*args, precision)
        assert result.exit_code == 0, result.stderr
        scores[precision] = json.loads(result.stdout)["score"]
    with pipeline(every_target, file="tflite/model_int8.tflite") as ask:
        expected = ask(question=QUESTION[1], context=QUESTION[3]).score
    assert scores["int8"] == pytest.approx(expected, rel=1e-6)
    assert scores["fp32"] != pytest.approx(expected, rel=1e-4)


def test_a_bundle_of_several_targets_must_be_told_which(invoke: Invoke, every_target: Path) -> None:
    result = invoke("run", every_target, *QUESTION)
    assert result.exit_code == 2
    line = error_line(result.stderr)
    for file in ("onnx/model.onnx", "saved_model/1/saved_model.pb", "tflite/model.tflite"):
        assert file in line
    assert line.endswith("fix: name a target, a precision or a file")


def test_inspect_lists_every_artifact(invoke: Invoke, every_target: Path) -> None:
    text = invoke("inspect", every_target).stdout
    for start in ("onnx/model.onnx: onnx fp32", "saved_model/1/saved_model.pb: savedmodel fp32", "WHILE"):
        assert start in text
    assert "tflite/model_int8.tflite: tflite int8, rolled layers" in text


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("tflite", "--precision", "int8", "--calibrate", "absent.txt"), "absent.txt: No such file or directory"),
        (("tflite", "--calibrate", "builtin"), "calibration texts serve TFLite artifacts in int8"),
        (("tflite", "--sequence", "513"), "sequence must be at most max_position_embeddings, which is 512"),
        (("tflite", "--compat", "mediapipe"), "MediaPipe has a reader for text-classification"),
        (("tflite", "--compat", "task-library", "--sequence", "64", "--batch", "2"), "batch"),
        (("savedmodel", "--sequence", "513"), "sequence must be at most max_position_embeddings"),
        (
            ("savedmodel", "--precision", "int8"),
            "can be fp32; received int8; fix: choose fp32, or onnx, tflite or tensorrt for int8",
        ),
    ],
)
def test_bad_input_is_one_line_and_nothing_written(
    invoke: Invoke, tmp_path: Path, args: tuple[str, ...], told: str
) -> None:
    target, *options = args
    result = invoke(target, "--task", "qa", "--model", "albert-seeded", "--out", tmp_path / "qa", *options)
    assert result.exit_code == 2, result.stdout
    assert told in error_line(result.stderr.splitlines()[-1] + "\n")
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == []


def test_calibration_texts_that_are_binary(invoke: Invoke, tmp_path: Path) -> None:
    texts = tmp_path / "sentences.txt"
    texts.write_bytes(b"\x00\x01\xff\xfe")
    out = tmp_path / "qa"
    result = invoke(
        "tflite", "--task", "qa", "--model", "albert-seeded", "--out", out, "--precision", "int8", "--calibrate", texts
    )
    assert result.exit_code == 2
    assert "must be a text file in UTF-8" in error_line(result.stderr)
    assert not out.exists()


def test_a_miss_keeps_the_old_bundle(
    invoke: Invoke, exported: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    from albert_export.parity import criteria

    out = Path(shutil.copytree(exported("qa", "tflite"), tmp_path / "qa"))
    before = (out / "manifest.json").read_bytes()
    strict = criteria.Criterion(0.0, 10.0, least_snr_db=200.0)
    monkeypatch.setitem(criteria.CRITERIA, "int8", strict)
    result = invoke("tflite", "--task", "qa", "--model", "albert-seeded", "--out", out, "--precision", "int8", "-q")
    assert result.exit_code == 1
    assert "dB of at least 200" in error_line(result.stderr)
    assert (out / "manifest.json").read_bytes() == before
    assert (tmp_path / "qa.rejected" / "tflite" / "model_int8.tflite").is_file()
