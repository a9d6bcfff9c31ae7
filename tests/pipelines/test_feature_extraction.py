from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from albert_export.errors import InputError
from albert_export.pipelines.feature_extraction import FeatureExtractionPipeline, TokenEmbeddings, pool
from albert_export.tokenization import AlbertTokenizerFast
from tests.pipelines.conftest import PlayedRuntime, config


def test_pooling_of_hand_made_states() -> None:
    states, pooler = np.array([[1, 2], [3, 6], [5, 1]], np.float32), np.array([7, 8], np.float32)
    np.testing.assert_array_equal(pool(states, pooler, "mean"), [3, 3])
    np.testing.assert_array_equal(pool(states, pooler, "cls"), [1, 2])
    np.testing.assert_array_equal(pool(states, pooler, "pooled"), [7, 8])
    np.testing.assert_array_equal(pool(states, pooler, "tokens"), states)
    assert pool(states.astype(np.float16), pooler, "mean").dtype == np.float16


def echoing(tokenizer: AlbertTokenizerFast) -> FeatureExtractionPipeline:
    """The vector of a token is (id, 1), of padding (1e6, 1e6); the pooler's is the number of tokens, twice."""

    def compute(input_ids: np.ndarray, attention_mask: np.ndarray, token_type_ids: np.ndarray) -> dict[str, np.ndarray]:
        states = np.stack([input_ids, np.ones_like(input_ids)], axis=-1).astype(np.float32)
        states[attention_mask == 0] = 1e6
        pooled = np.repeat(attention_mask.sum(1, keepdims=True), 2, axis=1)
        return {"last_hidden_state": states, "pooler_output": pooled.astype(np.float32)}

    runtime = PlayedRuntime("feature-extraction", compute, config=config(max_position_embeddings=16))
    return FeatureExtractionPipeline(runtime, tokenizer)


TEXTS = ["the sea", "the city by the sea in the old days", "", "x"]


def test_padding_is_not_in_the_mean(tokenizer: AlbertTokenizerFast) -> None:
    for text, embedding in zip(TEXTS, echoing(tokenizer)(TEXTS, batch_size=4), strict=True):
        assert embedding.vector[0] == pytest.approx(np.mean(tokenizer(text)["input_ids"]))
        assert embedding.vector[1] == 1


@pytest.mark.parametrize("pooling", ["mean", "pooled", "cls", "tokens"])
@pytest.mark.parametrize("normalize", [False, True])
def test_a_text_alone_equals_the_text_in_a_list(tokenizer: AlbertTokenizerFast, pooling: str, normalize: bool) -> None:
    pipe = echoing(tokenizer)
    together = pipe(TEXTS, pooling=pooling, normalize=normalize, batch_size=3)
    for text, found in zip(TEXTS, together, strict=True):
        np.testing.assert_allclose(found, pipe(text, pooling=pooling, normalize=normalize))
        if normalize:
            np.testing.assert_allclose(np.linalg.norm(np.asarray(found), axis=-1), 1, rtol=1e-6)


def test_an_embedding_is_an_array(tokenizer: AlbertTokenizerFast) -> None:
    found = echoing(tokenizer)(["the sea", "x"])
    assert np.stack(found).shape == (2, 2)
    assert np.asarray(found[0], dtype=np.float64).dtype == np.float64
    copy = np.array(found[0])
    copy += 1
    assert found[0].vector[1] == 1
    assert json.loads(json.dumps(found[0].to_dict()))["embedding"][1] == 1


def test_vectors_of_tokens(tokenizer: AlbertTokenizerFast) -> None:
    found = echoing(tokenizer)("the sea", pooling="tokens")
    assert isinstance(found, TokenEmbeddings)
    assert found.tokens == ("[CLS]", "▁the", "▁sea", "[SEP]")
    assert found.vectors[:, 0].tolist() == tokenizer("the sea")["input_ids"]
    assert len(found.offsets) == 4
    assert found.offsets[0] == (0, 0)
    assert json.loads(json.dumps(found.to_dict())).keys() == {"embeddings", "tokens", "offsets"}


def test_a_long_text_is_cut_and_the_log_says_so(
    tokenizer: AlbertTokenizerFast, caplog: pytest.LogCaptureFixture
) -> None:
    assert echoing(tokenizer)("the " * 40, pooling="pooled").vector.tolist() == [16, 16]
    assert caplog.messages == ["1 of 1 texts had more than 16 tokens and were cut"]


def test_pairs(tokenizer: AlbertTokenizerFast) -> None:
    assert echoing(tokenizer)("the sea", "the", pooling="pooled").vector[0] == 6


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"pooling": "max"}, "pooling must be one of mean, pooled, cls, tokens"),
        ({"normalize": "yes"}, "normalize must be True or False"),
    ],
)
def test_bad_options(tokenizer: AlbertTokenizerFast, options: dict[str, Any], part: str) -> None:
    with pytest.raises(InputError) as caught:
        echoing(tokenizer)("x", **options)
    assert part in str(caught.value)
