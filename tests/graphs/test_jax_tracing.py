from __future__ import annotations

import jax
import numpy as np
import pytest

from albert_export.checkpoints.names import parameters
from albert_export.errors import ExportError
from albert_export.graphs.jax_tracing import MASK_BIAS, trace, traceable
from albert_export.tasks import TASKS, get_task
from tests.graphs.flax_models import eager_outputs, inputs, tiny_model, worst_relative_error

QA = get_task("question-answering")
FP32 = {"precision": "fp32", "layers": "rolled", "sizes": {}}


@pytest.fixture(scope="module")
def model():
    return tiny_model(QA)


def operations(traced) -> list[str]:
    """Return the name of every operation, those of loop bodies included."""

    def of(jaxpr) -> list[str]:
        names = []
        for equation in jaxpr.eqns:
            names.append(equation.primitive.name)
            for inner in jax.tree.leaves(equation.params, is_leaf=lambda each: hasattr(each, "eqns")):
                names += of(inner) if hasattr(inner, "eqns") else []
        return names

    specs = {name: jax.ShapeDtypeStruct((2, 9), np.int32) for name in traced.inputs}
    return of(jax.make_jaxpr(traced.function)(specs, dict(traced.weights)).jaxpr)


@pytest.mark.parametrize("layers", ["rolled", "unrolled"])
def test_a_traced_function_computes_what_the_model_does(model, layers):
    traced = trace(model, QA, precision="fp32", layers=layers, sizes={})
    feed = inputs(QA, 2, 1, 9)
    with traceable(QA, "fp32"):
        outputs = jax.jit(traced.function)(feed, dict(traced.weights))
    found = [np.asarray(outputs[spec.name]) for spec in QA.outputs]
    assert worst_relative_error(found, eager_outputs(model, QA, feed)) < 1e-4
    assert worst_relative_error(found[::-1], eager_outputs(model, QA, feed)) > 0.1


@pytest.mark.parametrize(
    ("precision", "number", "told"),
    [("fp16", -1e5, r"65504 in float16.*1e\+05"), ("bf16", 3.4e38, "in bfloat16.*3.4e")],
)
def test_a_weight_that_the_precision_does_not_hold_is_named(precision, number, told):
    model = tiny_model(QA)
    params = dict(model.params)
    params["qa_outputs"] = {**params["qa_outputs"], "kernel": params["qa_outputs"]["kernel"].at[0, 0].set(number)}
    model.hold(params)
    with pytest.raises(ExportError, match=f"at most .*{told}.* in qa_outputs.weight; fix: choose a precision"):
        trace(model, QA, precision=precision, layers="rolled", sizes={})
    assert trace(model, QA, precision="fp32", layers="rolled", sizes={}).weights["qa_outputs.weight"][0, 0] == number


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_arguments_have_the_names_and_axes_of_the_task_and_the_table(task):
    model = tiny_model(task)
    traced = trace(model, task, precision="bf16", layers="rolled", sizes={"batch": 2})
    assert list(traced.inputs) == [spec.name for spec in task.inputs]
    for spec in traced.inputs.values():
        assert [str(size) for size in spec.shape] == ["2", *task.inputs[0].axes[1:]]
        assert spec.dtype == np.int32
    assert list(traced.weights) == sorted(parameters(model.config, task))
    for name, shape in parameters(model.config, task).items():
        assert traced.weights[name].shape == shape
        assert traced.weights[name].dtype == jax.numpy.bfloat16


def test_each_group_is_one_loop_with_one_copy_of_the_layer():
    grouped = tiny_model(QA, num_hidden_groups=2, inner_group_num=2)
    rolled = operations(trace(grouped, QA, **FP32))
    unrolled = operations(trace(grouped, QA, precision="fp32", layers="unrolled", sizes={}))
    assert (rolled.count("scan") + rolled.count("while"), unrolled.count("scan")) == (2, 0)
    assert rolled.count("exp") == 2 * 2
    assert unrolled.count("exp") == 4 * 2


def test_the_mask_is_finite_in_every_precision():
    for dtype in ("float32", "bfloat16", "float16"):
        bias = jax.numpy.asarray(MASK_BIAS, dtype)
        assert np.isfinite(float(bias))
        assert float(jax.numpy.exp(bias)) == 0.0
    assert float(jax.numpy.finfo("float16").min) > 10 * MASK_BIAS


def test_only_float32_asks_for_products_in_full():
    found = {}
    for precision in ("fp32", "bf16"):
        with traceable(QA, precision):
            found[precision] = jax.config.jax_default_matmul_precision
    assert found == {"fp32": "highest", "bf16": None}


def test_the_model_is_as_before_after_tracing(model):
    feed = inputs(QA, 2, 1, 8)
    before, module = eager_outputs(model, QA, feed), model.module
    operations(trace(model, QA, **FP32))
    assert model.module is module
    for one, other in zip(eager_outputs(model, QA, feed), before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_does_not_fit(model):
    with pytest.raises(ExportError, match="sequence must be at most 24"):
        trace(model, QA, precision="fp32", layers="rolled", sizes={"sequence": 25})
    with pytest.raises(ExportError, match="precision must be fp32, bf16, fp16; received int8"):
        trace(model, QA, precision="int8", layers="rolled", sizes={})
    told = "JAX must be able to trace FlaxAlbertForQuestionAnswering; received broken"
    with pytest.raises(ExportError, match=told), traceable(QA, "fp32"):
        raise TypeError("broken\nand more")
