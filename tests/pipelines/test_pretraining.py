from __future__ import annotations

import numpy as np
import pytest

from albert_export.errors import InputError
from albert_export.pipelines.pretraining import PretrainingPipeline, SentenceOrder, sentence_order
from albert_export.tokenization import AlbertTokenizerFast
from tests.pipelines.conftest import PlayedRuntime, config


def playing(tokenizer: AlbertTokenizerFast) -> PretrainingPipeline:
    """In order when the first text is the shorter one; a mask becomes ``sea``."""
    (sea,) = tokenizer("sea", add_special_tokens=False)["input_ids"]

    def compute(input_ids: np.ndarray, attention_mask: np.ndarray, token_type_ids: np.ndarray) -> dict[str, np.ndarray]:
        second = (token_type_ids * attention_mask).sum(1)
        longer = second - (attention_mask.sum(1) - second)
        logits = np.full((*input_ids.shape, 2000), -3, np.float32)
        logits[..., sea] = np.where(input_ids == 4, 9, -9)
        return {
            "prediction_logits": logits,
            "sop_logits": np.stack([longer, np.zeros_like(longer)], axis=1).astype(np.float32),
        }

    runtime = PlayedRuntime("pretraining", compute, config=config(max_position_embeddings=24))
    return PretrainingPipeline(runtime, tokenizer)


def test_order_of_hand_made_logits() -> None:
    order = sentence_order(np.log([3.0, 1.0]))
    assert (order.label, order.in_order, order.swapped) == ("in order", pytest.approx(0.75), pytest.approx(0.25))
    assert order.to_dict() == {"label": "in order", "in_order": order.in_order, "swapped": order.swapped}
    assert sentence_order(np.log([1.0, 3.0])).label == "swapped"


def test_a_head_that_is_no_sentence_order() -> None:
    with pytest.raises(InputError, match=r"must have 2 labels; received \[3\]"):
        sentence_order(np.zeros(3))


def test_pairs_are_put_in_order(tokenizer: AlbertTokenizerFast) -> None:
    pipe = playing(tokenizer)
    short, long = "the sea", "the city by the sea in the days"
    assert pipe(short, long).label == "in order"
    assert pipe(long, short).label == "swapped"
    assert isinstance(pipe({"text": short, "text_pair": long}), SentenceOrder)
    assert pipe([short, long], [long, short], batch_size=1) == [pipe(short, long), pipe(long, short)]


def test_a_text_alone_has_its_masks_filled(tokenizer: AlbertTokenizerFast) -> None:
    pipe = playing(tokenizer)
    found = pipe("by the [MASK]", top_k=1)
    assert [fill.token_str for fill in found] == ["sea"]
    mixed = pipe([{"text": "by the [MASK]"}, {"text": "the sea", "text_pair": "the city by the sea"}], top_k=1)
    assert mixed[0] == found
    assert mixed[1].label == "in order"
    with pytest.raises(InputError, match="must have the mask token"):
        pipe("the sea")


def test_an_empty_second_text_is_none(tokenizer: AlbertTokenizerFast) -> None:
    with pytest.raises(InputError, match="must have the mask token"):
        playing(tokenizer)("the sea", "")
