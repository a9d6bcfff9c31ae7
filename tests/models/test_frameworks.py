"""THE test across frameworks: the same weights through every framework's models, compared at every layer.

PyTorch is the reference. In float64 nothing but a mistake moves a number by more than a rounding, and the first name in
the list of a failure is the layer where it lies.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from albert_export.checkpoints import open_checkpoint, write_safetensors
from albert_export.tasks import TASKS, Task, get_task
from tests.models.conftest import tiny_model

Inputs = Mapping[str, np.ndarray]
States = dict[str, np.ndarray]

TOLERANCE = 1e-11
#: Name -> (task, what the configuration changes).
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    **{task.name: (task.name, {}) for task in TASKS},
    "uneven groups": ("feature-extraction", {"num_hidden_groups": 2, "num_hidden_layers": 5}),
    "inner groups": ("fill-mask", {"num_hidden_groups": 2, "inner_group_num": 2, "num_hidden_layers": 4}),
    "gelu": ("feature-extraction", {"hidden_act": "gelu"}),
    "relu": ("pretraining", {"hidden_act": "relu"}),
    "silu": ("fill-mask", {"hidden_act": "silu"}),
    "swish": ("feature-extraction", {"hidden_act": "swish"}),
    "untied": ("fill-mask", {"tie_word_embeddings": False}),
    "untied pretraining": ("pretraining", {"tie_word_embeddings": False}),
    "pruned": ("question-answering", {"pruned_heads": {0: [1, 2]}}),
    "pruned groups": (
        "token-classification",
        {"num_hidden_groups": 3, "pruned_heads": {0: [0], 2: [1, 2, 3]}, "num_labels": 5},
    ),
    "relative key": ("feature-extraction", {"position_embedding_type": "relative_key"}),
    "relative key and query": (
        "text-classification",
        {"position_embedding_type": "relative_key_query", "pruned_heads": {0: [3]}, "num_labels": 1},
    ),
    "a coarse epsilon": ("feature-extraction", {"layer_norm_eps": 0.01, "type_vocab_size": 3}),
}


def torch_states(directory: Path, task: Task, inputs: Inputs) -> States:
    import torch

    from albert_export.models.torch_loading import load_eager

    model, _ = load_eager(open_checkpoint(directory), task, dtype="float64")
    tensors = {name: torch.from_numpy(array) for name, array in inputs.items()}
    with torch.no_grad():
        return named(model(**tensors, output_hidden_states=True, output_attentions=True))


def tensorflow_states(directory: Path, task: Task, inputs: Inputs) -> States:
    from albert_export.models.tf_loading import load_eager

    model, _ = load_eager(open_checkpoint(directory), task, dtype="float64")
    return named(model(**inputs, output_hidden_states=True, output_attentions=True))


def flax_states(directory: Path, task: Task, inputs: Inputs) -> States:
    import jax

    from albert_export.models.flax_loading import load_eager

    model, _ = load_eager(open_checkpoint(directory), task, dtype="float64")
    with jax.disable_jit():  # compiling a model takes longer than running it once
        return named(model(**inputs, output_hidden_states=True, output_attentions=True))


#: Framework -> what runs a checkpoint in it; PyTorch is what each is compared with.
FRAMEWORKS: dict[str, Callable[[Path, Task, Inputs], States]] = {
    "tensorflow": tensorflow_states,
    "flax": flax_states,
}


def named(output: Mapping[str, Any]) -> States:
    """Return every tensor of an output by name, in the order in which it is computed."""
    states: States = {}
    layers = [key for key in ("hidden_states", "attentions") if key in output]
    for key in (*layers, *(key for key in output if key not in layers)):
        value = output[key]
        if isinstance(value, tuple):
            states.update({f"{key}[{place}]": np.asarray(tensor) for place, tensor in enumerate(value)})
        else:
            states[key] = np.asarray(value)
    return states


def differing(one: States, other: States) -> list[str]:
    """Return the names of what is missing, or has another shape or number, in the order of computation."""
    names = [*one, *(name for name in other if name not in one)]
    return [
        name
        for name in names
        if name not in one
        or name not in other
        or one[name].shape != other[name].shape
        or not np.abs(one[name] - other[name]).max() <= TOLERANCE
    ]


def batch(task: Task) -> Inputs:
    """Return ids, a mask with padding on either side, and segments."""
    shape = (2, 3, 7) if "choices" in task.dynamic_axes else (3, 7)
    random = np.random.RandomState(0)
    mask = np.ones(shape, np.int64)
    mask[0, ..., 5:] = 0
    mask[1, ..., :2] = 0
    return {
        "input_ids": random.randint(1, 61, shape),
        "attention_mask": mask,
        "token_type_ids": random.randint(0, 2, shape),
    }


def write(directory: Path, task: Task, changes: Mapping[str, Any]) -> None:
    tiny_model(task.torch_class, **changes).save_pretrained(directory)


def edit_config(directory: Path, **changes: Any) -> None:
    path = directory / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **changes}), encoding="utf-8")


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_layer_is_that_of_pytorch(framework: str, variant: str, tmp_path: Path) -> None:
    task = get_task(VARIANTS[variant][0])
    write(tmp_path, task, VARIANTS[variant][1])
    reference = torch_states(tmp_path, task, batch(task))
    config = open_checkpoint(tmp_path).config
    layers = config.num_hidden_layers
    assert [name for name in reference if name.startswith("hidden")] == [
        f"hidden_states[{i}]" for i in range(layers + 1)
    ]
    assert sum(name.startswith("attentions") for name in reference) == layers * config.inner_group_num
    assert differing(reference, FRAMEWORKS[framework](tmp_path, task, batch(task))) == []


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize(
    ("changes", "first"),
    [
        ({"layer_norm_eps": 1e-7}, "hidden_states[0]"),
        ({"num_hidden_layers": 2}, "hidden_states[3]"),
        ({"hidden_act": "gelu"}, "hidden_states[1]"),
    ],
)
def test_twin_another_configuration_is_found(
    framework: str, changes: dict[str, Any], first: str, tmp_path: Path
) -> None:
    task = get_task("feature-extraction")
    write(tmp_path, task, {})
    reference = torch_states(tmp_path, task, batch(task))
    edit_config(tmp_path, **changes)
    assert differing(reference, FRAMEWORKS[framework](tmp_path, task, batch(task)))[0] == first


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("group", [0, 1])
def test_twin_a_perturbed_weight_is_found_at_its_layer(framework: str, group: int, tmp_path: Path) -> None:
    task = get_task("question-answering")
    write(tmp_path, task, {"num_hidden_groups": 2, "num_hidden_layers": 4})
    reference = torch_states(tmp_path, task, batch(task))
    weights = {name: array.copy() for name, array in open_checkpoint(tmp_path).numpy_tensors().items()}
    weights[f"albert.encoder.albert_layer_groups.{group}.albert_layers.0.ffn.weight"][3, 5] += 1e-3
    write_safetensors(tmp_path / "model.safetensors", weights)
    assert (
        differing(reference, FRAMEWORKS[framework](tmp_path, task, batch(task)))[0] == f"hidden_states[{1 + 2 * group}]"
    )


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_twin_an_ignored_mask_and_swapped_segments_are_found(framework: str, tmp_path: Path) -> None:
    task = get_task("text-classification")
    write(tmp_path, task, {})
    given = batch(task)
    reference = torch_states(tmp_path, task, given)
    run = FRAMEWORKS[framework]
    unmasked = {**given, "attention_mask": np.ones_like(given["attention_mask"])}
    assert differing(reference, run(tmp_path, task, unmasked))[0] == "hidden_states[1]"
    assert differing(reference, run(tmp_path, task, {**given, "token_type_ids": 1 - given["token_type_ids"]}))


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("other", ["absolute", "relative_key"])
def test_twin_another_kind_of_positions_is_found(framework: str, other: str, tmp_path: Path) -> None:
    task = get_task("feature-extraction")
    write(tmp_path, task, {"position_embedding_type": "relative_key_query"})
    reference = torch_states(tmp_path, task, batch(task))
    edit_config(tmp_path, position_embedding_type=other)
    weights = open_checkpoint(tmp_path).numpy_tensors()
    kept = {name: weights[name].copy() for name in weights if other != "absolute" or "distance" not in name}
    write_safetensors(tmp_path / "model.safetensors", kept)
    assert differing(reference, FRAMEWORKS[framework](tmp_path, task, batch(task)))
