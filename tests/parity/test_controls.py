"""Every head passes through the real export and comparator; the same artifact with one thing wrong does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from albert_export.parity import check_parity
from albert_export.tasks import TASKS
from tests.parity.conftest import MakeBundle, MakeCheckpoint
from tests.parity.edits import Edit, edited, length_baked_in, mask_ignored, one_layer_fewer, segments_swapped, unchanged


@pytest.mark.parametrize("task", [task.name for task in TASKS])
def test_every_head_passes(task: str, bundle_of: MakeBundle, checkpoint_of: MakeCheckpoint) -> None:
    report = check_parity(bundle_of(task), model=checkpoint_of(task))
    assert report.ok, report.summary_table()
    assert report.text
    assert all(check.ok for check in report.artifacts[0].checks)


@pytest.mark.parametrize(
    ("task", "options"),
    [
        ("question-answering", {"sequence": 20}),
        ("question-answering", {"batch": 2}),
        ("question-answering", {"batch": 1, "sequence": 40}),
        ("fill-mask", {"batch": 3, "sequence": 12, "layers": "unrolled"}),
        ("multiple-choice", {"choices": 2}),
        ("multiple-choice", {"batch": 2, "choices": 3, "sequence": 16}),
    ],
)
def test_fixed_shapes_pass(
    task: str, options: dict[str, Any], bundle_of: MakeBundle, checkpoint_of: MakeCheckpoint
) -> None:
    report = check_parity(bundle_of(task, **options), model=checkpoint_of(task))
    assert report.ok, report.summary_table()
    alone = next(check for check in report.artifacts[0].checks if check.name == "row alone")
    assert alone.ok is (None if options.get("batch") == 1 else True), alone


@pytest.mark.parametrize("layers", ["rolled", "unrolled"])
@pytest.mark.parametrize(
    "control", [unchanged, mask_ignored, segments_swapped, one_layer_fewer], ids=lambda control: control.__name__
)
@pytest.mark.parametrize("task", ["question-answering", "text-classification", "multiple-choice"])
def test_the_controls_fail_and_their_healthy_twin_passes(
    task: str, control: Edit, layers: str, bundle_of: MakeBundle, checkpoint_of: MakeCheckpoint, tmp_path: Path
) -> None:
    bundle = edited(bundle_of(task, layers=layers), tmp_path, control)
    report = check_parity(bundle, model=checkpoint_of(task))
    assert report.ok is (control is unchanged), report.summary_table()
    if not report.ok:
        # Far from the limit: a control that fails by luck proves nothing.
        assert max(output.error / output.limit for output in report.artifacts[0].outputs if output.count) > 100


def test_a_length_that_was_baked_in_is_a_miss(
    bundle_of: MakeBundle, checkpoint_of: MakeCheckpoint, tmp_path: Path
) -> None:
    bundle = edited(bundle_of("question-answering"), tmp_path, length_baked_in(16))
    report = check_parity(bundle, model=checkpoint_of("question-answering"))
    assert not report.ok
    (artifact,) = report.artifacts
    broken = {fault.case for fault in artifact.faults if fault.kind == "failed"}
    assert {"text", "odd-length", "largest-length", "padding"} <= broken
    assert "traced-shape" not in broken


def test_controls_are_seen_in_a_fixed_shape_too(
    bundle_of: MakeBundle, checkpoint_of: MakeCheckpoint, tmp_path: Path
) -> None:
    bundle = bundle_of("question-answering", batch=1, sequence=40)
    for control in (mask_ignored, segments_swapped, one_layer_fewer):
        changed = edited(bundle, tmp_path / control.__name__, control)
        assert not check_parity(changed, model=checkpoint_of("question-answering")).ok, control.__name__
