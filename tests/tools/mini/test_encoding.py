"""Items as ids and labels: every label stands where the gold says."""

from __future__ import annotations

import numpy as np
import pytest

from tests.tools.mini.small import tokenizer
from tools.mini.data import fingerprint, items_of
from tools.mini.encoding import IGNORED, TASKS, TOKEN_LABELS, answer_tokens, encode_items
from tools.mini.masking import Masker


@pytest.mark.parametrize("task", TASKS)
def test_every_item_becomes_its_rows(task):
    rows = encode_items(tokenizer(), task, items_of(task, "train", 5, 3))
    assert len(rows) == 5
    assert len(rows.starts) == 5 * rows.rows_per_item + 1
    assert rows.starts[-1] == len(rows.ids) == len(rows.types)
    assert (np.diff(rows.starts) >= 3).all()
    assert len(rows.lengths()) == 5


def test_answers_are_decoded_from_their_tokens():
    for item in items_of("question-answering", "train", 30, 4):
        encoding = tokenizer().backend_tokenizer.encode(item["question"], item["context"])
        first, last = answer_tokens(encoding, item["answer_start"], item["answers"][0])
        start, end = encoding.offsets[first][0], encoding.offsets[last][1]
        assert item["answers"][0] in item["context"][start:end]
        assert not set(range(first, last + 1)) & {t for t, owner in enumerate(encoding.sequence_ids) if owner != 1}


def test_an_answer_beside_the_text_is_refused():
    encoding = tokenizer().backend_tokenizer.encode("Who?", "Ida.")
    with pytest.raises(ValueError, match="no token of the context lies at character 40"):
        answer_tokens(encoding, 40, "Ida")


def test_entities_begin_once_and_go_on():
    (item,) = items_of("token-classification", "train", 1, 5)
    rows = encode_items(tokenizer(), "token-classification", [item])
    names = [TOKEN_LABELS[tag] for tag in rows.tokens if tag != IGNORED]
    assert sum(name.startswith("B-") for name in names) == len(item["entities"])
    assert rows.tokens[0] == rows.tokens[-1] == IGNORED
    moved = {**item, "entities": item["entities"][1:]}
    assert (encode_items(tokenizer(), "token-classification", [moved]).tokens != rows.tokens).any()


def test_a_masked_word_of_several_pieces_has_no_label():
    one = {"text": "He went to the [MASK].", "targets": ["the"]}
    many = {"text": "He went to the [MASK].", "targets": ["xylophones"]}
    assert (encode_items(tokenizer(), "fill-mask", [one]).tokens != IGNORED).sum() == 1
    assert (encode_items(tokenizer(), "fill-mask", [many]).tokens == IGNORED).all()


def test_fingerprints_tell_texts_apart_and_nothing_else():
    item = {"question": "Who  sings?", "context": "Ida sings.", "answers": ["Ida"]}
    same = {"question": "who sings?", "context": "Ida sings. ", "answers": ["nobody"]}
    other = {"question": "Who sings?", "context": "Ada sings.", "answers": ["Ida"]}
    assert fingerprint("question-answering", item) == fingerprint("question-answering", same)
    assert fingerprint("question-answering", item) != fingerprint("question-answering", other)


def test_words_of_one_piece_are_masked_and_kept_as_labels():
    masker = Masker.of(tokenizer())
    rows = encode_items(tokenizer(), "words", items_of("words", "train", 20, 6))
    count = 0
    for number in range(20):
        true = rows.ids[rows.starts[number] : rows.starts[number + 1]].astype(np.int64)
        ids, words = np.concatenate((true, [0, 0])), np.full(len(true) + 2, IGNORED)
        masker.mask(ids, words, len(true), np.random.default_rng(number), kept=np.arange(4))
        hidden = words[:-2] != IGNORED
        assert (words[:-2][hidden] == true[hidden]).all()
        assert (ids[:-2][~hidden] == true[~hidden]).all()
        assert (ids[-2:] == 0).all() and (words[-2:] == IGNORED).all()
        assert not hidden[:4].any()
        for place in np.flatnonzero(hidden):
            piece, behind = tokenizer().convert_ids_to_tokens([int(true[place]), int(true[place + 1])])
            assert piece.startswith("▁") and piece[1:].isalpha()
            assert not behind[0].isalnum()  # nothing goes on with the word
        count += int(hidden.sum())
    assert 0.02 < count / len(rows.ids) < 0.25
