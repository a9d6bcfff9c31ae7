"""The weights of Google's own ALBERT checkpoints, written by TensorFlow 1, under canonical names and shapes.

They are tensor bundles whose names are those of the table's ``tf1`` column, with ``module/`` before them in exports to
TF Hub. Beside each weight a training run keeps the moments of its optimizer, which are no part of the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from albert_export._imports import require
from albert_export.checkpoints.names import name_of_tf1
from albert_export.checkpoints.safetensors_file import LazyTensors
from albert_export.checkpoints.tensor_bundle import Entry, mapped, read_index
from albert_export.errors import CheckpointError

if TYPE_CHECKING:
    import numpy as np
    import torch

_HUB_PREFIX = "module/"
#: Last parts of names that belong to the training.
_TRAINING = frozenset({"adam_m", "adam_v", "Adam", "Adam_1", "Momentum", "global_step", "beta1_power", "beta2_power"})
#: First parts of the heads of Google's run_squad_v2, several layers that look at one another's answers.
_ANSWER_HEADS = frozenset({"start_logits", "end_logits", "answer_class"})
_OBJECTS = "_CHECKPOINTABLE_OBJECT_GRAPH"
_LISTED_NAMES = 4


@dataclass(frozen=True)
class Weight:
    """One weight of the model.

    Attributes:
        stored: Its name in the bundle.
        entry: Where it lies.
        transposed: Whether it lies as ``[in, out]``.
    """

    stored: str
    entry: Entry
    transposed: bool

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape in PyTorch's orientation."""
        return self.entry.shape[::-1] if self.transposed else self.entry.shape


def read_weights(index: Path) -> dict[str, Weight]:
    """Return canonical name -> weight of a bundle, sorted; the bytes of none are read.

    Args:
        index: ``PREFIX.index``.

    Raises:
        CheckpointError: A file is missing, truncated or damaged, or holds other weights than Google's ALBERT has.
    """
    found: dict[str, Weight] = {}
    strange: list[str] = []
    stored = read_index(index)
    for name, entry in stored.items():
        own = name.removeprefix(_HUB_PREFIX)
        if own.rpartition("/")[2] in _TRAINING:
            continue
        canonical = name_of_tf1(own)
        if canonical is None:
            strange.append(name)
            continue
        if canonical in found:
            raise CheckpointError(
                "a weight may be in a checkpoint once only", received=f"{found[canonical].stored} and {name}"
            )
        if entry.sliced or entry.dtype is None:
            kind = "a weight in slices" if entry.sliced else "no numbers"
            raise CheckpointError(
                "the weights of a TensorFlow 1 checkpoint must be whole tensors of numbers",
                received=f"{name}: {kind}",
                fix="save it again from a model without partitioned variables",
            )
        found[canonical] = Weight(name, entry, own.endswith("/kernel") and len(entry.shape) == 2)
    if strange or not found:
        raise _foreign(index, strange or list(stored))
    return dict(sorted(found.items()))


def numpy_tensors(index: Path, *, raw: bool = False) -> Mapping[str, np.ndarray]:
    """Return canonical name -> read-only array over the mapped shards, checked when it is asked for.

    Args:
        index: ``PREFIX.index``.
        raw: Whether bfloat16 comes as its bits in uint16; else as float32, in a copy.

    Raises:
        CheckpointError: A file is missing, truncated or damaged, or holds other weights than Google's ALBERT has.
    """
    weights = read_weights(index)
    view = mapped((weight.entry for weight in weights.values()), mode="r")

    def load(name: str) -> np.ndarray:
        weight = weights[name]
        array = view(weight.stored, weight.entry)
        if weight.entry.dtype == "BF16" and not raw:
            array = (array.astype("<u4") << 16).view("<f4")  # the upper half of a float32
        array = array.T if weight.transposed else array
        array.flags.writeable = False
        return array

    return LazyTensors(weights, load)


def torch_tensors(index: Path) -> Mapping[str, torch.Tensor]:
    """Return canonical name -> tensor over the privately mapped shards, checked when it is asked for.

    Raises:
        CheckpointError: A file is missing, truncated or damaged, or holds other weights than Google's ALBERT has.
        MissingDependencyError: torch is not installed.
    """
    require("torch", needed_for="reading weights as torch tensors", extra="onnx")
    import torch

    weights = read_weights(index)
    view = mapped((weight.entry for weight in weights.values()), mode="c")

    def load(name: str) -> torch.Tensor:
        weight = weights[name]
        array = view(weight.stored, weight.entry)
        array = array.astype(array.dtype.newbyteorder("="), copy=False)  # the only byte order that torch knows
        if weight.entry.dtype == "BF16":
            tensor = torch.from_numpy(array.view("int16")).view(torch.bfloat16)
        else:
            tensor = torch.from_numpy(array)
        return tensor.T if weight.transposed else tensor

    return LazyTensors(weights, load)


def _foreign(index: Path, names: list[str]) -> CheckpointError:
    listed = ", ".join([*names[:_LISTED_NAMES], *(["…"] if len(names) > _LISTED_NAMES else [])])
    answers = [name for name in names if name.removeprefix(_HUB_PREFIX).partition("/")[0] in _ANSWER_HEADS]
    if answers and len(answers) == len(names):
        return CheckpointError(
            "the head of question answering must be one linear layer",
            received=f"{index.name} with the heads of run_squad_v2: {', '.join(answers)}",
            fix="fine-tune with run_squad_v1, or with AlbertForQuestionAnswering",
        )
    if _OBJECTS in names:
        return CheckpointError(
            f"{index.name} must be a checkpoint that TensorFlow 1 saved by name",
            received="one that TensorFlow 2 saved by object",
            fix="save the model with save_pretrained",
        )
    return CheckpointError(
        f"the weights in {index.name} must have the names of Google's ALBERT",
        received=f"{len(names)} others: {listed}" if names else "none",
        fix="give an ALBERT checkpoint",
    )
