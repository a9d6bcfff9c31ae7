"""Reading ``tf_model.h5`` as transformers 4.37.2 lays it out, by h5py alone.

A file has one group for each part of a Keras model, named in the attribute ``layer_names``; a group's attribute
``weight_names`` has the names of its weights, which begin with the model's own name, ``tf_albert_for_masked_lm`` or
``tf_albert_for_masked_lm_1``, and are paths below the group. A shard has neither: its ``layer_names`` are paths of
weights. Here they come under canonical names and in PyTorch's orientation.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from albert_export._imports import require
from albert_export.checkpoints.keras_layout import canonical_shapes, canonical_tensors
from albert_export.checkpoints.names import name_of_keras
from albert_export.checkpoints.safetensors_file import DTYPES, LFS_POINTER, LazyTensors
from albert_export.errors import CheckpointError

if TYPE_CHECKING:
    import numpy as np
    import torch

_LISTED_NAMES = 4


@dataclass(frozen=True)
class Entry:
    """Where one weight lies.

    Attributes:
        path: Its file.
        place: Path of its dataset within the file.
        dtype: Its numpy dtype, in the byte order of the file.
        shape: Its shape in the file.
        offset: Its first byte from the beginning of the file; None when it is not stored in one piece.
    """

    path: Path
    place: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    offset: int | None


def read_entries(paths: Iterable[Path]) -> dict[str, Entry]:
    """Return every weight of the files by its name in them, without the model's own; none is read.

    Raises:
        CheckpointError: A file is damaged, no such file, holds other weights than ALBERT's, or points to other files.
        MissingDependencyError: h5py is not installed.
    """
    entries: dict[str, Entry] = {}
    for path in paths:
        with _opened(path) as file:
            # A copy that a head has of the embeddings comes after them, and the reference's loader, too, leaves what
            # it meets last.
            found = {name: _entry(path, file, name, place) for name, place in _places(path, file)}
        for name in found.keys() & entries.keys():
            raise CheckpointError(
                "a weight may be in one shard only", received=f"{name} in {entries[name].path.name} and {path.name}"
            )
        entries.update(found)
    strange = [name for name in entries if name_of_keras(name) is None]
    if strange:
        listed = [*strange[:_LISTED_NAMES], *(["…"] if len(strange) > _LISTED_NAMES else [])]
        raise CheckpointError(
            "the weights in an h5 file must have the names of the reference's TensorFlow ALBERT",
            received=f"{len(strange)} others: {', '.join(listed)}",
            fix="save the model, and nothing around it, with save_pretrained",
        )
    return entries


def read_shapes(paths: Iterable[Path]) -> dict[str, tuple[int, ...]]:
    """Return canonical name -> shape, linear weights as ``[out, in]``, sorted; no weight is read.

    Raises:
        CheckpointError: A file is damaged, holds other weights than ALBERT's, or points to other files.
        MissingDependencyError: h5py is not installed.
    """
    return canonical_shapes({name: entry.shape for name, entry in read_entries(paths).items()})


def read_h5(path: str | os.PathLike[str] | Iterable[Path]) -> Mapping[str, np.ndarray]:
    """Return canonical name -> read-only array, linear weights as ``[out, in]``; each is made when it is asked for.

    Arrays lie over the mapped file where the file allows it, as all that the reference writes do. The decoder's bias
    is ``predictions.bias`` and not a weight of its own, as everywhere else.

    Args:
        path: The file, or its shards.

    Raises:
        CheckpointError: A file is damaged, holds other weights than ALBERT's, or points to other files.
        MissingDependencyError: h5py is not installed.
    """
    entries = read_entries([Path(path)] if isinstance(path, (str, os.PathLike)) else path)
    view = _mapped(entries.values(), mode="r")

    def load(name: str) -> np.ndarray:
        array = view(entries[name])
        array.flags.writeable = False
        return array

    return canonical_tensors(LazyTensors(entries, load), {name: entry.shape for name, entry in entries.items()})


def torch_tensors(paths: Iterable[Path]) -> Mapping[str, torch.Tensor]:
    """Return canonical name -> tensor over the privately mapped files, linear weights as ``[out, in]``.

    Raises:
        CheckpointError: A file is damaged, holds other weights than ALBERT's, or points to other files.
        MissingDependencyError: h5py or torch is not installed.
    """
    require("torch", needed_for="reading weights as torch tensors", extra="onnx")
    import torch

    entries = read_entries(paths)
    view = _mapped(entries.values(), mode="c")

    def load(name: str) -> torch.Tensor:
        array = view(entries[name])
        return torch.from_numpy(array.astype(array.dtype.newbyteorder("="), copy=False))

    return canonical_tensors(LazyTensors(entries, load), {name: entry.shape for name, entry in entries.items()})


# --- reading


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    h5py = require("h5py", needed_for=f"reading {path.name}", extra="convert")
    try:
        with path.open("rb") as raw:
            if raw.read(len(LFS_POINTER)) == LFS_POINTER:
                raise _malformed(path, "a git-lfs pointer instead of the weights", fix="run `git lfs pull`")
    except OSError as error:
        raise CheckpointError("the weights must be readable", received=str(error)) from error
    try:
        # A lock would keep others from reading, and file systems without locks from being read at all.
        with h5py.File(path, "r", locking=False) as file:
            yield file
    except CheckpointError:
        raise
    except Exception as error:  # where the damage leads the HDF5 library is its own affair
        raise _malformed(path, _told(error)) from error


def _places(path: Path, file: Any) -> Iterator[tuple[str, str]]:
    """Yield (name without the model's, place within the file) of every weight, in the file's order."""
    import h5py

    layers = _strings(path, file, "layer_names")
    if layers is None:
        raise CheckpointError(
            f"{path.name} must be laid out as transformers writes it",
            received=f"no layer_names, but {', '.join(sorted(file)[:_LISTED_NAMES]) or 'nothing in it'}",
            fix="save the model with its own save_pretrained, not with Keras's functions",
        )
    for layer in layers:
        node = _follow(path, file, layer)
        if isinstance(node, h5py.Dataset):
            yield layer, layer
            continue
        for name in _strings(path, node, "weight_names") or []:
            yield name.partition("/")[2], f"{layer}/{name}"


def _strings(path: Path, node: Any, name: str) -> list[str] | None:
    """Return an attribute that lists names; a long one is cut into several, numbered from 0. None without it."""
    values: list[Any] = []
    if name in node.attrs:
        values = list(node.attrs[name])
    elif f"{name}0" in node.attrs:
        part = 0
        while f"{name}{part}" in node.attrs:
            values += list(node.attrs[f"{name}{part}"])
            part += 1
    else:
        return None
    texts = [value.decode("utf-8") if isinstance(value, bytes) else value for value in values]
    if not all(isinstance(text, str) for text in texts):
        raise _malformed(path, f"{name} that are no text")
    return texts


def _follow(path: Path, file: Any, place: str) -> Any:
    """Return the group or dataset at a place; whatever leads elsewhere, perhaps into another file, is refused."""
    import h5py

    node = file
    for part in place.split("/"):
        link = node.get(part, getlink=True) if part not in ("", ".") and isinstance(node, h5py.Group) else None
        if link is None:
            raise _malformed(path, f"no {place}")
        if not isinstance(link, h5py.HardLink):
            raise _elsewhere(path, f"a link at {place}")
        node = node[part]
    if isinstance(node, h5py.Dataset) and (node.is_virtual or node.external):
        raise _elsewhere(path, f"data of another file at {place}")
    return node


def _entry(path: Path, file: Any, name: str, place: str) -> Entry:
    import h5py
    import numpy as np

    dataset = _follow(path, file, place)
    if not isinstance(dataset, h5py.Dataset) or dataset.shape is None:
        raise _malformed(path, f"no array at {place}")
    known = {np.dtype(code) for dtype, (code, _) in DTYPES.items() if dtype != "BF16"}
    if dataset.dtype.newbyteorder("<") not in known:
        raise CheckpointError(f"{path.name} must hold numbers", received=f"{dataset.dtype} for {name}")
    offset = dataset.id.get_offset()
    if offset is not None and offset + dataset.nbytes > path.stat().st_size:
        raise _malformed(path, f"{name} beyond the end of the file")
    return Entry(path, place, dataset.dtype, dataset.shape, offset)


def _read(entry: Entry) -> np.ndarray:
    """Read one weight through the library, in a copy, as it lies in the file."""
    with _opened(entry.path) as file:
        array: np.ndarray = _follow(entry.path, file, entry.place)[()]
    return array


def _mapped(entries: Iterable[Entry], *, mode: Literal["r", "c"]) -> Callable[[Entry], np.ndarray]:
    """Map the entries' files, read-only or privately, and return what gives an entry's array."""
    import numpy as np

    try:
        files = {path: np.memmap(path, dtype=np.uint8, mode=mode) for path in {entry.path for entry in entries}}
    except OSError as error:
        raise CheckpointError("the weights must be readable", received=str(error)) from error

    def view(entry: Entry) -> np.ndarray:
        if entry.offset is None:  # in chunks, compressed, or never written
            return _read(entry)
        return np.ndarray(entry.shape, entry.dtype, buffer=files[entry.path], offset=entry.offset)

    return view


def _told(error: Exception) -> str:
    text = str(error.args[0]) if error.args else ""  # a KeyError would be shown in quotes
    return text.strip().split("\n")[0] or type(error).__name__


def _malformed(path: Path, received: str, *, fix: str = "save or fetch the file again") -> CheckpointError:
    return CheckpointError(f"{path.name} must be a whole HDF5 file of weights", received=received, fix=fix)


def _elsewhere(path: Path, received: str) -> CheckpointError:
    return CheckpointError(
        f"{path.name} must hold its weights itself",
        received=received,
        fix="save the checkpoint again, or ask the publisher for model.safetensors",
    )
