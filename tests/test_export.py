"""The joint of all stages: what lands in a bundle, what is refused, and what stays when something fails."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import onnx
import pytest

import albert_export as ax
from albert_export import AlbertConfig, AlbertForMaskedLM, AlbertForQuestionAnswering
from albert_export.builtin import builtin_directory
from albert_export.bundle import Bundle
from albert_export.errors import (
    ConflictError,
    ExportError,
    InputError,
    MissingDependencyError,
    ParityError,
    UnknownNameError,
    WeightsMismatchError,
)
from albert_export.graphs import tracing
from albert_export.parity import REPORT_FILES


def tree(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def quick(out: Path, **options):
    return ax.export("onnx", **{"model": "albert-seeded", "task": "qa", "out": out, "parity": False, **options})


@pytest.fixture
def checkpoint(tmp_path) -> Path:
    config = AlbertConfig(
        vocab_size=100, embedding_size=8, hidden_size=16, num_attention_heads=2, intermediate_size=32,
        num_hidden_layers=3, max_position_embeddings=32,
    )  # fmt: skip
    AlbertForQuestionAnswering(config).save_pretrained(tmp_path / "checkpoint")
    return tmp_path / "checkpoint"


def test_a_proven_bundle_holds_what_its_readers_need(tmp_path):
    lines: list[str] = []
    bundle = ax.export("onnx", model="albert-seeded", task="qa", out=tmp_path / "qa", progress=lines.append)
    shared = {"config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "spiece.model"}
    made = {"manifest.json", "onnx/model.onnx", *REPORT_FILES}
    assert set(tree(bundle.path)) == shared | made
    (artifact,) = bundle.manifest.artifacts
    assert artifact.parity is not None
    assert artifact.parity["ok"] is True
    assert artifact.sharing["ratio"] == 1.0
    assert (artifact.layers, artifact.precision, artifact.opset) == ("rolled", "fp32", 20)
    assert json.loads((bundle.path / "config.json").read_text())["architectures"] == ["AlbertForQuestionAnswering"]
    properties = {item.key: item.value for item in onnx.load(bundle.path / "onnx/model.onnx").metadata_props}
    assert properties["checkpoint_sha256"] == bundle.manifest.source.sha256
    assert any("parity" in line for line in lines)
    assert not any("with it again" in line for line in lines)
    assert str(tmp_path) not in (bundle.path / "manifest.json").read_text()


def test_the_same_inputs_give_the_same_bytes(tmp_path):
    quick(tmp_path / "one")
    quick(tmp_path / "two")
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def test_forms_and_fixed_sizes_lie_side_by_side(tmp_path):
    quick(tmp_path / "qa")
    quick(tmp_path / "qa", layers="unrolled")
    bundle = quick(tmp_path / "qa", batch=1, sequence=64)
    files = [artifact.file for artifact in bundle.manifest.artifacts]
    assert files == ["onnx/model.onnx", "onnx/model_b1_s64.onnx", "onnx/model_unrolled.onnx"]
    fixed = next(artifact for artifact in bundle.manifest.artifacts if artifact.file.endswith("s64.onnx"))
    assert fixed.shapes == {"batch": 1, "sequence": 64}


def test_a_report_does_not_outlive_its_artifact(tmp_path):
    ax.export("onnx", model="albert-seeded", task="choice", out=tmp_path / "bundle")
    assert (tmp_path / "bundle/parity/report.json").exists()
    bundle = quick(tmp_path / "bundle", task="choice")
    assert not (tmp_path / "bundle/parity/report.json").exists()
    assert bundle.manifest.artifacts[0].parity is None


def test_another_task_or_checkpoint_is_refused_and_nothing_is_lost(tmp_path, checkpoint):
    quick(tmp_path / "qa")
    before = tree(tmp_path / "qa")
    with pytest.raises(ConflictError, match="holds the task question-answering"):
        quick(tmp_path / "qa", task="ner")
    with pytest.raises(ConflictError, match="one checkpoint"):
        quick(tmp_path / "qa", model=checkpoint)
    assert tree(tmp_path / "qa") == before


def test_a_checkpoint_without_a_tokenizer_gives_a_bundle_that_runs_on_ids(tmp_path, checkpoint):
    lines: list[str] = []
    bundle = ax.export("onnx", model=checkpoint, task="qa", out=tmp_path / "qa", progress=lines.append)
    assert any("no tokenizer" in line for line in lines)
    with ax.load(bundle.path) as session:
        assert session.run(input_ids=[[2, 7, 3]])["start_logits"].shape == (1, 3)


def test_a_tokenizer_that_the_checkpoint_no_longer_has_leaves_the_bundle(tmp_path, checkpoint):
    shutil.copy(builtin_directory("albert-seeded") / "spiece.model", checkpoint)
    assert (quick(tmp_path / "qa", model=checkpoint).path / "tokenizer.json").exists()
    (checkpoint / "spiece.model").unlink()
    bundle = quick(tmp_path / "qa", model=checkpoint, layers="unrolled")
    assert [record.path for record in bundle.manifest.files] == ["config.json"]
    assert set(tree(bundle.path)) == {"manifest.json", "config.json", "onnx/model.onnx", "onnx/model_unrolled.onnx"}


def test_no_path_of_the_machine_that_saved_the_checkpoint_is_shipped(tmp_path, checkpoint):
    config = json.loads((checkpoint / "config.json").read_text())
    config.update(_name_or_path="/srv/people/ada/albert", gap_size=0)
    (checkpoint / "config.json").write_text(json.dumps(config))
    bundle = quick(tmp_path / "qa", model=checkpoint)
    shipped = json.loads((bundle.path / "config.json").read_text())
    assert "_name_or_path" not in shipped
    assert shipped["gap_size"] == 0


def test_a_missing_head_is_refused_unless_asked_for(tmp_path, checkpoint):
    with pytest.raises(WeightsMismatchError, match=r"missing: \[.*classifier\.weight.*--allow-random-head"):
        quick(tmp_path / "ner", model=checkpoint, task="ner")
    assert not (tmp_path / "ner").exists()
    bundle = ax.export("onnx", model=checkpoint, task="ner", out=tmp_path / "ner", allow_random_head=True)
    assert bundle.manifest.artifacts[0].facts["fresh_weights"] == ["classifier.bias", "classifier.weight"]
    again = quick(tmp_path / "again", model=checkpoint, task="ner", allow_random_head=True)
    assert again.manifest.artifacts[0].files == bundle.manifest.artifacts[0].files


def test_weights_over_the_limit_of_one_message_lie_beside_the_graph(tmp_path, monkeypatch, checkpoint):
    from albert_export.graphs import onnx_emitter

    real = onnx_emitter.write_onnx
    monkeypatch.setattr(onnx_emitter, "write_onnx", lambda model, path, **_: real(model, path, largest_message=20_000))
    bundle = ax.export("onnx", model=checkpoint, task="qa", out=tmp_path / "qa")
    (artifact,) = bundle.manifest.artifacts
    assert [record.path for record in artifact.files] == ["onnx/model.onnx", "onnx/model.onnx_data"]
    assert artifact.facts["external_data"] is True
    with ax.load(bundle.path) as session:
        assert session.run(input_ids=[[2, 7, 3]])["end_logits"].shape == (1, 3)


def test_a_tied_decoder_stays_one_table(tmp_path):
    config = AlbertConfig(
        vocab_size=3000, embedding_size=64, hidden_size=32, num_attention_heads=2, intermediate_size=32
    )
    AlbertForMaskedLM(config).save_pretrained(tmp_path / "mlm")
    bundle = quick(tmp_path / "out", model=tmp_path / "mlm", task="mlm")
    table = 3000 * 64 * 4
    assert table <= bundle.manifest.artifacts[0].sharing["stored_weight_bytes"] < 2 * table


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"task": "qna"}, UnknownNameError, "task must be one of .*received qna; fix: did you mean qa"),
        ({"precision": "int3"}, UnknownNameError, "precision must be one of fp32"),
        ({"layers": "coiled"}, UnknownNameError, "layers must be one of rolled, unrolled.*did you mean rolled"),
        ({"sequence": 513}, InputError, "sequence must be at most max_position_embeddings, which is 512; received 513"),
        ({"batch": 0}, InputError, "batch must be a whole number from 1 to 2147483647; received 0"),
        ({"batch": 2**31}, InputError, "batch must be a whole number from 1 to 2147483647; received 2147483648"),
        ({"batch": 1.5}, InputError, "batch must be a whole number .*; received 1.5"),
        ({"batch": True}, InputError, "batch must be a whole number .*; received True"),
        ({"sequence": "8"}, InputError, "sequence must be a whole number .*; received 8"),
        ({"choices": 4}, InputError, "question-answering has no axis choices"),
        ({"opset": 17}, ExportError, "opset must be a whole number from 18 to .*; received 17"),
        ({"opset": 20.0}, ExportError, "opset must be a whole number .*; received 20.0"),
        ({"opset": "20"}, ExportError, "opset must be a whole number .*; received 20"),
    ],
)
def test_bad_options_are_one_line_and_write_nothing(tmp_path, options, error, message):
    with pytest.raises(error, match=message) as caught:
        quick(tmp_path / "out", **options)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("target", "package", "extras"),
    [
        ("onnx", "onnxruntime", "onnx,onnxruntime"),
        ("tflite", "ai_edge_litert", "tensorflow,tflite,onnx"),
        ("stablehlo", "torch", "jax,onnx"),
    ],
)
def test_what_a_proof_needs_is_looked_for_before_anything_is_traced(tmp_path, monkeypatch, target, package, extras):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == package else find(name, *rest))
    lines: list[str] = []
    with pytest.raises(MissingDependencyError, match=f"needs the package {package}, which is not installed") as caught:
        ax.export(target, task="qa", out=tmp_path / "out", progress=lines.append)
    fix = f"fix: pip install 'albert-export[{extras}]', or export without a proof: --no-parity"
    assert str(caught.value).endswith(fix)
    assert lines == []
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_target_is_named():
    with pytest.raises(UnknownNameError, match="target must be one of onnx"):
        ax.export("onxx", model="albert-seeded", task="qa", out="nowhere")


def shorter(model, *arguments, **options):
    """Trace one layer fewer; everything else is the real export, runtime and comparator."""
    model.albert.encoder.config.num_hidden_layers -= 1
    return tracing.trace(model, *arguments, **options)


def test_a_miss_names_the_older_artifact_that_differs(tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr("albert_export.graphs.onnx_emitter.trace", shorter)
        quick(tmp_path / "choice", task="choice")
    lines: list[str] = []
    before = tree(tmp_path / "choice")
    with pytest.raises(ParityError, match=r"^onnx/model\.onnx, which the bundle held before, must compute") as caught:
        ax.export(
            "onnx",
            model="albert-seeded",
            task="choice",
            out=tmp_path / "choice",
            layers="unrolled",
            progress=lines.append,
        )
    assert "parity: with it again onnx/model.onnx, which the bundle holds already" in lines
    told = str(caught.value)
    assert "; received onnx/model.onnx: " in told
    assert "; the new onnx/model_unrolled.onnx passes; fix: first export onnx/model.onnx again, or export " in told
    assert tree(tmp_path / "choice") == before


def test_a_chosen_part_with_nothing_to_quantise_is_told_and_is_not_in_the_manifest(tmp_path):
    told: list[str] = []
    bundle = quick(tmp_path / "qa", precision="int8", quantize="ffn,head", progress=told.append)
    assert bundle.manifest.artifacts[0].facts["quantized"] == ["ffn"]
    assert [line for line in told if line.startswith("warning")] == [
        "warning: head has no matrix with 16 outputs or more: nothing of it is in int8"
    ]


def test_a_new_and_an_older_artifact_that_both_differ_are_told_apart(tmp_path, monkeypatch):
    monkeypatch.setattr("albert_export.graphs.onnx_emitter.trace", shorter)
    quick(tmp_path / "choice", task="choice")
    with pytest.raises(ParityError) as caught:
        ax.export("onnx", model="albert-seeded", task="choice", out=tmp_path / "choice", layers="unrolled")
    assert str(caught.value).startswith(
        "onnx/model.onnx, which the bundle held before, and onnx/model_unrolled.onnx must compute"
    )
    assert "passes" not in str(caught.value)


def test_a_miss_keeps_the_old_bundle_and_shows_the_candidate(tmp_path, monkeypatch):
    quick(tmp_path / "qa")
    before = tree(tmp_path / "qa")
    monkeypatch.setattr("albert_export.graphs.onnx_emitter.trace", shorter)
    with pytest.raises(
        ParityError, match=r"must compute what the eager model computes; received .*_logits at"
    ) as caught:
        ax.export("onnx", model="albert-seeded", task="qa", out=tmp_path / "qa")
    assert caught.value.exit_code == 1
    assert tree(tmp_path / "qa") == before
    rejected = Bundle.open(tmp_path / "qa.rejected")
    assert rejected.manifest.artifacts[0].parity["ok"] is False
    report = json.loads((tmp_path / "qa.rejected/parity/report.json").read_text())
    assert report["ok"] is False


def test_an_error_while_the_graph_is_made_keeps_the_old_bundle(tmp_path, monkeypatch):
    quick(tmp_path / "qa")
    before = tree(tmp_path / "qa")

    def interrupted(*_arguments, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr("albert_export.graphs.onnx_emitter.check_onnx", interrupted)
    with pytest.raises(KeyboardInterrupt):
        quick(tmp_path / "qa", layers="unrolled")
    assert tree(tmp_path / "qa") == before
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["qa"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one process")
def test_control_c_in_the_middle_leaves_nothing(tmp_path):
    program = "from albert_export.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", program, "onnx", "--task", "qa", "--model", "albert-seeded", "--out", tmp_path / "qa"],
        stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    seen = ""
    deadline = time.monotonic() + 120
    while "tracing" not in seen and time.monotonic() < deadline:
        seen += process.stderr.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert out == ""
    assert "Traceback" not in seen + err
    assert [path.name for path in tmp_path.iterdir() if not path.name.endswith(".lock")] == []
