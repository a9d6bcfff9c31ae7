"""What `check_parity` takes, what it refuses, and where the reference comes from."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import albert_export
from albert_export.bundle import Bundle
from albert_export.checkpoints import Checkpoint, Source, open_checkpoint, write_sharded
from albert_export.errors import (
    BundleError,
    CheckpointError,
    InputError,
    IntegrityError,
    UnknownNameError,
    WeightsMismatchError,
)
from albert_export.exporting import export
from albert_export.parity import check_parity, source
from albert_export.parity.oracle import Oracle
from tests.conftest import Exported
from tests.parity.conftest import MakeBundle, MakeCheckpoint, write_checkpoint

QA = "question-answering"


@pytest.fixture
def bundle(bundle_of: MakeBundle) -> Bundle:
    return bundle_of(QA)


def from_source(bundle: Bundle, **changes: Any) -> Bundle:
    """The bundle as if its manifest named another source of the same weights."""
    changed = dataclasses.replace(bundle.manifest.source, **changes)
    return Bundle(bundle.path, dataclasses.replace(bundle.manifest, source=changed))


def test_a_bundle_is_given_opened_or_as_a_path(bundle: Bundle, checkpoint_of: MakeCheckpoint) -> None:
    by_path = check_parity(bundle.path, model=str(checkpoint_of(QA)))
    opened = check_parity(bundle, model=open_checkpoint(checkpoint_of(QA)))
    assert by_path.ok
    assert [item.outputs for item in by_path.artifacts] == [item.outputs for item in opened.artifacts]
    assert albert_export.check_parity is check_parity


def test_a_built_in_model_is_found_again(exported: Exported) -> None:
    report = check_parity(exported(QA))
    assert report.ok, report.summary_table()
    assert report.source.kind == "builtin"


def test_a_directory_is_not_found_again_and_must_be_given(bundle: Bundle) -> None:
    with pytest.raises(CheckpointError, match=r"directory called tiny.*--model") as caught:
        check_parity(bundle)
    assert caught.value.exit_code == 2


def test_a_built_in_model_of_another_release_must_be_given(bundle: Bundle) -> None:
    with pytest.raises(CheckpointError, match="no built-in model albert-gone"):
        check_parity(from_source(bundle, kind="builtin", name="albert-gone"))


def test_a_hub_model_is_opened_at_the_commit_the_manifest_names(
    bundle: Bundle, opened: Checkpoint, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[tuple[Any, ...]] = []

    def open_hub(model: Any, *, revision: str | None, cache_dir: Any, local_files_only: bool, **_: Any) -> Checkpoint:
        asked.append((model, revision, cache_dir, local_files_only))
        return opened

    monkeypatch.setattr(source, "open_checkpoint", open_hub)
    on_hub = from_source(bundle, kind="hub", name="owner/name", revision="c0ffee")
    assert check_parity(on_hub, cache_dir=tmp_path, local_files_only=True).ok
    check_parity(on_hub, model="owner/name", revision="main")
    check_parity(on_hub, model="other/name")
    assert asked == [
        ("owner/name", "c0ffee", tmp_path, True),
        ("owner/name", "main", None, False),
        ("other/name", None, None, False),
    ]


def test_another_checkpoint_is_refused_by_its_hash(bundle: Bundle, checkpoint_of: MakeCheckpoint) -> None:
    other = checkpoint_of(QA, seed=1)
    with pytest.raises(CheckpointError, match="sha256") as caught:
        check_parity(bundle, model=other)
    assert bundle.manifest.source.sha256[:16] in str(caught.value)
    assert open_checkpoint(other).source.sha256[:16] in str(caught.value)


def test_no_model_of_that_name(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError):
        check_parity(bundle, model=tmp_path / "absent")


def test_an_altered_file_is_no_parity_miss(bundle: Bundle, checkpoint_of: MakeCheckpoint, tmp_path: Path) -> None:
    shutil.copytree(bundle.path, tmp_path / "altered")
    with (tmp_path / "altered/onnx/model.onnx").open("ab") as file:
        file.write(b"x")
    with pytest.raises(IntegrityError):
        check_parity(tmp_path / "altered", model=checkpoint_of(QA))


def test_targets(bundle: Bundle, opened: Checkpoint) -> None:
    for targets in ("all", "onnx", ["onnx"], ("all",)):
        assert [item.file for item in check_parity(bundle, model=opened, targets=targets).artifacts] == [
            "onnx/model.onnx"
        ]
    with pytest.raises(UnknownNameError, match="onnx"):
        check_parity(bundle, model=opened, targets="onx")


def test_a_bundle_without_artifacts(bundle: Bundle, opened: Checkpoint) -> None:
    empty = Bundle(bundle.path, dataclasses.replace(bundle.manifest, artifacts=()))
    with pytest.raises(BundleError, match="without any"):
        check_parity(empty, model=opened)


def test_a_precision_that_cannot_be_judged_is_no_pass(bundle: Bundle, opened: Checkpoint) -> None:
    (artifact,) = bundle.manifest.artifacts
    narrow = dataclasses.replace(artifact, precision="int2")
    with pytest.raises(UnknownNameError, match="int2"):
        check_parity(Bundle(bundle.path, dataclasses.replace(bundle.manifest, artifacts=(narrow,))), model=opened)


def test_a_bundle_without_tokenizer_is_checked_on_random_ids(
    bundle_of: MakeBundle, checkpoint_of: MakeCheckpoint
) -> None:
    options = {"tokenizer": False}
    report = check_parity(bundle_of(QA, options), model=checkpoint_of(QA, **options))
    assert report.ok
    assert not report.text
    assert "no tokenizer" in report.summary_table()
    assert "no tokenizer" in report.to_markdown()
    assert {case.padding for case in report.artifacts[0].cases} == {"none", "right", "left", "mixed"}


def test_a_head_that_was_drawn_at_random_is_drawn_again(tmp_path: Path) -> None:
    source = write_checkpoint(tmp_path / "encoder", QA, head_of="feature-extraction")
    bundle = export("onnx", model=source, task=QA, out=tmp_path / "out", allow_random_head=True, parity=False)
    assert bundle.manifest.artifacts[0].facts["fresh_weights"]
    report = check_parity(bundle, model=source)
    assert report.ok, report.summary_table()
    with pytest.raises(WeightsMismatchError, match="qa_outputs"):
        check_parity(bundle, model=source, allow_random_head=False)


def test_a_checkpoint_with_nan_cannot_be_a_reference(
    bundle: Bundle, tmp_path: Path, checkpoint_of: MakeCheckpoint
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(checkpoint_of(QA), broken)
    tensors = {name: np.array(value) for name, value in open_checkpoint(broken).numpy_tensors().items()}
    tensors["qa_outputs.bias"][1] = np.nan
    (broken / "model.safetensors").unlink()
    write_sharded(broken, tensors)
    source = open_checkpoint(broken).source
    with pytest.raises(CheckpointError, match="end_logits"):
        check_parity(from_source(bundle, sha256=source.sha256), model=broken)


def test_artifacts_that_take_the_same_shapes_share_the_eager_model(
    checkpoint_of: MakeCheckpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = checkpoint_of(QA)
    for options in ({}, {"layers": "unrolled"}, {"sequence": 12}):
        bundle = export("onnx", model=source, task=QA, out=tmp_path / "out", parity=False, **options)  # type: ignore[arg-type]
    runs: list[int] = []
    run = Oracle.run

    def counted(self: Oracle, inputs: Any) -> Any:
        runs.append(inputs["input_ids"].shape[-1])
        return run(self, inputs)

    monkeypatch.setattr(Oracle, "run", counted)
    report = check_parity(bundle, model=source)
    assert report.ok, report.summary_table()
    assert [item.file for item in report.artifacts] == [
        "onnx/model.onnx",
        "onnx/model_s12.onnx",
        "onnx/model_unrolled.onnx",
    ]
    dynamic, fixed, unrolled = report.artifacts
    assert dynamic.cases == unrolled.cases
    assert len(runs) == len(dynamic.cases) + len(fixed.cases)
    assert [output.e0 for output in dynamic.outputs] == [output.e0 for output in unrolled.outputs]


def test_the_seed_chooses_the_random_ids(bundle: Bundle, opened: Checkpoint) -> None:
    first, same, other = (check_parity(bundle, model=opened, seed=seed).artifacts[0].outputs for seed in (1, 1, 2))
    assert first == same
    assert first != other


def test_the_report_tells_no_path_of_this_machine(bundle: Bundle, opened: Checkpoint, tmp_path: Path) -> None:
    report = check_parity(bundle, model=opened)
    for text in (report.to_json(), report.to_markdown(), report.summary_table(), report.worst()):
        assert str(opened.directory.parent) not in text
        assert str(bundle.path.parent) not in text
    environment = json.loads(report.to_json())["environment"]
    assert {"albert-export", "python", "torch", "numpy", "onnxruntime", "system", "processor"} <= environment.keys()


def test_an_export_is_proven_and_keeps_the_figures(checkpoint_of: MakeCheckpoint, tmp_path: Path) -> None:
    lines: list[str] = []
    bundle = export("onnx", model=checkpoint_of(QA), task=QA, out=tmp_path / "out", progress=lines.append)
    (artifact,) = bundle.manifest.artifacts
    assert artifact.parity is not None
    assert artifact.parity["ok"] is True
    assert set(artifact.parity["outputs"]) == {"start_logits", "end_logits"}
    assert (bundle.path / "parity/report.json").is_file()
    assert (bundle.path / "parity/report.md").is_file()
    assert any(line.startswith("parity") for line in lines)
    assert artifact.parity == check_parity(bundle, model=checkpoint_of(QA)).for_artifact(artifact.file)


def test_the_source_of_the_report_is_the_checkpoint_that_was_opened(bundle: Bundle, opened: Checkpoint) -> None:
    report = check_parity(bundle, model=opened)
    assert report.source == opened.source == Source("directory", "tiny", None, bundle.manifest.source.sha256)


@pytest.mark.parametrize("seed", [-1, 1.5, True])
def test_a_seed_that_is_none_is_told(bundle: Bundle, seed: Any) -> None:
    with pytest.raises(InputError, match=r"seed must be a whole number of at least 0; received .*; fix: "):
        check_parity(bundle, seed=seed)
