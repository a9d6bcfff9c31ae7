"""Dtypes of inputs, sizes of dynamic axes and the tokenizer are checked, and what is wrong with them is a miss."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from albert_export.bundle import Bundle
from albert_export.checkpoints import Checkpoint, open_checkpoint
from albert_export.parity import check_parity
from albert_export.parity.bundle_checks import same_tokenizer
from albert_export.parity.report import ArtifactResult, CheckResult
from albert_export.runtimes.protocol import Runtime
from albert_export.tokenization import load_tokenizer
from tests.parity.conftest import MakeBundle, MakeCheckpoint
from tests.parity.edits import edited, length_baked_in
from tests.parity.fakes import Arrays, check_spoiled

QA = "question-answering"


@pytest.fixture
def bundle(bundle_of: MakeBundle) -> Bundle:
    return bundle_of(QA)


def named(artifact: ArtifactResult, name: str) -> CheckResult:
    return next(check for check in artifact.checks if check.name == name)


def test_a_healthy_artifact_passes_all(bundle: Bundle, opened: Checkpoint) -> None:
    (artifact,) = check_parity(bundle, model=opened).artifacts
    assert "int32, in int64, with a mask in bool" in named(artifact, "input types").detail
    told = named(artifact, "dynamic axes").detail
    assert told == "ran with batch 1, 2, 3, 4, 6; sequence 1, 2, 16, 24, 37, 40"
    assert "checkpoint's ids" in named(artifact, "tokenizer").detail
    assert all(check.ok for check in artifact.checks)


def test_a_runtime_that_takes_a_dtype_for_another_is_a_miss(
    monkeypatch: pytest.MonkeyPatch, bundle: Bundle, opened: Checkpoint
) -> None:
    given: list[str] = []
    real = Runtime.run

    def run(self: Any, **inputs: Any) -> Any:
        given.append(str(np.asarray(inputs["attention_mask"]).dtype))
        return real(self, **inputs)

    def spoil(_: Arrays, outputs: Arrays) -> Arrays:
        if given[-1] == "bool":
            outputs["start_logits"] += 1e-3
        return outputs

    monkeypatch.setattr(Runtime, "run", run)
    (artifact,) = check_spoiled(monkeypatch, bundle, opened, spoil).artifacts
    assert set(given) == {"int64", "int32", "bool"}
    assert {check.name for check in artifact.checks if check.ok is False} == {"input types"}
    assert "start_logits differs by 1.00e-03" in named(artifact, "input types").detail


def test_an_axis_that_works_at_one_size_only_is_no_dynamic_axis(
    bundle: Bundle, opened: Checkpoint, tmp_path: Path
) -> None:
    (artifact,) = check_parity(edited(bundle, tmp_path, length_baked_in(16)), model=opened).artifacts
    check = named(artifact, "dynamic axes")
    assert check.ok is False
    assert check.detail.endswith("sequence 1, 16")


def test_fixed_axes_have_nothing_to_check(bundle_of: MakeBundle, opened: Checkpoint) -> None:
    (artifact,) = check_parity(bundle_of(QA, batch=1, sequence=40), model=opened).artifacts
    check = named(artifact, "dynamic axes")
    assert (check.ok, check.detail) == (None, "does not apply: every axis is fixed")


def test_another_tokenizer_is_a_miss_of_the_bundle(bundle: Bundle, opened: Checkpoint, tmp_path: Path) -> None:
    directory = tmp_path / "other"
    shutil.copytree(bundle.path, directory)
    tokenizer = load_tokenizer(directory, config=bundle.config)
    assert same_tokenizer(tokenizer, opened, bundle.config).ok

    class Lower:
        """Gives other ids for what is written in capitals."""

        def __call__(self, *texts: str, **options: Any) -> Any:
            return tokenizer(*(text.replace("S", "Z") for text in texts), **options)

    found = same_tokenizer(Lower(), opened, bundle.config)
    assert found.ok is False
    assert "in place of" in found.detail
    absent = same_tokenizer(None, opened, bundle.config)
    assert (absent.ok, "the bundle has none" in absent.detail) == (False, True)


def test_a_checkpoint_without_tokenizer_has_none_to_compare_with(bundle: Bundle, checkpoint_of: MakeCheckpoint) -> None:
    bare = open_checkpoint(checkpoint_of(QA, tokenizer=False))
    assert same_tokenizer(None, bare, bundle.config).ok is None
