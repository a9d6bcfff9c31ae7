"""Filling a PyTorch model from a checkpoint: every stored weight is consumed, every parameter filled, or it raises."""

from __future__ import annotations

from albert_export.models import _torch_required  # noqa: F401

# isort: split
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from albert_export.checkpoints.fresh import fresh_weight
from albert_export.config import AlbertConfig
from albert_export.errors import InputError
from albert_export.models.filling import Loaded, heads_in, is_head, plan
from albert_export.models.torch_surgery import initialise
from albert_export.tasks import Task

if TYPE_CHECKING:
    import numpy as np

    from albert_export.checkpoints import Checkpoint
    from albert_export.models.torch_pretrained import AlbertPreTrainedModel


def load_eager(
    checkpoint: Checkpoint, task: Task, *, dtype: str = "float32", allow_random_head: bool = False
) -> tuple[AlbertPreTrainedModel, list[str]]:
    """Return the task's model with the checkpoint's weights, in eval mode, and the names that were filled freshly.

    Weights stored in ``dtype`` are used where they are mapped from the file; others are converted one by one, so that
    memory never holds more than the model and one weight. Fresh weights are the same in every run.

    Args:
        checkpoint: The weights.
        task: Which of the seven models.
        dtype: Name of a floating-point torch dtype.
        allow_random_head: Whether the head, pooler included, may be missing from the checkpoint.

    Raises:
        WeightsMismatchError: Lists parameters without weight, weights without parameter, and differing shapes.
        CheckpointError: The weights cannot be read.
    """
    from albert_export.models import torch_albert  # the models are built on what this module serves

    with torch.device("meta"):
        model: AlbertPreTrainedModel = getattr(torch_albert, task.torch_class)(checkpoint.config.copy())
    tensors = checkpoint.torch_tensors()
    held = heads_in(checkpoint.config, {name: tuple(tensors[name].shape) for name in tensors})
    loaded = fill(
        model,
        tensors,
        dtype=resolve_dtype(dtype),
        may_be_fresh=is_head if allow_random_head else lambda _: False,
        reproducible=True,
        fix=f"this checkpoint holds the heads of {', '.join(held)}; --allow-random-head fills a missing one"
        if held
        else None,
    )
    return model.eval(), list(loaded.fresh)


def resolve_dtype(dtype: str | torch.dtype) -> torch.dtype:
    """Return a floating-point dtype, given itself or its name.

    Raises:
        InputError: Something else.
    """
    resolved = getattr(torch, dtype.removeprefix("torch."), None) if isinstance(dtype, str) else dtype
    if not isinstance(resolved, torch.dtype) or not resolved.is_floating_point:
        raise InputError("a model's dtype must be floating-point", received=str(dtype), fix="float32, for example")
    return resolved


def run_eager(
    model: AlbertPreTrainedModel, inputs: Mapping[str, np.ndarray], *, hidden_states: bool = False
) -> dict[str, Any]:
    """Run a model that :func:`load_eager` made on numpy arrays.

    Args:
        model: The model.
        inputs: ``input_ids``, ``attention_mask`` and ``token_type_ids``, int64.
        hidden_states: Whether to return those of every layer too.

    Returns:
        Output name -> array; with ``hidden_states``, a list of L+1 arrays ``[B,S,D]`` under that name.
    """
    # Said outright, because a checkpoint's configuration may ask for attentions or for tuples.
    options = {"output_attentions": False, "output_hidden_states": hidden_states, "return_dict": True}
    with torch.inference_mode():
        outputs = model(**{name: torch.from_numpy(value) for name, value in inputs.items()}, **options)
    return {
        name: [state.numpy() for state in value] if isinstance(value, tuple) else value.numpy()
        for name, value in outputs.items()
        if value is not None
    }


def choose_dtype(wanted: str | torch.dtype | None, config: AlbertConfig, weights: Mapping[str, Tensor]) -> torch.dtype:
    """Return the dtype a model is loaded in: ``wanted``; for ``"auto"`` the stored one; for None torch's default.

    Raises:
        InputError: No floating-point dtype.
    """
    if wanted is None:
        return torch.get_default_dtype()
    if wanted != "auto":
        return resolve_dtype(wanted)
    if config.torch_dtype is not None:
        return resolve_dtype(config.torch_dtype)
    stored = (weights[name].dtype for name in weights)
    return next((dtype for dtype in stored if dtype.is_floating_point), torch.get_default_dtype())


def fill(
    model: AlbertPreTrainedModel,
    tensors: Mapping[str, Tensor],
    *,
    dtype: torch.dtype,
    may_be_fresh: Callable[[str], bool],
    ignore_mismatched_sizes: bool = False,
    copy: bool = False,
    reproducible: bool = False,
    fix: str | None = None,
) -> Loaded:
    """Replace every parameter of ``model``, which may lie on the meta device, by its weight.

    Args:
        model: The model; ties between its parameters are kept.
        tensors: Stored name -> weight.
        dtype: What weights are converted to.
        may_be_fresh: Which parameters may be filled freshly when nothing is stored for them.
        ignore_mismatched_sizes: Whether a weight of another shape is passed over and its parameter filled freshly.
        copy: Whether the model gets memory of its own in place of the tensors given.
        reproducible: Whether fresh weights depend on their name alone: not on torch's global generator, nor on dtype.
        fix: What the user can do about missing weights.

    Raises:
        WeightsMismatchError: Lists parameters without weight, weights without parameter, and differing shapes.
        CheckpointError: A weight is no floating-point number. In both cases the model is unchanged.
    """
    places = _places(model)
    shapes = {name: tuple(getattr(*slots[0]).shape) for name, slots in places.items()}
    planned = plan(
        model.config,
        stored={name: tuple(tensors[name].shape) for name in tensors},
        wanted=shapes,
        unusable={name: str(tensors[name].dtype) for name in tensors if not tensors[name].is_floating_point()},
        may_be_fresh=may_be_fresh,
        ignore_mismatched_sizes=ignore_mismatched_sizes,
        fix=fix,
    )
    for name, source in planned.sources.items():
        _put(places[name], tensors[source].detach().to(dtype=dtype, copy=copy))
    for name in places:  # in the order of the modules, as the reference draws its random numbers
        if name in planned.loaded.fresh:
            if reproducible:
                _put(places[name], torch.from_numpy(fresh_weight(name, shapes[name], model.config)).to(dtype))
            else:
                _put(places[name], torch.empty(shapes[name], dtype=dtype))
                initialise(*places[name][0], std=model.config.initializer_range)
    return planned.loaded


def _places(model: nn.Module) -> dict[str, list[tuple[nn.Module, str]]]:
    """Return, for each parameter, its first name and every (module, attribute) that holds it."""
    first: dict[int, str] = {}
    places: dict[str, list[tuple[nn.Module, str]]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        owner, _, attribute = name.rpartition(".")
        places.setdefault(first.setdefault(id(parameter), name), []).append((model.get_submodule(owner), attribute))
    return places


def _put(slots: list[tuple[nn.Module, str]], tensor: Tensor) -> None:
    trainable = getattr(*slots[0]).requires_grad
    parameter = nn.Parameter(tensor, trainable)
    for module, attribute in slots:
        setattr(module, attribute, parameter)
