"""Tracing an eager TensorFlow model into a concrete function, with the shared layer as one loop.

The encoder's run over its layers is the only thing that is swapped for tracing, as in :mod:`.tracing` for torch. A
function is traced either as it is, with the model's variables captured (SavedModel), or with its weights as further
inputs: a converter is then handed no weight at all, and holds no copy of any.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from albert_export._imports import require
from albert_export._tensorflow import import_tensorflow
from albert_export.errors import AlbertExportError, ExportError
from albert_export.graphs.tf_messages import told
from albert_export.tasks import Task

tf: Any = import_tensorflow(needed_for="tracing a TensorFlow model")
# Not tf.keras, which is Keras 2 where TF_USE_LEGACY_KERAS is set.
keras: Any = require("keras", needed_for="tracing a TensorFlow model", extra="tensorflow")

#: What the inputs that stand for weights are called; a number follows.
WEIGHT_PREFIX = "weight_"


@dataclass(frozen=True)
class TracedWeight:
    """A weight that is an input of the traced function.

    Attributes:
        name: Canonical name.
        shape: Its shape in the model.
        read: Returns a copy of it, in float32.
    """

    name: str
    shape: tuple[int, ...]
    read: Callable[[], np.ndarray[Any, Any]] = field(repr=False)


@dataclass(frozen=True)
class TFTrace:
    """A traced model.

    Attributes:
        function: The concrete function: the task's inputs, then one input a weight; outputs in the task's order.
        weights: The weight that each further input stands for, by the input's name.
        task: The task whose inputs and outputs the function has.
        sizes: Fixed size of each dynamic axis, or None where it stays dynamic.
    """

    function: Any
    weights: Mapping[str, TracedWeight]
    task: Task
    sizes: Mapping[str, int | None]


def trace_function(
    model: Any, task: Task, *, layers: str, sizes: Mapping[str, int | None], input_dtype: str = "int32"
) -> Any:
    """Trace ``model`` as it is; the concrete function reads the model's own variables.

    Whoever saves it must have what it saves track them, as in ``tf.Module().weights = [one.value for one in
    model.weights]``.

    Args:
        model: An eager TensorFlow ALBERT with the task's head; unchanged afterwards.
        task: Names and axes of inputs and outputs.
        layers: ``rolled`` for one loop per layer group, ``unrolled`` for a copy of the layer's operators per layer.
        sizes: Fixed size of a dynamic axis, None to keep it dynamic.
        input_dtype: ``int32`` or ``int64``, for all inputs.

    Returns:
        A concrete function whose keyword arguments are the task's inputs, and whose result is a dictionary of the
        task's outputs.

    Raises:
        ConfigError: The model's configuration does not fit the task.
        ExportError: TensorFlow could not trace the model.
    """

    def serve(**inputs: Any) -> dict[str, Any]:
        return dict(zip((spec.name for spec in task.outputs), _outputs(model, task, inputs), strict=True))

    with _traceable(task), _prepared(model, layers):
        specs = _input_specs(task, sizes, input_dtype)
        return tf.function(serve, autograph=False).get_concrete_function(**{spec.name: spec for spec in specs})


def trace(model: Any, task: Task, *, layers: str, sizes: Mapping[str, int | None]) -> TFTrace:
    """Trace ``model`` with its weights as inputs; arguments and errors of :func:`trace_function`, inputs int32."""
    from albert_export.models.tf_layers import named_weights

    named = list(named_weights(model))
    variables = [variable for _, variable in named]

    def apply(*tensors: Any) -> list[Any]:
        inputs = dict(zip((spec.name for spec in task.inputs), tensors[: len(task.inputs)], strict=True))
        stand_ins = zip(variables, tensors[len(task.inputs) :], strict=True)
        with keras.StatelessScope(state_mapping=list(stand_ins)):
            return _outputs(model, task, inputs)

    weights = {f"{WEIGHT_PREFIX}{number}": _traced_weight(*item) for number, item in enumerate(named)}
    with _traceable(task), _prepared(model, layers):
        specs = _input_specs(task, sizes, "int32")
        specs += [tf.TensorSpec(weight.shape, tf.float32, name=name) for name, weight in weights.items()]
        function = tf.function(apply, autograph=False).get_concrete_function(*specs)
    return TFTrace(function, weights, task, {axis: sizes.get(axis) for axis in task.dynamic_axes})


def _traced_weight(name: str, variable: Any) -> TracedWeight:
    def read() -> np.ndarray[Any, Any]:
        values: np.ndarray[Any, Any] = variable.numpy()
        return values

    return TracedWeight(name, tuple(variable.shape), read)


def _outputs(model: Any, task: Task, inputs: Mapping[str, Any]) -> list[Any]:
    outputs = model(
        **inputs,
        # Said outright: a configuration may ask for every layer's output, and then no loop could be made.
        output_attentions=False,
        output_hidden_states=False,
        return_dict=True,
        training=False,
    )
    # Of its own name each, even where two outputs are one tensor.
    return [tf.identity(outputs[spec.name], name=spec.name) for spec in task.outputs]


def _input_specs(task: Task, sizes: Mapping[str, int | None], dtype: str) -> list[Any]:
    return [tf.TensorSpec([sizes.get(str(axis)) for axis in spec.axes], dtype, name=spec.name) for spec in task.inputs]


@contextmanager
def _traceable(task: Task) -> Iterator[None]:
    try:
        yield
    except AlbertExportError:
        raise  # what the model itself refuses is told in its own words
    except (tf.errors.OpError, RuntimeError, TypeError, ValueError) as error:
        raise ExportError(
            f"TensorFlow must be able to trace {task.tensorflow_class}",
            received=told(error),
            fix="export to another target",
        ) from error


@contextmanager
def _prepared(model: Any, layers: str) -> Iterator[None]:
    encoder = getattr(model, "albert", model).encoder
    if layers == "rolled":
        # Past keras, which tracks what is set on a layer.
        object.__setattr__(encoder, "run_layers", lambda hidden, bias: _run_rolled(encoder, hidden, bias))
    try:
        yield
    finally:
        if layers == "rolled":
            object.__delattr__(encoder, "run_layers")


def _run_rolled(encoder: Any, hidden_BSD: Any, bias: Any) -> Any:
    groups = [encoder.group_of(layer) for layer in range(encoder.config.num_hidden_layers)]
    for index, group in enumerate(encoder.albert_layer_groups):
        repeats = groups.count(index)

        def unfinished(step: Any, _: Any, repeats: int = repeats) -> Any:
            return step < repeats

        def one_layer(step: Any, hidden_BSD: Any, group: Any = group) -> Any:
            after_BSD = group(hidden_BSD, bias)
            # A sum with a batch of 1 does not tell TensorFlow its size. No ensure_shape: TFLite has no such operator.
            after_BSD.set_shape(hidden_BSD.shape)
            return step + 1, after_BSD

        _, hidden_BSD = tf.while_loop(
            unfinished,
            one_layer,
            (tf.constant(0), hidden_BSD),
            shape_invariants=(tf.TensorShape([]), hidden_BSD.shape),
            maximum_iterations=None,
        )
    return hidden_BSD
