"""The reference is the eager model of the checkpoint, whatever the checkpoint's configuration asks of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from albert_export.checkpoints import open_checkpoint, write_sharded
from albert_export.config import AlbertConfig
from albert_export.models.torch_loading import load_eager
from albert_export.parity.cases import build_cases
from albert_export.parity.oracle import Oracle
from albert_export.tasks import TASKS, Task, get_task
from tests.parity.conftest import MakeCheckpoint, write_checkpoint

QA = get_task("question-answering")


def inputs_for(task: Task, config: AlbertConfig) -> Any:
    return build_cases(task, config, sizes={"sequence": 7})[-1].inputs


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_both_precisions_of_every_head(task: Task, checkpoint_of: MakeCheckpoint) -> None:
    checkpoint = open_checkpoint(checkpoint_of(task.name))
    inputs = inputs_for(task, checkpoint.config)
    reference = Oracle(checkpoint, task).run(inputs)
    assert list(reference.exact) == list(reference.single["torch"]) == [spec.name for spec in task.outputs]
    with torch.no_grad():
        eager = load_eager(checkpoint, task)[0](**{name: torch.from_numpy(value) for name, value in inputs.items()})
    for spec in task.outputs:
        exact, single = reference.exact[spec.name], reference.single["torch"][spec.name]
        assert (exact.dtype, single.dtype) == (np.dtype(np.float64), np.dtype(np.float32))
        np.testing.assert_array_equal(single, eager[spec.name].numpy())
        noise = np.abs(exact - single).max()
        assert 0 < noise < 1e-4 * np.abs(exact).max()


def test_a_configuration_that_asks_for_more_gets_the_outputs_and_no_more(tmp_path: Path) -> None:
    plain = open_checkpoint(write_checkpoint(tmp_path / "plain", QA.name))
    asking = {"output_attentions": True, "output_hidden_states": True, "return_dict": False}
    other = open_checkpoint(write_checkpoint(tmp_path / "asking", QA.name, **asking))
    inputs = inputs_for(QA, plain.config)
    first, second = Oracle(plain, QA).run(inputs), Oracle(other, QA).run(inputs)
    for name in first.exact:
        np.testing.assert_array_equal(first.exact[name], second.exact[name])


def test_hidden_states_are_the_embeddings_and_every_layer(checkpoint_of: MakeCheckpoint) -> None:
    task = get_task("feature-extraction")
    checkpoint = open_checkpoint(checkpoint_of(task.name))
    oracle, inputs = Oracle(checkpoint, task), inputs_for(task, checkpoint.config)
    exact, single = oracle.hidden_states(inputs)
    assert len(exact) == len(single) == checkpoint.config.num_hidden_layers + 1
    np.testing.assert_array_equal(exact[-1], oracle.run(inputs).exact["last_hidden_state"])
    assert {state.dtype for state in exact} == {np.dtype(np.float64)}
    assert {state.dtype for state in single} == {np.dtype(np.float32)}


def test_hidden_states_of_choices_come_flattened(checkpoint_of: MakeCheckpoint) -> None:
    task = get_task("multiple-choice")
    checkpoint = open_checkpoint(checkpoint_of(task.name))
    inputs = inputs_for(task, checkpoint.config)
    exact, _ = Oracle(checkpoint, task).hidden_states(inputs)
    items, choices, length = inputs["input_ids"].shape
    assert exact[0].shape == (items * choices, length, checkpoint.config.hidden_size)


def test_float64_weights_are_not_rounded_on_the_way(tmp_path: Path) -> None:
    directory = write_checkpoint(tmp_path / "wide", QA.name)
    stored = open_checkpoint(directory)
    tensors = {name: np.asarray(value, dtype=np.float64) for name, value in stored.numpy_tensors().items()}
    tensors["qa_outputs.bias"] = tensors["qa_outputs.bias"] + 1e-12
    before = Oracle(stored, QA).run(inputs_for(QA, stored.config)).exact["end_logits"]
    (directory / "model.safetensors").unlink()
    write_sharded(directory, tensors)
    after = Oracle(open_checkpoint(directory), QA).run(inputs_for(QA, stored.config)).exact["end_logits"]
    np.testing.assert_allclose(after - before, 1e-12, rtol=1e-2)


def test_a_head_drawn_at_random_is_the_same_in_both_precisions(tmp_path: Path) -> None:
    checkpoint = open_checkpoint(write_checkpoint(tmp_path / "encoder", QA.name, head_of="feature-extraction"))
    reference = Oracle(checkpoint, QA, allow_random_head=True).run(inputs_for(QA, checkpoint.config))
    assert np.abs(reference.exact["start_logits"] - reference.single["torch"]["start_logits"]).max() < 1e-5
