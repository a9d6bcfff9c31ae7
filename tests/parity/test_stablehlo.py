"""StableHLO artifacts pass through the real export and comparator; with one thing wrong they do not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from albert_export.exporting import export
from albert_export.models import flax_loading
from albert_export.models.flax_albert import FlaxAlbertModule
from albert_export.models.flax_encoder import FlaxAlbertEmbeddings, FlaxAlbertLayerGroups
from albert_export.parity import check_parity
from albert_export.tasks import TASKS
from tests.parity.conftest import MakeCheckpoint

QA = "question-answering"

#: Every new shape is compiled, twice in a parity check: cases of one shape do, where not another is meant.
FIXED = {"batch": 2, "sequence": 12}

#: Changes the eager model that is traced, for as long as the patch lasts; parity is checked after it has ended.
Control = Callable[[pytest.MonkeyPatch], None]


def unchanged(_: pytest.MonkeyPatch) -> None:
    """The healthy twin."""


def mask_ignored(patch: pytest.MonkeyPatch) -> None:
    real = FlaxAlbertModule.attention_bias
    patch.setattr(FlaxAlbertModule, "attention_bias", lambda self, mask: 0.0 * real(self, mask))


def segments_swapped(patch: pytest.MonkeyPatch) -> None:
    real = FlaxAlbertEmbeddings.__call__

    def call(self: Any, input_ids: Any, token_type_ids: Any, *others: Any, **named: Any) -> Any:
        return real(self, input_ids, 1 - token_type_ids, *others, **named)

    patch.setattr(FlaxAlbertEmbeddings, "__call__", call)


def one_layer_fewer(patch: pytest.MonkeyPatch) -> None:
    real = FlaxAlbertLayerGroups.apply_group

    def apply(self: Any, group: Any, turns: int, *others: Any, **named: Any) -> Any:
        return real(self, group, turns - 1, *others, **named)

    patch.setattr(FlaxAlbertLayerGroups, "apply_group", apply)


def weight_perturbed(patch: pytest.MonkeyPatch) -> None:
    real = flax_loading.load_eager

    def load(*arguments: Any, **options: Any) -> Any:
        model, fresh = real(*arguments, **options)
        ffn = model.params["albert"]["encoder"]["albert_layer_groups"]["0"]["albert_layers"]["0"]["ffn"]
        ffn["kernel"] = ffn["kernel"] * 1.01
        return model, fresh

    patch.setattr(flax_loading, "load_eager", load)


@contextmanager
def applied(control: Control) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        control(patch)
        yield


@pytest.mark.parametrize("task", [task.name for task in TASKS])
def test_every_head_passes_and_so_does_the_eager_model(
    task: str, checkpoint_of: MakeCheckpoint, tmp_path: Path
) -> None:
    fixed = {} if task == QA else FIXED
    bundle = export("stablehlo", model=checkpoint_of(task), task=task, out=tmp_path / "out", parity=False, **fixed)
    report = check_parity(bundle, model=checkpoint_of(task))
    assert report.ok, report.summary_table()
    assert report.artifacts[0].framework == "flax"
    assert all(result.ok for result in report.eager)
    assert "flax" in [result.framework for result in report.eager]
    for output in report.artifacts[0].outputs:
        assert output.from_eager <= output.limit + output.e0


@pytest.mark.parametrize(
    ("precision", "control"),
    [
        *(("fp32", each) for each in (unchanged, mask_ignored, segments_swapped, one_layer_fewer, weight_perturbed)),
        *(("bf16", each) for each in (unchanged, mask_ignored, one_layer_fewer)),
        *(("fp16", each) for each in (unchanged, one_layer_fewer)),
    ],
    ids=lambda each: each if isinstance(each, str) else each.__name__,
)
def test_the_controls_fail_and_their_healthy_twin_passes(
    precision: str, control: Control, checkpoint_of: MakeCheckpoint, tmp_path: Path
) -> None:
    checkpoint = checkpoint_of(QA)
    with applied(control):
        bundle = export(
            "stablehlo", model=checkpoint, task=QA, out=tmp_path / "out", precision=precision, parity=False, **FIXED
        )
    report = check_parity(bundle, model=checkpoint)
    assert report.ok is (control is unchanged), report.summary_table()
    assert all(result.ok for result in report.eager), "the eager model that is compared with was not changed"
    if not report.ok and precision == "fp32":
        assert max(output.error / output.limit for output in report.artifacts[0].outputs if output.count) > 100
