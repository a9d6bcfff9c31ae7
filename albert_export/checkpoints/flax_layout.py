"""Weights as the reference's Flax models store them, seen as everything else here is: PyTorch's names and shapes.

Their files are ``flax_model.msgpack`` and, with ``safe_serialization=True``, ``model.safetensors``. The matrices of
linear layers lie as ``[in, out]``, and a bare model's names have no prefix, as in PyTorch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from albert_export.checkpoints.matching import canonical_name
from albert_export.checkpoints.names import PREFIX, flax_name, is_flax_transposed, name_of_flax
from albert_export.checkpoints.safetensors_file import LazyTensors

T = TypeVar("T")
Shape = tuple[int, ...]

_PREFIX = PREFIX.replace(".", "/")
#: Last parts of paths that no name of PyTorch has.
_FLAX_ONLY = ("kernel", "scale", "embedding")


def flax_path(name: str) -> str | None:
    """Return the path of a parameter in a Flax model, ``/`` between its parts, for its PyTorch name in the same model.

    None for a name that is not in the table.
    """
    canonical = canonical_name(name)
    path = flax_name(canonical)
    is_bare = canonical.startswith(PREFIX) and not name.startswith(PREFIX)
    return path.removeprefix(_PREFIX) if path is not None and is_bare else path


def torch_name(path: str) -> str:
    """Return the PyTorch name of a parameter in the same model; of a path that is not ALBERT's, itself, with dots.

    Args:
        path: Path, with ``/`` or, as in safetensors, ``.`` between its parts.
    """
    path = path.replace(".", "/")
    name = name_of_flax(path)
    if name is None:
        name = name_of_flax(_PREFIX + path)
        name = None if name is None else name.removeprefix(PREFIX)
    return path.replace("/", ".") if name is None else name


def is_flax(names: Iterable[str]) -> bool:
    """Return whether a file with these names holds what a Flax model of the reference wrote."""
    return any(name.endswith(_FLAX_ONLY) and flax_path(torch_name(name)) is not None for name in names)


def is_transposed(name: str) -> bool:
    """Return whether the parameter of a PyTorch name lies as ``[in, out]`` in Flax."""
    return is_flax_transposed(canonical_name(name))


def torch_shapes(shapes: Mapping[str, Shape]) -> dict[str, Shape]:
    """Return name -> shape in PyTorch's orientation, sorted, for stored path -> shape."""
    named = {torch_name(path): shape for path, shape in shapes.items()}
    return {name: shape[::-1] if is_transposed(name) else shape for name, shape in sorted(named.items())}


def torch_layout(tensors: Mapping[str, T]) -> Mapping[str, T]:
    """Return name -> tensor in PyTorch's orientation, a view of the stored one, for stored path -> tensor.

    Args:
        tensors: numpy arrays or torch tensors; each is asked for when it is needed.
    """
    places = {torch_name(path): path for path in tensors}

    def load(name: str) -> Any:
        tensor: Any = tensors[places[name]]
        return tensor.T if is_transposed(name) and tensor.ndim == 2 else tensor

    return LazyTensors(sorted(places), load)
