"""The three ways to give a TensorFlow model its inputs, made one; and what is refused before anything is computed."""

from __future__ import annotations

from albert_export.models import _tensorflow_required  # noqa: F401

# isort: split
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

from albert_export.config import AlbertConfig
from albert_export.errors import InputError
from albert_export.models import input_rules
from albert_export.models.input_rules import Given
from albert_export.tasks import Task

#: Arguments that are no tensors.
FLAGS = ("output_attentions", "output_hidden_states", "return_dict", "training")
_LABELS = ("labels", "sentence_order_label", "start_positions", "end_positions")
_CHECKED = ("input_ids", "attention_mask", "token_type_ids", "position_ids", "inputs_embeds")


def unpack(names: Sequence[str], args: Sequence[Any], keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a call by name, arrays and lists of numbers as tensors.

    Args:
        names: The names that ``call`` takes, in order, ``input_ids`` first.
        args: Positional arguments; the first may be a dictionary of inputs, or a list or tuple of tensors in the order
            of ``names``.
        keywords: Arguments by name.

    Raises:
        TypeError: A name that ``call`` does not take, or one that is given twice, as of any Python function.
        InputError: Something that is no array of numbers.
    """
    given = dict(zip(names, args, strict=False))
    twice = given.keys() & keywords.keys()
    unknown = keywords.keys() - set(names)
    if len(args) > len(names) or twice or unknown:
        raise TypeError(
            f"call() takes {', '.join(names)}, each once; received "
            f"{len(args)} positional arguments and {', '.join(keywords) or 'no keywords'}"
        )
    given.update(keywords)
    first = given.get(names[0])
    if isinstance(first, Mapping):
        del given[names[0]]
        surplus = [name for name in first if name not in names]
        if surplus:  # columns of a data set, in the reference too
            warnings.warn(f"these inputs are no arguments of the model and are ignored: {surplus}", stacklevel=3)
        given = {**{name: value for name, value in first.items() if name in names}, **given}
    elif isinstance(first, list | tuple) and any(_is_array(item) for item in first):
        del given[names[0]]
        given = {**dict(zip(names, first, strict=False)), **given}
    return {name: value if name in FLAGS else _tensor(name, value) for name, value in given.items()}


def check(config: AlbertConfig, inputs: Mapping[str, Any], *, choices: bool) -> None:
    """Check the inputs of a call; shapes and values only in eager mode, a traced check would be part of the graph.

    Args:
        config: Shape of the model.
        inputs: What :func:`unpack` gave.
        choices: Whether there is an axis of choices after the batch.

    Raises:
        InputError: ``head_mask``, floating labels where they are indices, both or neither of ``input_ids`` and
            ``inputs_embeds``, a wrong rank, shape or dtype, an id outside its table, or a sequence over
            ``max_position_embeddings``.
    """
    refuse_head_mask(inputs.get("head_mask"))
    for name in _LABELS:
        dtype = getattr(inputs.get(name), "dtype", "none")
        if "float" in str(dtype) and not (name == "labels" and config.num_labels == 1):
            raise InputError(
                f"{name} must be whole numbers where there are several labels to choose from",
                received=str(getattr(dtype, "name", dtype)),
                fix="several labels at once are what the PyTorch models train on",
            )
    input_rules.check_one_given(inputs.get("input_ids"), inputs.get("inputs_embeds"))
    tensors = {name: inputs[name] for name in _CHECKED if inputs.get(name) is not None}
    if not all(isinstance(tensor, tf.__internal__.EagerTensor) for tensor in tensors.values()):
        return
    given = {name: _given(tensor) for name, tensor in tensors.items()}
    if choices:
        input_rules.check_choices(given)
        given = {
            name: Given((one.shape[0] * one.shape[1], *one.shape[2:]), one.dtype, one.bounds)
            for name, one in given.items()
        }
    input_rules.check_given(config, given)


def check_labels(
    config: AlbertConfig,
    task: Task,
    inputs: Mapping[str, Any],
    outputs: Mapping[str, str],
    ignored: Literal["negative"] | int | None,
) -> None:
    """Check that labels are classes that the model scores; only in eager mode.

    TensorFlow tells it in many lines on a CPU, and on a GPU not at all: the loss is NaN there.

    Args:
        config: Shape of the model.
        task: The model's task.
        inputs: What :func:`unpack` gave.
        outputs: Label that the call takes -> output that is scored against it.
        ignored: Which label counts not: any negative one, one of them, or none.

    Raises:
        InputError: A label outside its range.
    """
    embeds = inputs.get("inputs_embeds")
    words: Any = inputs.get("input_ids") if embeds is None else embeds[..., 0]
    labels = {name: inputs[name] for name in outputs if inputs.get(name) is not None}
    if not all(isinstance(tensor, tf.__internal__.EagerTensor) for tensor in (words, *labels.values())):
        return
    sizes = dict(zip(task.inputs[0].axes, words.shape, strict=True))
    for name, tensor in labels.items():
        if "float" in tensor.dtype.name:  # refused by check, but where one label is regressed
            continue
        axis = next(spec for spec in task.outputs if spec.name == outputs[name]).axes[-1]
        size = sizes[axis] if axis in sizes else getattr(config, str(axis))
        values = tensor.numpy()
        if ignored is not None:
            values = values[values >= 0 if ignored == "negative" else values != ignored]
        if values.size and (values.min() < 0 or values.max() >= size):
            no_label = "" if ignored is None else f", or {ignored} where none is"
            raise InputError(
                f"{name} must lie in [0, {axis}) = [0, {size}){no_label}",
                received=int(values.min() if values.min() < 0 else values.max()),
            )


def refuse_head_mask(head_mask: object) -> None:
    """Refuse a head mask; the reference's TensorFlow models fail on it with an error of Python.

    Raises:
        InputError: There is one.
    """
    if head_mask is not None:
        raise InputError(
            "the TensorFlow models take no head_mask",
            received=type(head_mask).__name__,
            fix="name the heads in pruned_heads of the configuration, or use the PyTorch model",
        )


def _is_array(value: Any) -> bool:
    return hasattr(value, "shape")


def _tensor(name: str, value: Any) -> Any:
    if value is None or tf.is_tensor(value) or isinstance(value, keras.KerasTensor | keras.Variable):
        return value
    try:
        return tf.convert_to_tensor(np.asarray(value))
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} must be an array of numbers", received=type(value).__name__) from error


def _given(tensor: tf.Tensor) -> Given:
    def bounds() -> tuple[int, int]:
        values = tensor.numpy()
        return int(values.min()), int(values.max())

    return Given(tuple(tensor.shape), tensor.dtype.name, bounds)
