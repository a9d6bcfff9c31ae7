"""Reading ``pytorch_model.bin`` without ever running code from it.

The file is a pickle, which can name any function to call. torch's ``weights_only`` unpickler knows the few names that
tensors need and refuses the rest; nothing is executed before it refuses.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from albert_export._imports import require
from albert_export.errors import CheckpointError

if TYPE_CHECKING:
    import numpy as np
    import torch

#: How torch's unpickler begins its complaint about a name, class or instruction outside its list.
_REFUSALS = ("Unsupported global", "Unsupported class", "Unsupported operand", "Unsupported operator", "Trying to call")
_DAMAGED_FIX = "save or fetch the file again"


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
    from pickle import UnpicklingError  # noqa: TID251 -- only the name of the error that torch raises

    try:
        # Files from before torch 1.6 are no zip archives and cannot be mapped.
        loaded = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except OSError as error:
        raise CheckpointError("the weights must be readable", received=str(error)) from error
    except UnpicklingError as error:
        refusal = _refusal(str(error))
        if refusal is None:
            raise _damaged(path, error) from error
        raise CheckpointError(
            f"{path.name} must hold tensors only",
            received=f"a pickle with code, which is unsafe and was not run ({refusal})",
            fix="ask the publisher for model.safetensors",
        ) from error
    except (EOFError, RuntimeError, ValueError, TypeError, LookupError, AttributeError, AssertionError) as error:
        # What torch raises on damaged files depends on where the damage is.
        raise _damaged(path, error) from error
    return _state_dict(path, loaded, torch)


def _state_dict(path: Path, loaded: Any, torch: Any) -> dict[str, torch.Tensor]:
    if not isinstance(loaded, dict):
        raise CheckpointError(f"{path.name} must hold a state dict", received=type(loaded).__name__)
    for name, value in loaded.items():
        if not isinstance(name, str) or not isinstance(value, torch.Tensor) or value.layout is not torch.strided:
            kind = getattr(value, "layout", type(value).__name__)
            raise CheckpointError(
                f"{path.name} must map names to dense tensors",
                received=f"{name!r}: {kind}",
                fix="save model.state_dict() alone, or the model with save_pretrained",
            )
    return {name: value.detach() for name, value in loaded.items()}


def to_numpy(tensor: torch.Tensor) -> np.ndarray:
    """Return a read-only numpy view; bfloat16 as float32, in a copy."""
    if str(tensor.dtype) == "torch.bfloat16":
        tensor = tensor.float()
    array: np.ndarray = tensor.numpy().view()
    array.flags.writeable = False
    return array


def _refusal(message: str) -> str | None:
    for start in _REFUSALS:
        if start in message:
            return (start + message.partition(start)[2]).split(" was ")[0].split("\n")[0].rstrip(".")
    return None


def _damaged(path: Path, error: BaseException) -> CheckpointError:
    first = str(error).strip().split("\n")[0] or type(error).__name__
    return CheckpointError(f"{path.name} must be a whole PyTorch file", received=first, fix=_DAMAGED_FIX)
