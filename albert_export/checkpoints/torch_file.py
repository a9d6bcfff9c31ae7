"""Reading ``pytorch_model.bin`` without ever running code from it.

The file is a pickle, which can name any function to call. torch's ``weights_only`` unpickler knows the few names that
tensors need and refuses the rest; nothing is executed before it refuses.
"""

from __future__ import annotations

import io
import pickletools
import warnings
import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any

from albert_export._imports import require
from albert_export.errors import CheckpointError

if TYPE_CHECKING:
    import numpy as np
    import torch

#: Modules of the names that tensors need in a pickle.
_TENSOR_MODULES = frozenset(
    f"{parent}{module}"
    for parent, modules in (
        ("", ("collections", "_codecs", "torch")),
        ("torch.", ("_tensor", "_utils", "nn.parameter", "serialization", "storage")),
    )
    for module in modules
)


def load_torch_files(paths: Iterable[Path]) -> dict[str, torch.Tensor]:
    """Return name -> tensor of every file, on the CPU, memory-mapped where the file allows it.

    Raises:
        CheckpointError: A file is damaged, names code, holds something other than tensors, or two hold one name.
        MissingDependencyError: torch is not installed.
    """
    tensors: dict[str, torch.Tensor] = {}
    for path in paths:
        for name, tensor in _load(path).items():
            if name in tensors:
                raise CheckpointError("a weight may be in one shard only", received=f"{name} again in {path.name}")
            tensors[name] = tensor
    return dict(sorted(tensors.items()))


def _load(path: Path) -> dict[str, torch.Tensor]:
    torch = require("torch", needed_for=f"reading {path.name}", extra="onnx")
    try:
        # Files from before torch 1.6 are no zip archives and cannot be mapped.
        with warnings.catch_warnings():
            # torch warns of an old pickle protocol before it refuses the file; the refusal says all there is to say.
            warnings.filterwarnings("ignore", message="Detected pickle protocol", category=UserWarning)
            loaded = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except OSError as error:
        raise CheckpointError("the weights must be readable", received=str(error)) from error
    except Exception as error:
        # Any error: where the damage leads torch's unpickler is its own affair.
        named = _named_code(path)
        if named is not None:
            raise CheckpointError(
                f"{path.name} must hold tensors only",
                received=f"a pickle that names {named}: code, which is unsafe and was not run",
                fix="ask the publisher for model.safetensors",
            ) from error
        told = str(error).strip().split("\n")[0]
        if "weights_only" in told:  # torch's advice to run whatever code the file holds
            told = ""
        raise CheckpointError(
            f"{path.name} must be a whole PyTorch file",
            received=told or f"a damaged file ({type(error).__name__})",
            fix="save or fetch the file again",
        ) from error
    return _state_dict(path, loaded, torch)


def _state_dict(path: Path, loaded: Any, torch: Any) -> dict[str, torch.Tensor]:
    if not isinstance(loaded, dict):
        raise CheckpointError(f"{path.name} must hold a state dict", received=type(loaded).__name__)
    for name, value in loaded.items():
        kind = _kind(value, torch)
        if not isinstance(name, str) or kind != "dense":
            raise CheckpointError(
                f"{path.name} must map names to dense tensors",
                received=f"{name!r}: {kind}",
                fix="save model.state_dict() alone, or the model with save_pretrained",
            )
    return {name: value.detach() for name, value in loaded.items()}


def _kind(value: Any, torch: Any) -> str:
    """Tell in a word what a file maps a name to: ``dense`` is a tensor that can be used as it is."""
    if not isinstance(value, torch.Tensor):
        return type(value).__name__
    if value.layout is not torch.strided:
        return str(value.layout)
    if value.is_quantized:
        return str(value.dtype)
    return "a tensor without data" if value.is_meta else "dense"


def to_numpy(tensor: torch.Tensor) -> np.ndarray:
    """Return a read-only numpy view; bfloat16 as float32, in a copy."""
    if str(tensor.dtype) == "torch.bfloat16":
        tensor = tensor.float()
    array: np.ndarray = tensor.numpy().view()
    array.flags.writeable = False
    return array


def _named_code(path: Path) -> str | None:
    """Return the first name in the pickle that no tensor needs; instructions are listed, none is carried out."""
    try:
        with _pickle_of(path) as stream:
            # A legacy file is a row of pickles, and raw bytes after them, where listing ends with an error.
            while True:
                texts: list[str] = []
                for instruction, argument, _ in pickletools.genops(stream):
                    if instruction.name in ("GLOBAL", "INST"):
                        module, _, name = str(argument).partition(" ")
                    elif instruction.name == "STACK_GLOBAL" and len(texts) > 1:
                        module, name = texts[-2:]
                    else:
                        texts += [argument] if isinstance(argument, str) else []
                        continue
                    if module not in _TENSOR_MODULES:
                        return f"{module}.{name}"
    except Exception:  # noqa: BLE001 -- nothing more can be learnt from a file that is damaged
        return None


def _pickle_of(path: Path) -> IO[bytes]:
    if not zipfile.is_zipfile(path):
        return path.open("rb")
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if PurePosixPath(name).name == "data.pkl"]
        return io.BytesIO(archive.read(names[0]))
