"""Which part of a model a weight belongs to, and how parts are chosen."""

from __future__ import annotations

import pytest

from albert_export.checkpoints import parameters
from albert_export.config import AlbertConfig
from albert_export.errors import InputError, UnknownNameError
from albert_export.parts import PARTS, check_parts, part_of, quantized_parts
from albert_export.tasks import TASKS

LAYER = "albert.encoder.albert_layer_groups.0.albert_layers.0"


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("albert.embeddings.word_embeddings.weight", "embeddings"),
        ("albert.encoder.embedding_hidden_mapping_in.weight", "embeddings"),
        ("encoder.embedding_hidden_mapping_in.weight", "embeddings"),
        (f"{LAYER}.attention.query.weight", "attention"),
        (f"{LAYER}.attention.dense.weight", "attention"),
        (f"{LAYER}.ffn.weight", "ffn"),
        (f"{LAYER}.ffn_output.weight", "ffn"),
        ("pooler.weight", "head"),
        ("albert.pooler.weight", "head"),
        ("predictions.dense.weight", "head"),
        ("sop_classifier.classifier.weight", "head"),
        ("qa_outputs.weight", "head"),
        (f"{LAYER}.attention.query.bias", None),
        (f"{LAYER}.attention.LayerNorm.weight", None),
        (f"{LAYER}.full_layer_layer_norm.weight", None),
        ("predictions.LayerNorm.weight", None),
        ("albert.embeddings.position_embeddings.weight", None),
        (f"{LAYER}.attention.distance_embedding.weight", None),
    ],
)
def test_each_weight_has_its_part(name: str, part: str | None) -> None:
    assert part_of(name) == part


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_every_matrix_of_every_head_has_a_part(task) -> None:
    small = ("position_embeddings", "token_type_embeddings")
    config = AlbertConfig(num_labels=2)
    for name, shape in parameters(config, task).items():
        assert (part_of(name) is not None) is (len(shape) == 2 and not any(word in name for word in small)), name


def test_parts_are_chosen_by_name_in_the_order_of_the_model() -> None:
    assert check_parts(None) == PARTS
    assert check_parts("ffn, embeddings,ffn") == ("embeddings", "ffn")
    assert check_parts(["head"]) == ("head",)
    with pytest.raises(UnknownNameError, match=r"one of embeddings, .*received fnn; fix: did you mean ffn"):
        check_parts("fnn")
    for nothing in ("", ",", []):
        with pytest.raises(InputError, match=r"must be a part to quantise; received none"):
            check_parts(nothing)


def test_parts_with_nothing_to_quantise_are_left_out_or_refused() -> None:
    sizes = {"embeddings": 40, "attention": 20, "ffn": 50, "head": 0}
    assert quantized_parts(sizes, PARTS) == {"embeddings": 40, "attention": 20, "ffn": 50}
    assert quantized_parts(sizes, ("head", "ffn")) == {"ffn": 50}
    with pytest.raises(InputError, match="received head, which has none in this model; fix: choose from embeddings, a"):
        quantized_parts(sizes, ("head",))
    with pytest.raises(InputError, match=r"received ffn, head, which have none.*fix: choose a precision without"):
        quantized_parts(dict.fromkeys(sizes, 0), ("ffn", "head"))
