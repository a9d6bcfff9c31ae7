"""Writing ``flax_model.msgpack`` as flax serialises parameters, without flax; :mod:`.msgpack_file` has the format."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from albert_export.checkpoints.flax_layout import flax_path, is_transposed
from albert_export.checkpoints.matching import canonical_name
from albert_export.checkpoints.msgpack_file import ARRAY, CHUNKED, MSGPACK_DTYPES
from albert_export.checkpoints.names import PREFIX, TIED_DECODER_BIAS, parameters, tied_names
from albert_export.checkpoints.safetensors_file import DTYPES
from albert_export.checkpoints.writing import replacing
from albert_export.errors import CheckpointError, WeightsMismatchError
from albert_export.tasks import TASKS

if TYPE_CHECKING:
    import numpy as np

    from albert_export.config import AlbertConfig

MSGPACK_NAME = "flax_model.msgpack"
#: flax cuts larger arrays into parts of this size.
MAX_CHUNK_BYTES = 1 << 30


def write_msgpack(
    path: str | os.PathLike[str],
    tensors: Mapping[str, Any],
    *,
    config: AlbertConfig,
    architecture: str,
    further: Iterable[str] = (),
) -> None:
    """Write ``flax_model.msgpack``, which transformers' class of that name loads without missing or unexpected weights.

    The same tensors give the same bytes, with keys sorted. The file replaces an old one at the end, in one step; of
    weights that ``tensors`` makes when asked, one is held at a time.

    Args:
        path: The file.
        tensors: Name, canonical or as in a bare ``AlbertModel``, -> numpy array, linear ones ``[out, in]``; every
            parameter of the architecture once. bfloat16 may come as its bits in uint16. A bare model's pooler may be
            left out.
        config: Says which parameters there are.
        architecture: One of the seven classes, with or without ``Flax`` before its name.
        further: Those of them whose heads are stored as well. The reference's classes pass over other heads.

    Raises:
        CheckpointError: No such class, a dtype that no weight has, or a failed write.
        WeightsMismatchError: Other parameters or shapes than the architecture's.
    """
    tree: dict[str, Any] = {}
    models = [f"Flax{name.removeprefix('Flax')}" for name in (architecture, *further)]
    for name, source in _checked(tensors, config, models).items():
        place = flax_path(name)
        assert place is not None, name
        *maps, last = place.split("/")
        node = tree
        for key in maps:
            node = node.setdefault(key, {})
        node[last] = (name, source)
    with replacing(Path(path)) as file:
        _write_tree(file, tree, tensors)


def _checked(tensors: Mapping[str, Any], config: AlbertConfig, models: Sequence[str]) -> dict[str, str]:
    """Return name in the model -> name in ``tensors``."""
    wanted: dict[str, tuple[int, ...]] = {}
    needed: set[str] = set()
    for model in models:
        task = next((task for task in TASKS if task.flax_class == model), None)
        if task is None:
            raise CheckpointError(f"{MSGPACK_NAME} must be of one of the seven classes", received=model)
        wanted |= parameters(config, task)
        needed |= parameters(config, task, pooler=False).keys()
    sources = {canonical_name(name): name for name in tensors}
    for second, first in tied_names(config).items():
        if first in sources and (second == TIED_DECODER_BIAS[0] or first in wanted):
            sources.pop(second, None)  # the same once more
    shapes = {name: tuple(tensors[source].shape) for name, source in sources.items()}
    missing = needed - shapes.keys()
    differing = [
        f"{name}: {list(shapes[name])} against {list(wanted[name])}"
        for name in wanted.keys() & shapes.keys()
        if shapes[name] != wanted[name]
    ]
    if missing or differing or shapes.keys() - wanted.keys():
        raise WeightsMismatchError(
            f"{MSGPACK_NAME} must hold the weights of {', '.join(dict.fromkeys(models))}",
            missing=missing,
            unexpected=shapes.keys() - wanted.keys(),
            mismatched=differing,
        )
    bare = PREFIX if all(name.startswith(PREFIX) for name in wanted) else ""
    return {name.removeprefix(bare): source for name, source in sources.items()}


def _write_tree(file: IO[bytes], tree: Mapping[str, Any], tensors: Mapping[str, Any]) -> None:
    file.write(_map_head(len(tree)))
    for key in sorted(tree):
        file.write(_text(key))
        if isinstance(tree[key], dict):
            _write_tree(file, tree[key], tensors)
        else:
            name, source = tree[key]
            _write_weight(file, name, source, tensors)


def _write_weight(file: IO[bytes], name: str, source: str, tensors: Mapping[str, Any]) -> None:
    import numpy as np

    array = np.asarray(tensors[source])
    dtype = "bfloat16" if array.dtype.name in ("bfloat16", "uint16") else array.dtype.name
    if dtype not in MSGPACK_DTYPES:
        raise CheckpointError(f"{MSGPACK_NAME} must know the dtype of a weight", received=f"{array.dtype} for {source}")
    little = array.view(np.uint16) if dtype == "bfloat16" else array
    flat = (little.T if is_transposed(name) else little).astype(DTYPES[MSGPACK_DTYPES[dtype]][0], copy=False).ravel()
    shape = array.shape[::-1] if is_transposed(name) else array.shape
    if flat.nbytes <= MAX_CHUNK_BYTES:
        _write_array(file, shape, dtype, flat)
        return
    step = max(1, MAX_CHUNK_BYTES // flat.itemsize)
    parts = [flat[start : start + step] for start in range(0, flat.size, step)]
    file.write(_map_head(3) + _text(CHUNKED) + b"\xc3" + _text("shape") + _map_head(len(shape)))
    for axis, size in enumerate(shape):
        file.write(_text(str(axis)) + _count(size))
    file.write(_text("chunks") + _map_head(len(parts)))
    for number, part in enumerate(parts):
        file.write(_text(str(number)))
        _write_array(file, part.shape, dtype, part)


def _write_array(file: IO[bytes], shape: tuple[int, ...], dtype: str, flat: np.ndarray) -> None:
    head = b"\x93" + _head(len(shape), 0x90, 16, {2: 0xDC, 4: 0xDD}) + b"".join(_count(size) for size in shape)
    head += _text(dtype) + _head(flat.nbytes, 0, 0, {1: 0xC4, 2: 0xC5, 4: 0xC6})
    size = len(head) + flat.nbytes
    fixed = {1: 0xD4, 2: 0xD5, 4: 0xD6, 8: 0xD7, 16: 0xD8}.get(size)
    file.write(_head(size, 0, 0, {1: 0xC7, 2: 0xC8, 4: 0xC9}) if fixed is None else bytes([fixed]))
    file.write(bytes([ARRAY]) + head)
    file.write(flat.data.cast("B") if flat.size else b"")


def _head(length: int, small: int, below: int, codes: Mapping[int, int]) -> bytes:
    """Return the code of something so long: ``small`` with the length in it, or the least of ``codes`` and it after."""
    if length < below:
        return bytes([small | length])
    size = next(size for size in codes if length < 1 << (8 * size))
    return bytes([codes[size]]) + length.to_bytes(size, "big")


def _map_head(count: int) -> bytes:
    return _head(count, 0x80, 16, {2: 0xDE, 4: 0xDF})


def _text(text: str) -> bytes:
    encoded = text.encode("utf-8")
    return _head(len(encoded), 0xA0, 32, {1: 0xD9, 2: 0xDA, 4: 0xDB}) + encoded


def _count(number: int) -> bytes:
    return _head(number, 0, 128, {1: 0xCC, 2: 0xCD, 4: 0xCE, 8: 0xCF})
