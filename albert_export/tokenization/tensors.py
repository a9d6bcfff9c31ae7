"""Lists of numbers to and from the arrays of numpy, PyTorch, TensorFlow and JAX."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any

from albert_export._imports import require
from albert_export.errors import InputError, UnknownNameError


class TensorType(StrEnum):
    """What ``return_tensors`` may ask for."""

    NUMPY = "np"
    PYTORCH = "pt"
    TENSORFLOW = "tf"
    JAX = "jax"


def tensor_maker(kind: str) -> Callable[[Any], Any]:
    """The function that turns nested lists into an array of ``kind``.

    Integers become int64 in numpy and PyTorch, int32 in TensorFlow and JAX: each framework's own default.

    Raises:
        UnknownNameError: No such kind.
        MissingDependencyError: The framework is not installed.
    """
    if kind not in set(TensorType):
        raise UnknownNameError("return_tensors", str(kind), tuple(TensorType))
    purpose = f'return_tensors="{kind}"'
    if kind == TensorType.PYTORCH:
        make: Callable[[Any], Any] = require("torch", needed_for=purpose, extra="onnx").tensor
    elif kind == TensorType.TENSORFLOW:
        make = require("tensorflow", needed_for=purpose, extra="tensorflow").constant
    elif kind == TensorType.JAX:
        make = require("jax.numpy", needed_for=purpose, extra="jax").array
    else:
        make = _numpy_array
    return make


def _numpy_array(value: Any) -> Any:
    import numpy

    array = numpy.asarray(value)
    # Windows with numpy 1 would make int32 here.
    return array.astype(numpy.int64, copy=False) if array.dtype.kind == "i" else array


def is_tensor(value: object) -> bool:
    """Whether ``value`` is already an array of one of the frameworks."""
    return hasattr(value, "shape") and hasattr(value, "dtype")


def tensor_kind(value: object) -> TensorType:
    """Which framework the array ``value`` belongs to."""
    module = type(value).__module__.partition(".")[0]
    kinds = {"torch": TensorType.PYTORCH, "tensorflow": TensorType.TENSORFLOW, "jaxlib": TensorType.JAX}
    return kinds.get(module, TensorType.JAX if module == "jax" else TensorType.NUMPY)


def to_lists(value: Any) -> Any:
    """Arrays, and arrays inside lists and dictionaries, as plain Python numbers and lists."""
    if isinstance(value, dict):
        return {key: to_lists(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_lists(item) for item in value]
    if hasattr(value, "tolist"):
        return value.tolist()
    if hasattr(value, "numpy"):
        return value.numpy().tolist()
    return value


def to_tensor(name: str, value: Any, make: Callable[[Any], Any]) -> Any:
    """``value`` as an array made by ``make``, unless it already is one.

    Args:
        name: The key it has in the encoding, for the error.
        value: A number or nested lists of numbers.
        make: From :func:`tensor_maker`.

    Raises:
        InputError: The rows are not all of one length.
    """
    if is_tensor(value):
        return value
    try:
        return make(value)
    except (ValueError, TypeError, OverflowError) as error:
        raise InputError(
            f"every row of `{name}` must have the same length to become a tensor",
            fix="pass padding=True, and truncation=True with a max_length"
            if name != "overflowing_tokens"
            else "leave out return_tensors, or use AlbertTokenizerFast, which returns overflow as rows of its own",
        ) from error
