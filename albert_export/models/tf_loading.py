"""Filling a TensorFlow model from a checkpoint: every stored weight is consumed, every weight filled, or it raises."""

from __future__ import annotations

from albert_export.models import _tensorflow_required  # noqa: F401

# isort: split
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from albert_export.checkpoints.fresh import fresh_weight
from albert_export.checkpoints.matching import canonical_name
from albert_export.checkpoints.names import row_of
from albert_export.models.filling import Loaded, heads_in, is_head, plan
from albert_export.tasks import Task

if TYPE_CHECKING:
    from albert_export.checkpoints import Checkpoint
    from albert_export.models.tf_pretrained import TFAlbertPreTrainedModel

_unfilled: ContextVar[bool] = ContextVar("unfilled", default=False)


@contextmanager
def unfilled() -> Iterator[None]:
    """Inside this block new models keep the zeros they are made with: something else fills them."""
    token = _unfilled.set(True)
    try:
        yield
    finally:
        _unfilled.reset(token)


def is_unfilled() -> bool:
    """Return whether the caller is inside :func:`unfilled`."""
    return _unfilled.get()


def load_eager(
    checkpoint: Checkpoint, task: Task, *, dtype: str = "float32", allow_random_head: bool = False
) -> tuple[TFAlbertPreTrainedModel, list[str]]:
    """Return the task's model with the checkpoint's weights, and the names that were filled freshly.

    Weights are read one by one, so that memory never holds more than the model and one weight. Fresh weights are the
    same in every run, and those of the PyTorch model.

    Args:
        checkpoint: The weights; torch is needed only for those in ``pytorch_model.bin``.
        task: Which of the seven models.
        dtype: Name of a floating-point dtype.
        allow_random_head: Whether the head, pooler included, may be missing from the checkpoint.

    Raises:
        WeightsMismatchError: Lists parameters without weight, weights without parameter, and differing shapes.
        CheckpointError: The weights cannot be read.
    """
    from albert_export.models import tf_albert  # the models are built on what this module serves

    with unfilled():
        model: TFAlbertPreTrainedModel = getattr(tf_albert, task.tensorflow_class)(
            checkpoint.config.copy(), dtype=dtype
        )
    tensors = checkpoint.numpy_tensors()
    held = heads_in(checkpoint.config, {name: tensors[name].shape for name in tensors})
    loaded = fill(
        model,
        tensors,
        may_be_fresh=is_head if allow_random_head else lambda _: False,
        reproducible=True,
        fix=f"this checkpoint holds the heads of {', '.join(held)}; --allow-random-head fills a missing one"
        if held
        else None,
    )
    return model, list(loaded.fresh)


def run_eager(
    model: TFAlbertPreTrainedModel, inputs: Mapping[str, np.ndarray], *, hidden_states: bool = False
) -> dict[str, Any]:
    """Run a model that :func:`load_eager` made on numpy arrays.

    Args:
        model: The model.
        inputs: ``input_ids``, ``attention_mask`` and ``token_type_ids``, whole numbers.
        hidden_states: Whether to return those of every layer too.

    Returns:
        Output name -> array; with ``hidden_states``, a list of L+1 arrays ``[B,S,D]`` under that name.
    """
    # Said outright, because a checkpoint's configuration may ask for attentions or for tuples.
    options = {"output_attentions": False, "output_hidden_states": hidden_states, "return_dict": True}
    outputs = model(**inputs, **options, training=False)
    return {
        name: [state.numpy() for state in value] if isinstance(value, tuple) else value.numpy()
        for name, value in outputs.items()
        if value is not None
    }


def fill(
    model: TFAlbertPreTrainedModel,
    tensors: Mapping[str, np.ndarray],
    *,
    may_be_fresh: Callable[[str], bool],
    ignore_mismatched_sizes: bool = False,
    reproducible: bool = False,
    fix: str | None = None,
) -> Loaded:
    """Give every weight of ``model`` its value from ``tensors``, converted to the model's dtype.

    Args:
        model: The model.
        tensors: Stored name -> weight, linear ones ``[out, in]``.
        may_be_fresh: Which weights may be filled freshly when nothing is stored for them.
        ignore_mismatched_sizes: Whether a stored weight of another shape is passed over and the model's filled freshly.
        reproducible: Whether fresh weights depend on their name alone, not on the global seed.
        fix: What the user can do about missing weights.

    Raises:
        WeightsMismatchError: Lists parameters without weight, weights without parameter, and differing shapes.
        CheckpointError: A weight is no floating-point number. In both cases the model is unchanged.
    """
    variables = dict(model.named_weights())
    shapes = {
        name: tuple(variable.shape)[::-1] if is_transposed(name) else tuple(variable.shape)
        for name, variable in variables.items()
    }
    planned = plan(
        model.config,
        stored={name: tensors[name].shape for name in tensors},
        wanted=shapes,
        unusable={name: str(tensors[name].dtype) for name in tensors if tensors[name].dtype.kind != "f"},
        may_be_fresh=may_be_fresh,
        ignore_mismatched_sizes=ignore_mismatched_sizes,
        fix=fix,
    )
    for name, variable in variables.items():
        if name in planned.sources:
            value = tensors[planned.sources[name]]
        elif reproducible:
            value = fresh_weight(name, shapes[name], model.config)
        else:
            variable.assign(model.initial(name, tuple(variable.shape)))
            continue
        variable.assign((value.T if is_transposed(name) else value).astype(variable.dtype, copy=False))
    return planned.loaded


def is_transposed(name: str) -> bool:
    """Return whether the weight of that name lies as ``[in, out]`` in TensorFlow, but ``[out, in]`` in checkpoints."""
    row = row_of(canonical_name(name))
    return row is not None and row.linear


class StoredWeights(Mapping[str, np.ndarray]):
    """A model's weights by name, as checkpoints hold them: views of the model's memory, linear ones transposed.

    Args:
        model: The model.
    """

    def __init__(self, model: TFAlbertPreTrainedModel) -> None:
        self._variables = dict(model.named_weights())

    def __getitem__(self, name: str) -> np.ndarray:
        tensor = self._variables[name].value.value()
        array: np.ndarray
        if tensor.dtype == tf.bfloat16:  # Python's buffers have no such numbers; their bits lie in the same memory
            array = np.asarray(memoryview(tf.bitcast(tensor, tf.uint16))).view(tf.bfloat16.as_numpy_dtype)
        else:
            array = np.asarray(memoryview(tensor))
        return array.T if is_transposed(name) else array

    def __iter__(self) -> Iterator[str]:
        return iter(self._variables)

    def __len__(self) -> int:
        return len(self._variables)
