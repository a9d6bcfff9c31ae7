"""Tracing an eager Flax model into a function of its inputs and its weights, as ``jax.export`` takes it.

The model is the eager one in another form (:class:`albert_export.models.flax_encoder.Form`): the shared layer as one
loop or written out, a bounded mask, and the numbers of the artifact's precision. The weights are arguments, under their
canonical names and as every file of weights holds them, linear ones ``[out, in]``: the transposition is part of the
graph, where XLA makes it a property of the product.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from albert_export._jax import import_jax
from albert_export.checkpoints.matching import canonical_name
from albert_export.checkpoints.names import is_flax_transposed
from albert_export.errors import AlbertExportError, ExportError
from albert_export.graphs.narrowing import check_fits
from albert_export.tasks import Task

if TYPE_CHECKING:
    from collections.abc import Iterator

jax: Any = import_jax(needed_for="exporting to StableHLO")

#: Precision -> dtype of weights and arithmetic. LayerNorm's statistics are in float32 in all, and so are outputs.
DTYPES = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}

#: exp of it is 0 in every precision, and it is finite in float16; see ARCHITECTURE.md.
MASK_BIAS = -10000.0

Arrays = Mapping[str, Any]


@dataclass(frozen=True)
class JaxTrace:
    """A model as a function that is ready to be exported.

    Attributes:
        function: Takes inputs by name and weights by canonical name; returns outputs by name, float32.
        inputs: Shape, symbolic where an axis is dynamic, and dtype (int32) of each input, in the task's order.
        weights: The model's weights by canonical name, sorted, in the artifact's dtype and ``[out, in]``; each is made
            when it is asked for.
        task: The task whose inputs and outputs the function has.
        sizes: Fixed size of each dynamic axis, or None where it stays dynamic.
    """

    function: Callable[[Arrays, Arrays], dict[str, Any]]
    inputs: Mapping[str, Any]
    weights: Mapping[str, Any]
    task: Task
    sizes: Mapping[str, int | None]


def trace(model: Any, task: Task, *, precision: str, layers: str, sizes: Mapping[str, int | None]) -> JaxTrace:
    """Make ``model`` a function of inputs and weights.

    Args:
        model: An eager Flax ALBERT with the task's head; unchanged afterwards.
        task: Names and axes of inputs and outputs.
        precision: A key of :data:`DTYPES`.
        layers: ``rolled`` for one loop per layer group, ``unrolled`` for a copy of the layer's operators per layer.
        sizes: Fixed size of a dynamic axis, None to keep it dynamic.

    Raises:
        ExportError: Another precision, a fixed sequence that is longer than the model's positions, or a weight that is
            too large for the precision.
    """
    from flax.traverse_util import unflatten_dict

    from albert_export.models.flax_encoder import Form
    from albert_export.models.flax_loading import flax_path

    if precision not in DTYPES:
        raise ExportError(
            f"StableHLO's precision must be {', '.join(DTYPES)}", received=precision, fix="choose one of them"
        )
    fixed = {axis: sizes.get(axis) for axis in task.dynamic_axes}
    _check_sequence(fixed["sequence"], model.config.max_position_embeddings)
    dtype = jax.numpy.dtype(DTYPES[precision])
    module = model.module.clone(dtype=dtype, form=Form(rolled=layers == "rolled", mask_bias=MASK_BIAS))
    paths = {canonical_name(name): flax_path(name) for name in model.parameter_shapes()}

    def function(inputs: Arrays, weights: Arrays) -> dict[str, Any]:
        params = {paths[name]: weight.T if is_flax_transposed(name) else weight for name, weight in weights.items()}
        outputs = module.apply(
            {"params": unflatten_dict(params, sep="/")},
            **inputs,
            deterministic=True,
            # Said outright: a configuration may ask for every layer's output.
            output_attentions=False,
            output_hidden_states=False,
            return_dict=True,
        )
        return {spec.name: outputs[spec.name].astype(jax.numpy.float32) for spec in task.outputs}

    weights = _Weights(model, dtype)
    weights.check_fit()
    return JaxTrace(function, _inputs(task, fixed), weights, task, fixed)


@contextmanager
def traceable(task: Task, precision: str) -> Iterator[None]:
    """Inside this block functions are traced as the artifact needs it; what fails is told in one line.

    Products of float32 numbers are asked for in full: TPUs and newer GPUs would else round the factors to 8 or 11 bits,
    and an fp32 artifact would not compute what the eager fp32 model computes.

    Raises:
        ExportError: JAX could not trace, lower or compile.
    """
    try:
        with ExitStack() as stack:
            # Whatever the user has switched on: positions and counters would be of 64 bits, and the bytes others.
            switch = jax.enable_x64 if hasattr(jax, "enable_x64") else jax.experimental.enable_x64
            stack.enter_context(switch(False))
            if precision == "fp32":
                stack.enter_context(jax.default_matmul_precision("highest"))
            yield
    except AlbertExportError:
        raise  # what the model itself refuses is told in its own words
    except (RuntimeError, TypeError, ValueError, AssertionError) as error:
        raise ExportError(f"JAX must be able to trace {task.flax_class}", received=_told(error)) from error


class _Weights(Mapping[str, Any]):
    """Canonical name -> a model's weight, converted when it is asked for; never two copies of all."""

    def __init__(self, model: Any, dtype: Any) -> None:
        from albert_export.models.flax_loading import StoredWeights

        self._stored = StoredWeights(model.params)
        self._names = dict(sorted((canonical_name(name), name) for name in self._stored))
        self._dtype = dtype

    def check_fit(self) -> None:
        """Raise ExportError where the dtype does not hold a weight."""
        if self._dtype != np.float32:
            for name, stored in self._names.items():
                check_fits(name, float(np.abs(self._stored[stored]).max(initial=0.0)), str(self._dtype))

    def __getitem__(self, name: str) -> Any:
        return self._stored[self._names[name]].astype(self._dtype, copy=False)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _inputs(task: Task, sizes: Mapping[str, int | None]) -> dict[str, Any]:
    from jax import export

    symbols = [axis for axis in task.dynamic_axes if sizes[axis] is None]
    # One call for all: symbols of two calls are of two scopes, and cannot be compared.
    dimensions = dict(zip(symbols, export.symbolic_shape(", ".join(symbols)), strict=True)) if symbols else {}
    return {
        spec.name: jax.ShapeDtypeStruct(
            [dimensions.get(str(axis), sizes.get(str(axis))) for axis in spec.axes], jax.numpy.int32
        )
        for spec in task.inputs
    }


def _check_sequence(sequence: int | None, longest: int) -> None:
    if sequence is not None and sequence > longest:
        raise ExportError(f"sequence must be at most {longest}, the positions of this model", received=sequence)


def _told(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:500] if lines else type(error).__name__
