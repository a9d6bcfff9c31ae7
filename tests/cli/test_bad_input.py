"""What bad input gets: one line with rule, received value and fix; exit code 2; nothing written, nothing lost."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from albert_export.builtin import builtin_directory
from albert_export.tasks import get_task
from tests.cli.conftest import Invoke
from tests.cli.test_program import error_line

#: What the code in the hostile pickle leaves behind, if it is ever run.
PROOF = "the-code-ran"

Vandal = Callable[[Path], None]


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A question-answering checkpoint in a directory of its own, to be damaged."""
    source = builtin_directory("albert-seeded", task=get_task("question-answering"), cache=tmp_path / "cache")
    return Path(shutil.copytree(source, tmp_path / "checkpoint"))


def remove_everything(checkpoint: Path) -> None:
    for path in checkpoint.iterdir():
        path.unlink()


def truncate_weights(checkpoint: Path) -> None:
    weights = checkpoint / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])


def truncate_header(checkpoint: Path) -> None:
    weights = checkpoint / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])


def pickle_with_code(checkpoint: Path) -> None:
    """A torch file whose pickle calls ``os.system``, as a protocol-2 stream written by hand."""
    (checkpoint / "model.safetensors").unlink()
    command = f"touch {checkpoint}/{PROOF}".encode()
    program = b"\x80\x02cposix\nsystem\n(X" + len(command).to_bytes(4, "little") + command + b"tR."
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", program)
        archive.writestr("archive/version", "3\n")
        archive.writestr("archive/byteorder", "little")
    (checkpoint / "pytorch_model.bin").write_bytes(buffer.getvalue())


def edit_config(**fields: object) -> Vandal:
    def edit(checkpoint: Path) -> None:
        path = checkpoint / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **fields}), encoding="utf-8")

    return edit


def break_config(checkpoint: Path) -> None:
    (checkpoint / "config.json").write_text("{", encoding="utf-8")


def remove_config(checkpoint: Path) -> None:
    (checkpoint / "config.json").unlink()


def remove_weights(checkpoint: Path) -> None:
    (checkpoint / "model.safetensors").unlink()


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (remove_everything, "config.json"),
        (remove_config, "config.json"),
        (break_config, "config.json"),
        (remove_weights, "model.safetensors"),
        (truncate_weights, "model.safetensors"),
        (truncate_header, "model.safetensors"),
        (pickle_with_code, "pytorch_model.bin"),
        (edit_config(vocab_size=17), "word_embeddings"),
        (edit_config(intermediate_size=8), "ffn"),
        (edit_config(hidden_act="swishy"), "hidden_act"),
        (edit_config(num_attention_heads=7), "num_attention_heads"),
    ],
    ids=lambda value: getattr(value, "__name__", "") if callable(value) else value,
)
def test_a_damaged_checkpoint_is_refused(
    invoke: Invoke, checkpoint: Path, tmp_path: Path, damage: Vandal, told: str
) -> None:
    damage(checkpoint)
    out = tmp_path / "out"
    result = invoke("onnx", "--task", "qa", "--model", checkpoint, "--out", out, "--quiet")
    assert result.exit_code == 2, result.stderr
    assert result.stdout == ""
    assert told in error_line(result.stderr)
    assert not out.exists()
    assert not (checkpoint / PROOF).exists()


def test_a_head_that_the_checkpoint_lacks_is_refused_unless_asked_for(
    invoke: Invoke, checkpoint: Path, tmp_path: Path
) -> None:
    from safetensors.numpy import load_file

    from albert_export.checkpoints.writing import write_safetensors

    weights = checkpoint / "model.safetensors"
    kept = {name: tensor for name, tensor in load_file(weights).items() if not name.startswith("qa_outputs.")}
    write_safetensors(weights, kept)
    args = ("onnx", "--task", "qa", "--model", checkpoint, "--out", tmp_path / "out", "--quiet")
    result = invoke(*args)
    assert result.exit_code == 2
    line = error_line(result.stderr)
    assert "qa_outputs.weight" in line
    assert "--allow-random-head" in line
    assert not (tmp_path / "out").exists()

    made = invoke(*args, "--allow-random-head", "--no-parity")
    assert made.exit_code == 0, made.stderr
    notice = "qa_outputs.bias, qa_outputs.weight: not in the checkpoint, drawn at random"
    for shown in (made.stdout, invoke("inspect", tmp_path / "out").stdout):
        assert f"RANDOM   {notice}" in shown
    texts = ("--question", "Who?", "--context", "Ada.")
    assert f"note: {notice}" in invoke("run", tmp_path / "out", *texts).stderr
    assert invoke("run", tmp_path / "out", *texts, "-q").stderr == ""


@pytest.mark.parametrize(
    ("task", "nearest"),
    [("question-answerng", "question-answering"), ("nerr", "ner"), ("text_classification", "text-classification")],
)
def test_an_unknown_task_gets_the_nearest_names(invoke: Invoke, tmp_path: Path, task: str, nearest: str) -> None:
    result = invoke("onnx", "--task", task, "--out", tmp_path / "out")
    assert result.exit_code == 2
    line = error_line(result.stderr)
    assert f"received {task}" in line
    assert f"did you mean {nearest}" in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("model", ["nowhere/at/all", "./nowhere", "/nowhere", "albert-sedded"])
def test_a_model_that_is_not_there_is_told(invoke: Invoke, tmp_path: Path, model: str) -> None:
    result = invoke("onnx", "--task", "qa", "--model", model, "--out", tmp_path / "out", "--offline")
    assert result.exit_code == 2
    assert model in error_line(result.stderr)


def test_an_output_below_a_file_is_refused(invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    result = invoke(
        "onnx", "--task", "qa", "--model", "albert-seeded", "--out", tmp_path / "file" / "out", "--no-parity", "--quiet"
    )
    assert result.exit_code == 2
    error_line(result.stderr)
    assert (tmp_path / "file").read_text(encoding="utf-8") == "mine"


def test_a_directory_that_is_no_bundle_is_never_written_over(invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "holiday.jpg").write_bytes(b"jpg")
    result = invoke(
        "onnx", "--task", "qa", "--model", "albert-seeded", "--out", tmp_path / "photos", "--no-parity", "--quiet"
    )
    assert result.exit_code == 2
    error_line(result.stderr)
    assert [path.name for path in (tmp_path / "photos").iterdir()] == ["holiday.jpg"]


@pytest.mark.parametrize("command", ["inspect", "parity", "run"])
@pytest.mark.parametrize("kind", ["missing", "empty", "file"])
def test_what_is_no_bundle_is_told(invoke: Invoke, tmp_path: Path, command: str, kind: str) -> None:
    path = tmp_path / "bundle"
    if kind == "empty":
        path.mkdir()
    elif kind == "file":
        path.write_text("hello", encoding="utf-8")
    result = invoke(command, path)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert str(path) in error_line(result.stderr)
