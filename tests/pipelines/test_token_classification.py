"""Token classification through the real tokenizer, with a label chosen for each token."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from albert_export.errors import InputError
from albert_export.pipelines.entities import Entity, TokenLabel
from albert_export.pipelines.token_classification import TokenClassificationPipeline
from albert_export.tokenization import AlbertTokenizerFast
from tests.pipelines.conftest import PlayedRuntime, config

NAMES = {0: "O", 1: "B-PER", 2: "I-PER", 3: "B-LOC", 4: "I-LOC"}


def naming(
    tokenizer: Any, words: dict[str, tuple[str, str]], *, most: int = 512, vocab_size: int = 2000
) -> TokenClassificationPipeline:
    """A model that labels the first token of each word with one label and its other tokens with another."""
    table = np.zeros(vocab_size, dtype=int)
    by_name = {name: index for index, name in NAMES.items()}
    for word, (first, others) in words.items():
        ids = tokenizer(word, add_special_tokens=False)["input_ids"]
        table[ids[1:]] = by_name[others]
        table[ids[0]] = by_name[first]

    def compute(input_ids: np.ndarray, attention_mask: np.ndarray, token_type_ids: np.ndarray) -> dict[str, np.ndarray]:
        logits = np.eye(len(NAMES), dtype=np.float32)[table[input_ids]] * 6
        # At the edges of a window the model sees too little: there it takes everything for a person.
        for row, length in enumerate(attention_mask.sum(1)):
            if length > 30:
                logits[row, [0, 1, 2, length - 3, length - 2, length - 1]] = np.eye(len(NAMES))[1] * 4
        return {"logits": logits.astype(np.float32)}

    settings = config(id2label=NAMES, max_position_embeddings=most, vocab_size=vocab_size)
    runtime = PlayedRuntime("token-classification", compute, config=settings)
    return TokenClassificationPipeline(runtime, tokenizer)


TEXT = "the engine of Charles Babbage, in old London."
WORDS = {
    "Charles": ("B-PER", "I-LOC"),
    "Babbage": ("I-PER", "O"),
    "London": ("B-LOC", "I-LOC"),
}


def pairs(found: list[Entity]) -> list[tuple[str, str]]:
    return [(entity.label, entity.text) for entity in found]


def test_entities_have_their_own_characters(tokenizer: AlbertTokenizerFast) -> None:
    found = naming(tokenizer, WORDS)(TEXT)
    assert pairs(found) == [("PER", "Charles Babbage"), ("LOC", "London")]
    for entity in found:
        assert TEXT[entity.start : entity.end] == entity.text
        assert 0.9 < entity.score <= 1
    assert found[0].to_dict().keys() == {"label", "score", "text", "start", "end"}


@pytest.mark.parametrize("ending", ["'s", "’s"])
def test_a_possessive_ending_is_no_part_of_an_entity(tokenizer: AlbertTokenizerFast, ending: str) -> None:
    found = naming(tokenizer, WORDS)(f"the engine of Charles Babbage{ending} in London{ending}.")
    assert pairs(found) == [("PER", "Charles Babbage"), ("LOC", "London")]


def test_a_word_has_the_label_of_its_first_token(tokenizer: AlbertTokenizerFast) -> None:
    pieces = len(tokenizer("Babbage", add_special_tokens=False)["input_ids"])
    assert pieces > 1  # or `simple` would give the same
    pipe = naming(tokenizer, WORDS)
    assert ("PER", "Charles Babbage") in pairs(pipe(TEXT))
    assert ("PER", "Charles Babbage") not in pairs(pipe(TEXT, aggregation="simple"))


def test_each_token_by_itself(tokenizer: AlbertTokenizerFast) -> None:
    pipe = naming(tokenizer, WORDS)
    found = pipe(TEXT, aggregation="none", ignore_labels=[])
    ids = tokenizer(TEXT)["input_ids"]
    assert all(isinstance(token, TokenLabel) for token in found)
    assert [token.index for token in found] == list(range(1, len(ids) - 1))
    assert [token.token for token in found] == tokenizer.convert_ids_to_tokens(ids[1:-1])
    assert {token.label for token in found} == {"O", "B-PER", "I-PER", "I-LOC", "B-LOC"}
    without = pipe(TEXT, aggregation="none")
    assert [token for token in found if token.label != "O"] == without
    for token in found:
        assert TEXT[token.start : token.end] == TEXT[token.start : token.end].strip()


def test_labels_to_leave_out_are_those_of_the_result(tokenizer: AlbertTokenizerFast) -> None:
    pipe = naming(tokenizer, WORDS)
    assert pairs(pipe(TEXT, ignore_labels=["O", "PER"])) == [("LOC", "London")]
    assert "O" in {label for label, _ in pairs(pipe(TEXT, ignore_labels=()))}


@pytest.mark.parametrize("batch_size", [1, 4])
def test_a_long_text_is_labelled_as_a_whole(tokenizer: AlbertTokenizerFast, batch_size: int) -> None:
    pipe = naming(tokenizer, WORDS, most=40)
    text = " ".join(["and so it was in the days of", TEXT] * 12)
    found = pipe(text, stride=16, batch_size=batch_size)
    inner = [entity for entity in found if 20 < entity.start < len(text) - 20]
    names = [name for entity in inner for name in [(entity.label, entity.text)]]
    assert set(names) == {("PER", "Charles Babbage"), ("LOC", "London")}
    starts = [entity.start for entity in inner if entity.text == "Charles Babbage"]
    assert starts == [at for at in range(len(text)) if text.startswith("Charles Babbage", at) and at > 20]
    assert max(shape[1] for shape in pipe.runtime.shapes) == 40  # type: ignore[attr-defined]


def test_a_text_alone_equals_the_text_in_a_list(tokenizer: AlbertTokenizerFast) -> None:
    pipe = naming(tokenizer, WORDS, most=40)
    texts = [TEXT, "", "London", TEXT * 5, "nobody"]
    assert pipe(texts, batch_size=2) == [pipe(text) for text in texts]


@pytest.mark.parametrize("text", ["", "  \n "])
def test_no_text_has_no_entities(tokenizer: AlbertTokenizerFast, text: str) -> None:
    assert naming(tokenizer, WORDS)(text) == []
    assert naming(tokenizer, WORDS)([text]) == [[]]


def test_chinese_word_pieces(word_pieces: AlbertTokenizerFast) -> None:
    pipe = naming(word_pieces, {"北京": ("B-LOC", "I-LOC")}, vocab_size=len(word_pieces))
    text = "北京是中国的首都"
    assert pairs(pipe(text)) == [("LOC", "北京")]
    assert [entity.to_dict()["start"] for entity in pipe(text)] == [0]


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"aggregation": "frist"}, "aggregation must be one of none, simple, first, average, max"),
        ({"ignore_labels": "O"}, "ignore_labels must be a list of labels"),
        ({"ignore_labels": 5}, "ignore_labels must be a list of labels"),
        ({"ignore_labels": None}, "ignore_labels must be a list of labels"),
        ({"stride": -1}, "stride must be a whole number of at least 0"),
        ({"aggregation_strategy": "first"}, "did you mean aggregation?"),
    ],
)
def test_bad_options(tokenizer: AlbertTokenizerFast, options: dict[str, Any], part: str) -> None:
    with pytest.raises(InputError) as caught:
        naming(tokenizer, WORDS)(TEXT, **options)
    assert part in str(caught.value)
