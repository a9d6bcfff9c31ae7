from __future__ import annotations

import dataclasses
import json
import os
import shutil
from pathlib import Path
from typing import Literal

import pytest

from albert_export.bundle import Artifact, Bundle, BundleWriter, FileRecord, Manifest
from albert_export.config import AlbertConfig
from albert_export.errors import BundleError, ConfigError, IntegrityError, UnknownNameError
from tests.bundle.builders import SOURCE, TASK, artifact, fill, onnx_bytes, tree, write_bundle


def test_a_written_bundle_opens_with_what_was_put_into_it(tmp_path: Path) -> None:
    written = write_bundle(tmp_path / "qa")
    opened = Bundle.open(tmp_path / "qa")
    assert opened == written
    assert opened.task.name == TASK
    assert isinstance(opened.config, AlbertConfig)
    assert opened.manifest.source == SOURCE
    assert opened.file(opened.select()).read_bytes() == onnx_bytes("first")
    assert opened.path.is_absolute()


def test_a_bundle_opens_by_a_relative_path_and_through_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_bundle(tmp_path / "qa")
    (tmp_path / "link").symlink_to("qa")
    monkeypatch.chdir(tmp_path)
    for name in ("qa", "qa/", "./link", str(tmp_path / "link")):
        assert Bundle.open(name).path == Path(os.path.realpath(tmp_path)) / "qa"


def test_opening_writes_nothing(tmp_path: Path) -> None:
    write_bundle(tmp_path / "qa")
    before = {path: path.lstat().st_mtime_ns for path in [tmp_path, *tmp_path.rglob("*")]}
    Bundle.open(tmp_path / "qa")
    assert {path: path.lstat().st_mtime_ns for path in [tmp_path, *tmp_path.rglob("*")]} == before


