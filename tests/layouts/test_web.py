"""The page: what it is told of the model, and where its libraries come from."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from albert_export.errors import BundleError, InputError
from albert_export.layouts import lay_out
from albert_export.layouts.npm import packages
from albert_export.layouts.web import PAGES, SITE, VENDORED
from tests.bundle.builders import names
from tests.layouts.builders import write_full_bundle, write_packages


def site(tmp_path: Path, **fields: Any) -> Path:
    bundle = write_full_bundle(tmp_path / "b", **fields)
    return lay_out(bundle, "web", tmp_path / "site", vendor=write_packages(tmp_path / "node_modules")).directory


def told(directory: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((directory / "site.json").read_text(encoding="utf-8"))
    return found


def test_the_smallest_precision_is_loaded_over_networks(tmp_path: Path) -> None:
    directory = site(tmp_path)
    facts = told(directory)
    assert facts["file"] == "model/model_int8.onnx"
    assert names(directory / "model") == ["model_int8.onnx", "tokenizer.json", "tokenizer_config.json"]
    assert dict(facts["facts"])["Precision"] == "int8"


def test_weights_beside_the_graph_come_along(tmp_path: Path) -> None:
    directory = site(tmp_path, onnx=({"outside": True},))
    facts = told(directory)
    assert (facts["file"], facts["weights"]) == ("model/model.onnx", ["model/model.onnx_data"])
    for path in (facts["file"], *facts["weights"]):
        assert (directory / path).is_file()


def test_the_reader_is_told_what_the_pipeline_knows(tmp_path: Path) -> None:
    inputs = tuple(
        {"name": name, "dtype": "int32", "shape": ["batch", "sequence"]} for name in ("input_ids", "attention_mask")
    )
    facts = told(site(tmp_path, onnx=({"inputs": inputs},)))
    assert (facts["cls"], facts["sep"]) == (2, 3)
    assert (facts["longest"], facts["overlap"], facts["longestAnswer"]) == (384, 128, 15)
    assert facts["inputs"] == [{"name": "input_ids", "dtype": "int32"}, {"name": "attention_mask", "dtype": "int32"}]


def test_the_model_tells_how_long_its_answers_are(tmp_path: Path) -> None:
    own = {"max_answer_len": 7, "max_seq_len": 64, "doc_stride": 9, "align_to_words": False}
    impossible = {"handle_impossible_answer": True, "no_answer_threshold": 1.5}
    facts = told(site(tmp_path, config={"task_specific_params": {"question-answering": own | impossible}}))
    assert (facts["longest"], facts["longestAnswer"], facts["overlap"], facts["wholeWords"]) == (64, 7, 9, False)
    assert (facts["mayBeImpossible"], facts["noAnswerThreshold"]) == (True, 1.5)


def test_a_length_that_the_model_does_not_take_is_refused(tmp_path: Path) -> None:
    params = {"task_specific_params": {"question-answering": {"max_seq_len": 513}}}
    with pytest.raises(BundleError, match=r"must be at most 512.*received 513"):
        site(tmp_path, config=params)


@pytest.mark.parametrize(
    ("fields", "received"),
    [
        ({"precision": "bf16"}, "onnx/model_bf16.onnx in bf16"),
        ({"shapes": {"batch": 1, "sequence": 128}}, "onnx/model.onnx in fp32"),
        ({"shapes": {"batch": None, "sequence": 128}}, "onnx/model.onnx in fp32"),
        ({"shapes": {"batch": 4, "sequence": None}}, "onnx/model.onnx in fp32"),
    ],
)
def test_a_model_that_no_page_runs_is_refused(tmp_path: Path, fields: dict[str, Any], received: str) -> None:
    with pytest.raises(BundleError, match=r"dynamic axes in int8, fp32, fp16") as caught:
        site(tmp_path, onnx=(fields,))
    assert caught.value.received == received
    assert names(tmp_path) == ["b", "node_modules"]


def test_what_the_page_loads_is_on_the_site(tmp_path: Path) -> None:
    directory = site(tmp_path)
    for page in PAGES:
        text = (directory / page).read_text(encoding="utf-8")
        assert "://" not in text, "nothing comes from elsewhere"
        for path in re.findall(r"(?:from|href=|src=|URL\() ?\"(?:\./)?([\w./-]+)\"", text):
            assert (directory / path).is_file(), path
    assert set(VENDORED.values()) < {path.relative_to(directory).as_posix() for path in directory.rglob("*")}


def test_the_locked_versions_are_those_that_are_asked_for() -> None:
    wanted = json.loads((SITE / "package.json").read_text(encoding="utf-8"))["dependencies"]
    locked = json.loads((SITE / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    for name, version in wanted.items():
        assert locked[f"node_modules/{name}"]["version"] == version
    assert all("integrity" in package for path, package in locked.items() if path)


def test_packages_of_another_version_are_refused(tmp_path: Path) -> None:
    there = write_packages(tmp_path / "node_modules", versions={"onnxruntime-web": "1.0.0"})
    with pytest.raises(InputError, match=r"with 1\.0\.0; fix: npm install @huggingface/tokenizers@"):
        lay_out(write_full_bundle(tmp_path / "b"), "web", tmp_path / "site", vendor=there)
    with pytest.raises(InputError, match=r"must have @huggingface/tokenizers .*without it"), packages(SITE, tmp_path):
        pass


def test_without_npm_the_error_names_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with (
        pytest.raises(BundleError, match=r"no npm on PATH; fix: install Node\.js, or name .* --vendor DIR"),
        packages(SITE),
    ):
        pass


def test_npm_fetches_what_is_locked_and_runs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    npm = tmp_path / "npm"
    npm.write_text('#!/bin/sh\necho "$@" > "$TOLD"; cp package-lock.json "$TOLD.lock"; mkdir node_modules\n')
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("TOLD", str(tmp_path / "told"))
    with packages(SITE) as modules:
        assert modules.is_dir()
    assert not modules.exists()
    assert (tmp_path / "told").read_text().split() == ["ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    assert (tmp_path / "told.lock").read_bytes() == (SITE / "package-lock.json").read_bytes()


def test_npms_failure_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho 'npm error network unreachable' >&2; echo 'npm error more' >&2; exit 1\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(BundleError, match="received npm error network unreachable; fix: see that npm reaches"):
        lay_out(write_full_bundle(tmp_path / "b"), "web", tmp_path / "site")
    assert names(tmp_path) == ["b", "npm"]


def test_a_npm_that_hangs_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(*args: object, **options: object) -> None:
        raise subprocess.TimeoutExpired("npm", 600)

    monkeypatch.setattr("albert_export.layouts.npm.shutil.which", lambda name: name)
    monkeypatch.setattr("albert_export.layouts.npm.subprocess.run", hang)
    with pytest.raises(BundleError, match="within 600 seconds"), packages(SITE):
        pass
