"""Checkpoints with one thing changed, which pass for the one that they were made of.

What a control gets wrong, it gets wrong before the export: the real emitter then writes an artifact that computes
something else, of the same identity, and nothing behind it can tell but parity.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from albert_export.checkpoints import Checkpoint
from albert_export.config import AlbertConfig

if TYPE_CHECKING:
    import torch

Tensors = Mapping[str, npt.NDArray[Any]]

_GROUP = re.compile(r"(?<=albert_layer_groups\.)(\d+)(?=\.)")

#: What LayerNorm of other models adds to the variance, in place of ALBERT's 1e-12.
_USUAL_EPSILON = 1e-5
_ALBERT_EPSILON = 1e-12
#: The two forms of GELU, each of which is easily taken for the other.
_OTHER_GELU = {"gelu": "gelu_new", "gelu_new": "gelu"}
#: A weight that was scaled wrongly, by one part in a hundred.
_PERTURBED = np.float32(1.01)
#: What the weights of the one layer are multiplied by that is no longer the shared one.
_APART = np.float32(1.1)


@dataclass(frozen=True)
class ChangedCheckpoint(Checkpoint):
    """A checkpoint whose files are another's, and whose weights are changed as they are read.

    Attributes:
        original: The other one.
        change: Gets its weights, under the names they are stored by, and returns those of this one.
    """

    original: Checkpoint
    change: Callable[[Tensors], Tensors]

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return name -> shape of every weight."""
        return {name: tensor.shape for name, tensor in self.numpy_tensors().items()}

    def numpy_tensors(self) -> Tensors:
        """Return name -> weight."""
        return self.change(self.original.numpy_tensors())

    def torch_tensors(self) -> Mapping[str, torch.Tensor]:
        """Return name -> weight as torch."""
        import torch

        # A copy: what is mapped from a file cannot be written to, of which torch warns.
        return {name: torch.from_numpy(tensor.copy()) for name, tensor in self.numpy_tensors().items()}


def reconfigured(checkpoint: Checkpoint, **fields: Any) -> Checkpoint:
    """Return the checkpoint with other values in its configuration; its identity is that of its files, as before.

    Raises:
        ConfigError: A value breaks a rule of the configuration.
    """
    return dataclasses.replace(checkpoint, config=AlbertConfig.from_dict(checkpoint.config.to_dict(), **fields))


def reweighted(checkpoint: Checkpoint, change: Callable[[Tensors], Tensors], **fields: Any) -> ChangedCheckpoint:
    """Return the checkpoint with changed weights, and other values in its configuration where ``fields`` has some."""
    named = {field.name: getattr(checkpoint, field.name) for field in dataclasses.fields(Checkpoint)}
    named["config"] = reconfigured(checkpoint, **fields).config
    return ChangedCheckpoint(**named, original=checkpoint, change=change)


def one_layer_fewer(checkpoint: Checkpoint) -> Checkpoint:
    """The last application of the last group is left out, and the group with it if it has no other."""
    config = checkpoint.config
    layers = config.num_hidden_layers - 1
    groups = min(config.num_hidden_groups, layers)
    kept = groups * config.inner_group_num
    pruned = {layer: heads for layer, heads in config.pruned_heads.items() if layer < kept}
    fields = {"num_hidden_layers": layers, "num_hidden_groups": groups, "pruned_heads": pruned}
    if groups == config.num_hidden_groups:
        return reconfigured(checkpoint, **fields)

    def drop(tensors: Tensors) -> Tensors:
        numbers = {name: _GROUP.search(name) for name in tensors}
        return {name: tensors[name] for name, found in numbers.items() if found is None or int(found[1]) < groups}

    return reweighted(checkpoint, drop, **fields)


def other_gelu(checkpoint: Checkpoint) -> Checkpoint:
    """GELU by tanh takes the place of that by erf, or the other way round."""
    return reconfigured(checkpoint, hidden_act=_OTHER_GELU[str(checkpoint.config.hidden_act)])


def other_epsilon(checkpoint: Checkpoint) -> Checkpoint:
    """LayerNorm adds 1e-5 to the variance, as in other models; 1e-12 where the checkpoint's own is 1e-5."""
    usual = checkpoint.config.layer_norm_eps == _USUAL_EPSILON
    return reconfigured(checkpoint, layer_norm_eps=_ALBERT_EPSILON if usual else _USUAL_EPSILON)


def weight_perturbed(checkpoint: Checkpoint) -> Checkpoint:
    """The first weight matrix of the feed-forward network is one part in a hundred too large."""

    def perturb(tensors: Tensors) -> Tensors:
        name = min(name for name in tensors if _GROUP.search(name) and name.endswith(".ffn.weight"))
        return {**tensors, name: tensors[name].astype(np.float32) * _PERTURBED}

    return reweighted(checkpoint, perturb)


def one_layer_unshared(checkpoint: Checkpoint) -> Checkpoint:
    """One layer of those that share their weights has others, and the rest have copies of the shared ones."""
    config = checkpoint.config
    old = _groups_of_layers(config.num_hidden_layers, config.num_hidden_groups)
    new, changed = _split(old)
    old_of = dict(zip(new, old, strict=True))

    def unshare(tensors: Tensors) -> Tensors:
        found: dict[str, npt.NDArray[Any]] = {}
        for name in tensors:
            number = _GROUP.search(name)
            if number is None:
                found[name] = tensors[name]
                continue
            for group in (group for group, before in old_of.items() if before == int(number[1])):
                value = tensors[name]
                apart = group == changed and value.ndim == 2
                found[_GROUP.sub(str(group), name)] = value.astype(np.float32) * _APART if apart else value
        return found

    pruned = {group: config.pruned_heads[before] for group, before in old_of.items() if before in config.pruned_heads}
    return reweighted(checkpoint, unshare, num_hidden_groups=len(old_of), pruned_heads=pruned)


def _groups_of_layers(layers: int, groups: int) -> list[int]:
    """Return the group of each layer, as the models count them."""
    return [int(layer / (layers / groups)) for layer in range(layers)]


def _split(old: list[int]) -> tuple[list[int], int]:
    """Return the groups of each layer, as few as there can be, of which one is a layer that shared its weights.

    Few, since each is in the graph once: of every layer on its own, the graph alone is larger than an export allows.

    Args:
        old: The group of each layer, some of which have several.

    Returns:
        The new group of each layer, within its old one, and which group it is.
    """
    layers = len(old)
    for groups in range(len(set(old)) + 1, layers + 1):
        new = _groups_of_layers(layers, groups)
        within = len(set(zip(new, old, strict=True))) == groups
        alone = [place for place, group in enumerate(new) if new.count(group) == 1 and old.count(old[place]) > 1]
        if within and alone:
            return new, new[alone[len(alone) // 2]]
    raise AssertionError("with a group for each layer there is one")
