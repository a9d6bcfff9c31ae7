"""THE TABLE of negative controls: what is wrong in each, and where it cannot be tried."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from albert_export.checkpoints import Checkpoint
from albert_export.config import AlbertConfig
from albert_export.selftest import changes

Inputs = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Control:
    """One thing that is wrong.

    Attributes:
        name: What it is called in reports.
        told: What it is that the artifact gets wrong.
        checkpoint: Returns the changed checkpoint that is exported; None where the artifact is the healthy one.
        inputs: Returns what the artifact gets in place of the case's inputs; None where it gets those.
        not_for: Returns why this cannot be got wrong in a model of that configuration, or None.
    """

    name: str
    told: str
    checkpoint: Callable[[Checkpoint], Checkpoint] | None = None
    inputs: Callable[[Inputs], Inputs] | None = None
    not_for: Callable[[AlbertConfig], str | None] = lambda _: None


def _mask_ignored(inputs: Inputs) -> Inputs:
    return {**inputs, "attention_mask": np.ones_like(inputs["attention_mask"])}


def _segments_swapped(inputs: Inputs) -> Inputs:
    return {**inputs, "token_type_ids": 1 - inputs["token_type_ids"]}


def _single_segment(config: AlbertConfig) -> str | None:
    return None if config.type_vocab_size >= 2 else "the model knows one segment only"


def _single_layer(config: AlbertConfig) -> str | None:
    if config.num_hidden_layers < 2:
        return "the model has one layer"
    groups = min(config.num_hidden_groups, config.num_hidden_layers - 1)
    fits = config.inner_group_num <= (config.num_hidden_layers - 1) // groups
    return None if fits else "no fewer layers hold the inner layers of a group"


def _no_gelu(config: AlbertConfig) -> str | None:
    return None if config.hidden_act in ("gelu", "gelu_new") else f"the activation is {config.hidden_act}"


def _nothing_shared(config: AlbertConfig) -> str | None:
    if config.num_hidden_groups == config.num_hidden_layers:
        return "no layer is shared"
    return None if config.inner_group_num == 1 else "the groups have inner layers"


#: In the order in which they are reported.
CONTROLS = (
    Control("mask ignored", "every token counts as a real one", inputs=_mask_ignored),
    Control(
        "segments swapped",
        "the first segment passes for the second",
        inputs=_segments_swapped,
        not_for=_single_segment,
    ),
    Control(
        "one layer fewer",
        "the last layer is left out",
        checkpoint=changes.one_layer_fewer,
        not_for=_single_layer,
    ),
    Control(
        "other GELU",
        "GELU by tanh in place of erf, or erf in place of tanh",
        checkpoint=changes.other_gelu,
        not_for=_no_gelu,
    ),
    Control("other epsilon", "LayerNorm's epsilon 1e-5 in place of 1e-12", checkpoint=changes.other_epsilon),
    Control("weight perturbed", "one matrix is 1% too large", checkpoint=changes.weight_perturbed),
    Control(
        "layer unshared",
        "one of the layers that share weights has others",
        checkpoint=changes.one_layer_unshared,
        not_for=_nothing_shared,
    ),
)

#: The same export with nothing changed, which must pass: else that a control misses would prove nothing.
HEALTHY = Control("unchanged", "nothing", checkpoint=lambda checkpoint: checkpoint)
