"""What the lowering refuses, and the shapes it writes without arithmetic at run time."""

from __future__ import annotations

import pytest
import torch
from torch.fx.experimental.proxy_tensor import make_fx

from albert_export.errors import ExportError, SharingError
from albert_export.graphs import onnx_emitter
from albert_export.graphs.aten_operators import _ADDED_BY_TRACER, LOWERINGS, _trip_count
from albert_export.graphs.onnx_emitter import emit_onnx
from albert_export.graphs.sharing import Sharing
from albert_export.positions import at_positions
from albert_export.tasks import get_task
from tests.graphs.models import tiny_model


def test_an_operator_without_a_lowering_is_named(tmp_path):
    task = get_task("embed")
    model = tiny_model(task, hidden_act=torch.sin)
    with pytest.raises(ExportError, match=r"must have a lowering to ONNX; received aten\.sin\.default; fix: add it"):
        emit_onnx(model, task, tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()


def test_data_dependent_control_flow_is_an_export_error(tmp_path):
    task = get_task("embed")
    model = tiny_model(task, hidden_act=lambda hidden: hidden if hidden.sum() > 0 else -hidden)
    with pytest.raises(ExportError, match="torch must be able to trace AlbertModel"):
        emit_onnx(model, task, tmp_path / "model.onnx")


def aten_graph(function, *arguments):
    return make_fx(function)(*arguments).graph


@pytest.mark.parametrize(
    ("condition", "body"),
    [
        (lambda step: step <= 5, lambda step, hidden: [step + 1, hidden]),
        (lambda step: step < 5, lambda step, hidden: [step + 2, hidden]),
        (lambda step: step < 5, lambda step, hidden: [step + 1, hidden * step]),
        (lambda step: step + 1 < 5, lambda step, hidden: [step + 1, hidden]),
    ],
    ids=["at-most", "by-two", "step-is-read", "shifted"],
)
def test_a_loop_that_does_not_count_to_a_constant_is_refused(condition, body):
    step, hidden = torch.tensor(0), torch.ones(2)
    with pytest.raises(ExportError, match="a traced loop must count its steps"):
        _trip_count(aten_graph(condition, step), aten_graph(body, step, hidden))


def test_the_trip_count_is_the_bound_of_the_condition():
    step, hidden = torch.tensor(0), torch.ones(2)
    body = aten_graph(lambda step, hidden: [step + 1, hidden * 2], step, hidden)
    assert _trip_count(aten_graph(lambda step: step < 12, step), body) == 12


def test_the_loop_body_does_no_arithmetic_on_shapes(tmp_path):
    import onnx

    task = get_task("qa")
    emit_onnx(tiny_model(task), task, tmp_path / "model.onnx")
    loop = next(node for node in onnx.load(tmp_path / "model.onnx").graph.node if node.op_type == "Loop")
    body = next(attribute.g for attribute in loop.attribute if attribute.name == "body")
    assert {"Shape", "Gather", "Concat", "Expand"}.isdisjoint(node.op_type for node in body.node)
    assert not body.initializer


def test_every_lowering_is_keyed_by_the_name_torch_gives():
    known = {
        str(getattr(getattr(torch.ops.aten, packet), overload))
        for packet, overload in (
            name.removeprefix("aten.").split(".") for name in LOWERINGS if name.startswith("aten.")
        )
    }
    assert known == {name for name in LOWERINGS if name.startswith("aten.")}


#: Task and changes to the configuration that together make every operator an ALBERT has.
EVERY_OPERATOR = (
    ("qa", {"hidden_act": "relu"}),
    ("choice", {"hidden_act": "silu"}),
    ("pretraining", {"position_embedding_type": "relative_key_query"}),
)


def test_every_lowering_that_computes_something_is_used(tmp_path, monkeypatch):
    used = set()

    def watched(name, lower):
        return lambda low, node: used.add(name) or lower(low, node)

    monkeypatch.setattr(onnx_emitter, "LOWERINGS", {name: watched(name, lower) for name, lower in LOWERINGS.items()})
    every = [*((get_task(name), changes) for name, changes in EVERY_OPERATOR), (at_positions(get_task("mlm")), {})]
    for index, (task, changes) in enumerate(every):
        emit_onnx(tiny_model(task, **changes), task, tmp_path / f"{index}.onnx")
    assert set(LOWERINGS) - used - set(_ADDED_BY_TRACER) == set()


@pytest.mark.parametrize(
    ("activation", "message"),
    [
        (lambda hidden: hidden + hidden[..., :1], "a slice in the traced model must take everything"),
        (lambda hidden: hidden + torch.zeros(32), "zeros in the traced model must be a scalar"),
    ],
    ids=["part-of-a-slice", "many-zeros"],
)
def test_a_form_that_no_albert_has_is_refused(tmp_path, activation, message):
    task = get_task("embed")
    with pytest.raises(ExportError, match=message):
        emit_onnx(tiny_model(task, hidden_act=activation, intermediate_size=32), task, tmp_path / "model.onnx")


@pytest.mark.parametrize(
    ("stored", "rest", "breach"),
    [(100, 0, None), (101, 0, "store each weight once"), (100, 600 * 1024, "besides its weights")],
)
def test_the_guarantee(stored, rest, breach):
    sharing = Sharing(100, stored, rest)
    if breach is None:
        sharing.check("a step")
    else:
        with pytest.raises(SharingError, match=f"after a step .*{breach}"):
            sharing.check("a step")


def test_the_rest_may_grow_with_the_weights():
    Sharing(100 * 2**20, 100 * 2**20, 5 * 2**20).check("a step")
    with pytest.raises(SharingError):
        Sharing(100 * 2**20, 100 * 2**20, 5 * 2**20 + 1).check("a step")