@pytest.mark.parametrize("what", ["missing", "file", "empty"])
def test_a_place_without_a_bundle_is_told_in_one_line(tmp_path: Path, what: str) -> None:
    path = tmp_path / "qa"
    if what == "file":
        path.write_text("x")
    elif what == "empty":
        path.mkdir()
    with pytest.raises(BundleError, match=r"must be a directory with a manifest\.json") as caught:
        Bundle.open(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(BundleError, match=r"must be a directory with a manifest\.json"):
        Bundle.open(path / "below")


def damage_size(root: Path) -> None:
    (root / "onnx/model.onnx").write_bytes(onnx_bytes("first") + b"\x08\x01")


def damage_byte(root: Path) -> None:
    (root / "onnx/model.onnx").write_bytes(onnx_bytes("fIrst"))


def damage_config(root: Path) -> None:
    (root / "config.json").write_text('{"model_type": "ALBERT"}\n')


def remove_model(root: Path) -> None:
    (root / "onnx/model.onnx").unlink()


def folder_for_model(root: Path) -> None:
    remove_model(root)
    (root / "onnx/model.onnx").mkdir()


def file_for_folder(root: Path) -> None:
    shutil.rmtree(root / "onnx")
    (root / "onnx").write_text("x")


def link_outside(root: Path) -> None:
    (root / "onnx/model.onnx").rename(root.parent / "model.onnx")
    (root / "onnx/model.onnx").symlink_to("../../model.onnx")


@pytest.mark.parametrize(
    ("damage", "told", "seen_by_sizes"),
    [
        (damage_size, r"onnx/model\.onnx .*must have 9 bytes.*received 11 bytes", True),
        (damage_byte, r"onnx/model\.onnx .*must have the sha256", False),
        (damage_config, r"config\.json .*must have the sha256", False),
        (remove_model, r"onnx/model\.onnx .*must be there", True),
        (folder_for_model, r"onnx/model\.onnx .*must be a file", True),
        (file_for_folder, r"onnx/model\.onnx .*must be there", True),
        (link_outside, r"no link of a bundle may lead out of it: onnx/model\.onnx", True),
    ],
)
def test_a_damaged_file_is_named_with_the_rule_and_the_fix(
    tmp_path: Path, damage: object, told: str, seen_by_sizes: bool
) -> None:
    write_bundle(tmp_path / "qa")
    assert callable(damage)
    damage(tmp_path / "qa")
    with pytest.raises(IntegrityError, match=told) as caught:
        Bundle.open(tmp_path / "qa")
    assert "fix: " in str(caught.value) and "\n" not in str(caught.value)
    if seen_by_sizes:
        with pytest.raises(IntegrityError, match=told):
            Bundle.open(tmp_path / "qa", verify="sizes")
    else:
        assert Bundle.open(tmp_path / "qa", verify="sizes").manifest.task == TASK
    assert Bundle.open(tmp_path / "qa", verify=False).manifest.task == TASK


@pytest.mark.parametrize("verify", [True, "sizes", False])
def test_a_manifest_that_points_outside_is_refused_at_every_level(
    tmp_path: Path, verify: bool | Literal["sizes"]
) -> None:
    root = write_bundle(tmp_path / "qa").path
    data = json.loads((root / "manifest.json").read_text())
    data["files"][0]["path"] = "../secret"
    (root / "manifest.json").write_text(json.dumps(data))
    with pytest.raises(IntegrityError, match="must be relative"):
        Bundle.open(root, verify=verify)


def test_a_manifest_that_is_a_link_to_elsewhere_is_refused(tmp_path: Path) -> None:
    root = write_bundle(tmp_path / "qa").path
    (root / "manifest.json").rename(tmp_path / "manifest.json")
    (root / "manifest.json").symlink_to("../manifest.json")
    with pytest.raises(IntegrityError, match="may lead out of it"):
        Bundle.open(root)


def test_one_artifact_is_verified_without_reading_the_others(tmp_path: Path) -> None:
    root = write_bundle(tmp_path / "qa", {"onnx/model.onnx": "first", "onnx/model_unrolled.onnx": "other"}).path
    (root / "onnx/model_unrolled.onnx").write_bytes(onnx_bytes("oTher"))
    bundle = Bundle.open(root, verify="sizes")
    bundle.verify(bundle.select(file="onnx/model.onnx"))
    with pytest.raises(IntegrityError, match="model_unrolled"):
        bundle.verify(bundle.select(file="onnx/model_unrolled.onnx"))
    with pytest.raises(IntegrityError, match="model_unrolled"):
        bundle.verify()
    (root / "config.json").write_text("{}")
    with pytest.raises(IntegrityError, match=r"config\.json"):
        bundle.verify(bundle.select(file="onnx/model.onnx"))


def test_a_model_that_reads_an_unlisted_file_is_refused(tmp_path: Path) -> None:
    import onnx

    tensor = onnx.TensorProto(name="w", data_type=1, dims=[1], data_location=1)
    tensor.external_data.add(key="location", value="weights.data")
    model = onnx.helper.make_model(onnx.helper.make_graph([], "main", [], [], [tensor])).SerializeToString()
    with BundleWriter(tmp_path / "qa", task=TASK, source=SOURCE) as writer:
        record = writer.write_bytes("onnx/model.onnx", model)
        writer.put_artifact(artifact("onnx/model.onnx", (record,)))
        with pytest.raises(IntegrityError, match=r"external data of onnx/model\.onnx .*weights\.data"):
            writer.commit()
        weights = writer.write_bytes("onnx/weights.data", b"1234")
        writer.put_artifact(artifact("onnx/model.onnx", (record, weights)))
        bundle = writer.commit()
    shorter = dataclasses.replace(
        bundle.manifest, artifacts=(dataclasses.replace(bundle.manifest.artifacts[0], files=(record,)),)
    )
    (bundle.path / "manifest.json").write_text(shorter.to_json())
    with pytest.raises(IntegrityError, match=r"external data of onnx/model\.onnx"):
        Bundle.open(bundle.path, verify="sizes")


def test_files_that_no_manifest_lists_are_the_users_own(tmp_path: Path) -> None:
    root = write_bundle(tmp_path / "qa").path
    (root / "README.md").write_text("mine")
    (root / ".cache").mkdir()
    assert Bundle.open(root).manifest.task == TASK


def test_a_bundle_of_a_task_this_release_lacks_is_refused(tmp_path: Path) -> None:
    root = write_bundle(tmp_path / "qa").path
    text = (root / "manifest.json").read_text().replace(f'"{TASK}"', '"question-asking"')
    (root / "manifest.json").write_text(text)
    with pytest.raises(UnknownNameError, match="did you mean question-answering"):
        Bundle.open(root)


def test_a_missing_configuration_is_an_error_when_it_is_asked_for(tmp_path: Path) -> None:
    with BundleWriter(tmp_path / "qa", task=TASK, source=SOURCE) as writer:
        bundle = writer.commit()
    with pytest.raises(ConfigError, match="must be readable"):
        _ = bundle.config


def with_artifacts(*rows: tuple[str, str, str, str] | Artifact) -> Bundle:
    made = []
    for row in rows:
        if isinstance(row, Artifact):
            made.append(row)
        else:
            file, target, precision, layers = row
            record = FileRecord(file, "1" * 64, 1)
            made.append(artifact(file, (record,), target=target, precision=precision, layers=layers))
    return Bundle(Path("/bundles/qa"), Manifest(1, "0.1.0", TASK, SOURCE, (), tuple(made)))


FP32 = ("onnx/model.onnx", "onnx", "fp32", "rolled")
UNROLLED = ("onnx/model_unrolled.onnx", "onnx", "fp32", "unrolled")
INT8 = ("onnx/model_int8.onnx", "onnx", "int8", "rolled")
FP16 = ("onnx/model_fp16.onnx", "onnx", "fp16", "rolled")
TFLITE = ("tflite/model.tflite", "tflite", "fp32", "rolled")
FIXED = artifact(
    "onnx/model_b1_s384.onnx",
    (FileRecord("onnx/model_b1_s384.onnx", "1" * 64, 1),),
    shapes={"batch": 1, "sequence": 384},
)


def test_select_takes_fp32_by_default_else_the_only_one() -> None:
    assert with_artifacts(FP32, INT8).select().file == FP32[0]
    assert with_artifacts(INT8).select().file == INT8[0]
    assert with_artifacts(FP32, INT8).select(precision="int8").file == INT8[0]
    assert with_artifacts(FP32, TFLITE).select("tflite").file == TFLITE[0]
    assert with_artifacts(INT8, TFLITE).select(target="onnx").file == INT8[0]
    assert with_artifacts(INT8, TFLITE).select().file == TFLITE[0]


def test_select_takes_the_plain_form_of_several_and_any_by_its_file() -> None:
    bundle = with_artifacts(FP32, UNROLLED, FIXED)
    assert bundle.select("onnx").file == FP32[0]
    assert bundle.select(file=UNROLLED[0]).file == UNROLLED[0]
    assert bundle.select(file=FIXED.file).file == FIXED.file
    assert with_artifacts(UNROLLED).select().file == UNROLLED[0]


@pytest.mark.parametrize(
    ("rows", "asked", "told"),
    [
        ((FP32, TFLITE), {}, r"must be meant.*onnx/model\.onnx \(onnx, fp32\), tflite/model\.tflite \(tflite, fp32\)"),
        ((INT8, FP16), {}, r"must be meant.*model_fp16\.onnx.*model_int8\.onnx"),
        ((UNROLLED, FIXED), {}, r"must be meant.*model_b1_s384\.onnx.*model_unrolled\.onnx"),
        ((FP32,), {"precision": "int8"}, r"asked for \(precision=int8\).*onnx/model\.onnx \(onnx, fp32\)"),
        ((FP32,), {"file": "onnx/other.onnx"}, r"asked for \(file=onnx/other\.onnx\)"),
        ((TFLITE,), {"target": "onnx"}, r"asked for \(target=onnx\).*tflite/model\.tflite"),
        ((), {}, r"asked for \(any\).*no artifact"),
    ],
)
def test_select_lists_what_is_there_when_nothing_or_too_much_matches(
    rows: tuple[tuple[str, str, str, str] | Artifact, ...], asked: dict[str, str], told: str
) -> None:
    with pytest.raises(BundleError, match=told) as caught:
        with_artifacts(*rows).select(**asked)
    assert "\n" not in str(caught.value) and "fix: " in str(caught.value)


def test_select_names_the_nearest_target_for_an_unknown_one() -> None:
    with pytest.raises(UnknownNameError, match="did you mean onnx"):
        with_artifacts(FP32).select("onx")


def test_equal_inputs_give_equal_bytes(tmp_path: Path) -> None:
    write_bundle(tmp_path / "a" / "qa", {"onnx/model.onnx": "first", "onnx/model_unrolled.onnx": "other"})
    with BundleWriter(tmp_path / "b", task="qa", source=SOURCE) as writer:
        fill(writer, {"onnx/model_unrolled.onnx": "other", "onnx/model.onnx": "first"})
        writer.commit()
    assert tree(tmp_path / "a" / "qa") == tree(tmp_path / "b")
