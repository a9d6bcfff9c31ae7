"""Dtypes of inputs, sizes of dynamic axes and the tokenizer are checked, and what is wrong with them is a miss."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from albert_export.bundle import Bundle
from albert_export.checkpoints import Checkpoint, open_checkpoint
from albert_export.errors import InputError
from albert_export.exporting import export
from albert_export.parity import check_parity
from albert_export.parity.bundle_checks import same_tokenizer
from albert_export.parity.checks import WHOLE_NUMBERS
from albert_export.parity.report import ArtifactResult, CheckResult
from albert_export.tokenization import load_tokenizer
from tests.parity.conftest import MakeBundle, MakeCheckpoint
from tests.parity.edits import edited, length_baked_in
from tests.parity.fakes import EagerRuntime, check_spoiled

QA = "question-answering"


@pytest.fixture
def bundle(bundle_of: MakeBundle) -> Bundle:
    return bundle_of(QA)


def named(artifact: ArtifactResult, name: str) -> CheckResult:
    return next(check for check in artifact.checks if check.name == name)


def test_a_healthy_artifact_passes_all(bundle: Bundle, opened: Checkpoint) -> None:
    (artifact,) = check_parity(bundle, model=opened).artifacts
    told = "text in int32, int64, int16, int8, uint8, uint16, uint32, uint64, the mask in bool, as the runtime takes"
    assert told in named(artifact, "input types").detail
    told = named(artifact, "dynamic axes").detail
    assert told == "ran with batch 1, 2, 3, 4, 6; sequence 1, 2, 16, 24, 37, 40"
    assert "checkpoint's ids" in named(artifact, "tokenizer").detail
    assert all(check.ok for check in artifact.checks)


@pytest.mark.parametrize("dtype", [*WHOLE_NUMBERS[2:], "bool"])
def test_a_runtime_that_takes_a_dtype_for_another_is_a_miss(
    monkeypatch: pytest.MonkeyPatch, bundle: Bundle, opened: Checkpoint, dtype: str
) -> None:
    """One that reads the bytes of a mask, say, as if they were those of another dtype."""
    real = EagerRuntime.run

    def run(self: Any, **inputs: Any) -> Any:
        mask = np.asarray(inputs["attention_mask"])
        given.add(str(mask.dtype))
        return real(self, **{**inputs, "attention_mask": np.ones_like(mask) if mask.dtype == dtype else mask})

    given: set[str] = set()
    monkeypatch.setattr(EagerRuntime, "run", run)
    (artifact,) = check_spoiled(monkeypatch, bundle, opened, lambda _, outputs: outputs).artifacts
    assert given == {*WHOLE_NUMBERS, "bool"}
    assert {check.name for check in artifact.checks if check.ok is False} == {"input types"}
    assert "start_logits differs by" in named(artifact, "input types").detail


def test_a_dtype_that_a_runtime_does_not_take_is_a_miss(
    monkeypatch: pytest.MonkeyPatch, bundle: Bundle, opened: Checkpoint
) -> None:
    real = EagerRuntime.run

    def run(self: Any, **inputs: Any) -> Any:
        if np.asarray(inputs["input_ids"]).dtype == "uint16":
            raise InputError("input_ids must be int32 or int64", received="uint16")
        return real(self, **inputs)

    monkeypatch.setattr(EagerRuntime, "run", run)
    (artifact,) = check_spoiled(monkeypatch, bundle, opened, lambda _, outputs: outputs).artifacts
    assert named(artifact, "input types").ok is False
    assert named(artifact, "input types").detail.startswith("text in uint16: input_ids must be")


@pytest.mark.parametrize("wrong", [False, True])
def test_the_other_signature_of_a_saved_model_is_called(
    checkpoint_of: MakeCheckpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: bool
) -> None:
    """Below the runtime's cast: the artifact itself answers otherwise to int64."""
    from albert_export.runtimes.savedmodel_runtime import SavedModelRuntime

    bundle = export("savedmodel", model=checkpoint_of(QA), task=QA, out=tmp_path / "out", parity=False)
    real = SavedModelRuntime._call_cast

    def call(self: Any, function: Any, inputs: Any) -> Any:
        outputs = real(self, function, inputs)
        assert function.structured_input_signature[1]["input_ids"].dtype.name == "int64"
        return {name: values + np.float32(1e-3) for name, values in outputs.items()}

    if wrong:
        monkeypatch.setattr(SavedModelRuntime, "_call_cast", call)
    (artifact,) = check_parity(bundle, model=checkpoint_of(QA), quick=True).artifacts
    check = named(artifact, "input types")
    assert check.ok is not wrong
    assert "and by the signature serving_int64" in check.detail
    assert artifact.ok is not wrong


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
