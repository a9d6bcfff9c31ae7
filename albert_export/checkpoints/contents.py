"""What a checkpoint holds, of all heads at once: every stored name is a weight of its configuration, or it is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from albert_export.checkpoints.checkpoint import Checkpoint
from albert_export.checkpoints.matching import match_names
from albert_export.checkpoints.names import PREFIX, TIED_COPY_REASON, parameters, tied_names
from albert_export.checkpoints.raw_tensor import RawTensor, same_bits
from albert_export.checkpoints.safetensors_file import LazyTensors
from albert_export.config import AlbertConfig
from albert_export.errors import CheckpointError, WeightsMismatchError
from albert_export.tasks import TASKS, Task, get_task

#: Which class wrote a checkpoint that does not say it: the first of these whose head it holds.
_LIKELY = ("pretraining", "fill-mask", "question-answering", "text-classification", "multiple-choice")
_BASE = get_task("feature-extraction")


@dataclass(frozen=True)
class Contents:
    """The weights of a checkpoint, in the order of the table.

    Attributes:
        checkpoint: Where they are.
        stored: Canonical name -> name in the checkpoint; tied weights once.
        dtypes: Canonical name -> safetensors dtype.
        heads: The tasks whose every weight is there.
        task: The class that wrote it.
        left_out: Name in the checkpoint -> why it is no weight of its own; equal copies of tied weights go without
            saying.
    """

    checkpoint: Checkpoint
    stored: Mapping[str, str]
    dtypes: Mapping[str, str]
    heads: tuple[Task, ...]
    task: Task
    left_out: Mapping[str, str]

    @property
    def config(self) -> AlbertConfig:
        """The checkpoint's configuration."""
        return self.checkpoint.config

    def raw_tensors(self) -> Mapping[str, RawTensor]:
        """Return canonical name -> weight, each made when it is asked for."""
        raw = self.checkpoint.raw_tensors()
        return LazyTensors(self.stored, lambda name: raw[self.stored[name]])

    def file_name(self, name: str) -> str:
        """Return what a weight is called in files with PyTorch's names: a model without a head has no prefix."""
        return name.removeprefix(PREFIX) if all(name.startswith(PREFIX) for name in self.stored) else name


def contents_of(checkpoint: Checkpoint) -> Contents:
    """Return what a checkpoint holds.

    Raises:
        WeightsMismatchError: Other weights or shapes than its configuration tells of, or an encoder that is not whole.
        CheckpointError: A file is damaged, or the weights are no floating-point numbers.
        MissingDependencyError: The format needs a package that is not installed.
    """
    config, shapes = checkpoint.config, checkpoint.shapes()
    allowed: dict[str, set[tuple[int, ...]]] = {}
    for task in TASKS:
        for name, shape in parameters(config, task).items():
            allowed.setdefault(name, set()).add(shape)
    matching = match_names(shapes, allowed, tied=tied_names(config))
    sources = {name: source for source, name in matching.renames.items()}
    stored = {name: sources[name] for name in allowed if name in sources}
    missing = parameters(config, _BASE, pooler=False).keys() - stored.keys()
    mismatched = [
        f"{name}: {list(shapes[source])} against {' or '.join(str(list(shape)) for shape in sorted(allowed[name]))}"
        for name, source in stored.items()
        if shapes[source] not in allowed[name]
    ]
    if missing or matching.unexpected or mismatched:
        raise WeightsMismatchError(
            f"the weights of {checkpoint.source_name} must be those that {checkpoint.config_file.name} tells of",
            missing=missing,
            unexpected=matching.unexpected,
            mismatched=mismatched,
            fix="put the configuration of these weights beside them",
        )
    raw = checkpoint.raw_tensors()
    dtypes: dict[str, str] = {}
    whole: list[str] = []
    for name, source in stored.items():
        tensor = raw[source]
        dtypes[name] = tensor.dtype
        if not tensor.is_floating_point:
            whole.append(f"{name}: {tensor.dtype}")
    if whole:
        raise CheckpointError(
            "weights must be floating-point numbers",
            received=", ".join(whole),
            fix="give the checkpoint from before its quantisation",
        )
    held = {name: shapes[source] for name, source in stored.items()}
    heads = tuple(task for task in TASKS if parameters(config, task).items() <= held.items())
    seconds = {first: stored[first] for first in tied_names(config).values() if first in stored}
    left_out = {
        name: reason
        for name, reason in matching.ignored.items()
        if reason != TIED_COPY_REASON or not any(same_bits(raw[name], raw[second]) for second in seconds.values())
    }
    return Contents(checkpoint, stored, dtypes, heads, _task(config, heads), left_out)


def _task(config: AlbertConfig, heads: tuple[Task, ...]) -> Task:
    for architecture in config.architectures or ():
        for task in heads:
            if task.torch_class == str(architecture).removeprefix("TF").removeprefix("Flax"):
                return task
    return next((task for name in _LIKELY for task in heads if task.name == name), heads[-1] if heads else _BASE)
