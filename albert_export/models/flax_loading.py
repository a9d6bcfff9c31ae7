"""Filling a Flax model from a checkpoint: every stored weight is consumed, every parameter filled, or it raises."""

from __future__ import annotations

from albert_export.models import _flax_required  # noqa: F401

# isort: split
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from albert_export._jax import look_for_devices, wide_numbers
from albert_export.checkpoints import flax_layout
from albert_export.checkpoints.flax_layout import is_transposed, torch_name
from albert_export.checkpoints.fresh import fresh_weight
from albert_export.checkpoints.safetensors_file import LazyTensors
from albert_export.models.filling import Loaded, heads_in, is_head, plan
from albert_export.tasks import Task

if TYPE_CHECKING:
    from albert_export.checkpoints import Checkpoint
    from albert_export.models.flax_pretrained import FlaxAlbertPreTrainedModel

#: Nested dictionaries of arrays: what a Flax model computes with.
Params = dict[str, Any]


def load_eager(
    checkpoint: Checkpoint, task: Task, *, dtype: str = "float32", allow_random_head: bool = False
) -> tuple[FlaxAlbertPreTrainedModel, list[str]]:
    """Return the task's model with the checkpoint's weights, and the names that were filled freshly.

    Weights are read one by one, so that memory never holds more than the model and one weight. Fresh weights are the
    same in every run, and those of the PyTorch model.

    Args:
        checkpoint: The weights; torch is needed only for those in ``pytorch_model.bin``.
        task: Which of the seven models.
        dtype: Name of a floating-point dtype, of parameters and computation.
        allow_random_head: Whether the head, pooler included, may be missing from the checkpoint.

    Raises:
        WeightsMismatchError: Lists parameters without weight, weights without parameter, and differing shapes.
        CheckpointError: The weights cannot be read.
    """
    from albert_export.models import flax_albert  # the models are built on what this module serves

    look_for_devices(jax)
    model: FlaxAlbertPreTrainedModel = getattr(flax_albert, task.flax_class)(
        checkpoint.config.copy(), dtype=jnp.dtype(dtype), _do_init=False
    )
    tensors = checkpoint.numpy_tensors()
    held = heads_in(checkpoint.config, {name: tensors[name].shape for name in tensors})
    params, loaded = fill(
        model,
        tensors,
        dtype=dtype,
        may_be_fresh=is_head if allow_random_head else lambda _: False,
        fix=f"this checkpoint holds the heads of {', '.join(held)}; --allow-random-head fills a missing one"
        if held
        else None,
    )
    model.hold(params)
    return model, list(loaded.fresh)


def run_eager(
    model: FlaxAlbertPreTrainedModel, inputs: Mapping[str, np.ndarray], *, hidden_states: bool = False
) -> dict[str, Any]:
    """Run a model that :func:`load_eager` made on numpy arrays; each shape of inputs is compiled once.

    Args:
        model: The model.
        inputs: ``input_ids``, ``attention_mask`` and ``token_type_ids``, whole numbers.
        hidden_states: Whether to return those of every layer too.

    Returns:
        Output name -> array; with ``hidden_states``, a list of L+1 arrays ``[B,S,D]`` under that name.
    """
    # Said outright, because a checkpoint's configuration may ask for attentions or for tuples.
    options: dict[str, Any] = {"output_attentions": False, "output_hidden_states": hidden_states, "return_dict": True}
    # Else a GPU rounds the factors of a product in float32 to TF32, and a TPU to bfloat16.
    with jax.default_matmul_precision("highest"):
        outputs = model(**{**inputs, **options})
    return {
        name: [np.asarray(state) for state in value] if isinstance(value, tuple) else np.asarray(value)
        for name, value in outputs.items()
    }


def fill(
    model: FlaxAlbertPreTrainedModel,
    tensors: Mapping[str, np.ndarray],
    *,
    dtype: str | None,
    may_be_fresh: Callable[[str], bool],
    fresh: Callable[[str, tuple[int, ...]], Any] | None = None,
    ignore_mismatched_sizes: bool = False,
    fix: str | None = None,
) -> tuple[Params, Loaded]:
    """Return parameters for ``model`` from ``tensors``, copies of them, and what was done.

    Args:
        model: The model, which stays as it is.
        tensors: Stored name -> weight, linear ones ``[out, in]``.
        dtype: Dtype of all parameters; None for that of each stored one, float64 only in a model that computes in it.
        may_be_fresh: Which weights may be filled freshly when nothing is stored for them.
        fresh: Makes a fresh weight of a name and a shape, as it is in the model, or None to leave it out; by default
            they are such as depend on their name alone.
        ignore_mismatched_sizes: Whether a stored weight of another shape is passed over and the model's filled freshly.
        fix: What the user can do about missing weights.

    Raises:
        WeightsMismatchError: Lists parameters without weight, weights without parameter, and differing shapes.
        CheckpointError: A weight is no floating-point number.
    """
    wanted = model.parameter_shapes()
    planned = plan(
        model.config,
        stored={name: tuple(tensors[name].shape) for name in tensors},
        wanted=wanted,
        unusable={name: str(tensors[name].dtype) for name in tensors if not _is_floating(tensors[name])},
        may_be_fresh=may_be_fresh,
        ignore_mismatched_sizes=ignore_mismatched_sizes,
        fix=fix,
    )
    found: dict[str, Any] = {}
    with wide_numbers(dtype or model.dtype):
        for name, shape in wanted.items():
            transposed = is_transposed(name)
            if name in planned.sources:
                value = tensors[planned.sources[name]]
            elif fresh is None:
                value = fresh_weight(name, shape, model.config)
            else:
                made = fresh(name, shape[::-1] if transposed else shape)
                if made is not None:
                    found[flax_path(name)] = made
                continue
            wanted_dtype = jax.dtypes.canonicalize_dtype(dtype or value.dtype)
            # a copy: the model may be trained, and saved over the file it came from
            found[flax_path(name)] = jnp.array(value.T if transposed else value, dtype=wanted_dtype)
    return unflatten_dict(found, sep="/"), planned.loaded


def stored_tensors(checkpoint: Checkpoint) -> Mapping[str, np.ndarray]:
    """Return the weights of a checkpoint as they are stored, in bfloat16 too, of which numpy itself knows nothing.

    Raises:
        CheckpointError: A file is truncated, malformed or unsafe.
        MissingDependencyError: The format needs a package that is not installed.
    """
    stored = checkpoint.raw_tensors()

    def load(name: str) -> np.ndarray:
        raw = stored[name]
        return raw.bits.view(jnp.bfloat16) if raw.dtype == "BF16" else raw.bits

    return LazyTensors(stored, load)


def _is_floating(array: np.ndarray) -> bool:
    return bool(jnp.issubdtype(array.dtype, jnp.floating))


def flax_path(name: str) -> str:
    """Return the path of a parameter in a model, ``/`` between its parts, for its PyTorch name in the same model."""
    path = flax_layout.flax_path(name)
    assert path is not None, name
    return path


class StoredWeights(Mapping[str, np.ndarray]):
    """Parameters by PyTorch's names, as checkpoints hold them: views where JAX allows it, linear ones transposed.

    Args:
        params: Parameters of a model, bare or with a head.
    """

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._arrays: dict[str, Any] = {
            torch_name(path): array for path, array in flatten_dict(dict(params), sep="/").items()
        }

    def __getitem__(self, name: str) -> np.ndarray:
        array = np.asarray(jax.device_get(self._arrays[name]))
        return array.T if is_transposed(name) else array

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)
