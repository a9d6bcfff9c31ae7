from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from albert_export import AlbertConfig
from albert_export.checkpoints.fresh import fresh_weight
from albert_export.checkpoints.names import ROWS, row_of, rows_of
from albert_export.models import torch_albert
from albert_export.tasks import TASKS, Task
from tests.golden.seeded_weights import TINY

WORDS = "albert.embeddings.word_embeddings.weight"


def test_a_fresh_weight_depends_on_its_name_alone() -> None:
    config = AlbertConfig(**TINY)
    one = fresh_weight("classifier.weight", (2, 16), config)
    assert one.dtype == np.float32
    np.testing.assert_array_equal(one, fresh_weight("classifier.weight", (2, 16), config))
    assert np.abs(one - fresh_weight("qa_outputs.weight", (2, 16), config)).min() > 0
    # a bare model's name is the same weight's
    np.testing.assert_array_equal(
        fresh_weight("pooler.weight", (16, 16), config), fresh_weight("albert.pooler.weight", (16, 16), config)
    )
    assert fresh_weight("classifier.weight", (2, 16), config)[0, 0] == np.float32(
        0.015529053
    )  # in every release of numpy


def test_fresh_weights_are_filled_as_the_table_says() -> None:
    config = AlbertConfig(**TINY, initializer_range=0.5, pad_token_id=3)
    words = fresh_weight(WORDS, (61, 8), config)
    assert np.count_nonzero(words[3]) == 0
    assert 0.4 < words[4:].std() < 0.6
    assert np.all(fresh_weight("predictions.LayerNorm.weight", (8,), config) == 1)
    assert np.all(fresh_weight("predictions.LayerNorm.bias", (8,), config) == 0)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_the_rows_called_linear_are_the_matrices_of_linear_layers(task: Task) -> None:
    config = AlbertConfig(**TINY, tie_word_embeddings=False, position_embedding_type="relative_key")
    prefix = "albert." if task.torch_class == "AlbertModel" else ""
    linear = {
        f"{prefix}{name}.weight"
        for name, module in getattr(torch_albert, task.torch_class)(config).named_modules()
        if isinstance(module, torch.nn.Linear)
    }
    assert {name for row, name, _ in rows_of(config, task) if row.linear} == linear - {"predictions.decoder.weight"}


def test_every_canonical_name_finds_its_row() -> None:
    for row in ROWS:
        found = row_of(row.name.format(group=3, layer=12))
        assert found is not None
        assert (found.name, found.linear, found.initial) == (row.name, row.linear, row.initial)
    for name in ("classifier", "albert.encoder.albert_layer_groups.x.albert_layers.0.ffn.weight", "aclassifier.weight"):
        assert row_of(name) is None
    assert not any(re.search(r"\d", row.name) for row in ROWS)
