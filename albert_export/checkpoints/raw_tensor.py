"""A weight as the bytes that are stored, whether or not numpy knows its dtype."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from albert_export.checkpoints.safetensors_file import DTYPES
from albert_export.errors import CheckpointError

if TYPE_CHECKING:
    import numpy as np
    import torch


#: safetensors dtype of what a model is made of -> its name in PyTorch.
FLOATING_POINT = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}


@dataclass(frozen=True)
class RawTensor:
    """One weight.

    Attributes:
        dtype: A key of :data:`albert_export.checkpoints.safetensors_file.DTYPES`.
        bits: Its numbers, little-endian; bfloat16 as its bits in uint16, for numpy has no such dtype.
    """

    dtype: str
    bits: np.ndarray

    @classmethod
    def of_numpy(cls, name: str, array: np.ndarray) -> RawTensor:
        """Return a weight that numpy holds; uint16, which no weight is, stands for bfloat16.

        Raises:
            CheckpointError: Numbers of another kind than weights have; ``name`` is in the message.
        """
        little = array.dtype.newbyteorder("<")
        for dtype, (code, _) in DTYPES.items():
            if little == code:
                return cls(dtype, array.astype(code, copy=False))
        raise CheckpointError(f"weights must be of one of {', '.join(DTYPES)}", received=f"{name}: {array.dtype}")

    @classmethod
    def of_torch(cls, name: str, tensor: torch.Tensor) -> RawTensor:
        """Return a weight that torch holds, without copying it.

        Raises:
            CheckpointError: Numbers of another kind than weights have; ``name`` is in the message.
        """
        import torch

        if tensor.dtype is torch.bfloat16:
            return cls("BF16", tensor.view(torch.int16).numpy().view("u2"))
        try:
            array = tensor.numpy()
        except TypeError:  # float8, for one
            raise CheckpointError(
                f"weights must be of one of {', '.join(DTYPES)}", received=f"{name}: {tensor.dtype}"
            ) from None
        return cls.of_numpy(name, array)

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape."""
        return self.bits.shape

    @property
    def is_floating_point(self) -> bool:
        """Whether it holds fractions, as every weight of a model that was not quantised does."""
        return self.dtype in FLOATING_POINT

    def numpy(self) -> np.ndarray:
        """Return it as numpy; bfloat16 as float32, which holds each of its values exactly, in a copy."""
        if self.dtype != "BF16":
            return self.bits
        widened: np.ndarray = (self.bits.astype("<u4") << 16).view("<f4")
        return widened


def same_bits(first: RawTensor, second: RawTensor) -> bool:
    """Return whether two weights are of one dtype and shape and have the same bits; NaN is equal to itself."""
    import numpy as np

    if first.dtype != second.dtype:
        return False
    kind = f"u{first.bits.dtype.itemsize}"
    return np.array_equal(first.bits.view(kind), second.bits.view(kind))
