"""What is asked of the tokenizers in the golden cases: every class, constructor argument, method and option."""

from __future__ import annotations

import random
from typing import Any

from tests.golden.nasty_text import COLLECTION, nasty_text, nasty_texts

SPIECE, VOCAB = "spiece.model", "vocab.txt"
SLOW, FAST, WORDS = "AlbertTokenizer", "AlbertTokenizerFast", "AlbertWordPieceTokenizer"

#: Constructor arguments beside the vocabulary.
SENTENCEPIECE_SETTINGS: tuple[dict[str, Any], ...] = (
    {},
    {"keep_accents": True},
    {"do_lower_case": False},
    {"remove_space": False, "do_lower_case": False, "keep_accents": True},
    {"mask_token": {"AddedToken": {"content": "[MASK]", "lstrip": False, "rstrip": True, "normalized": False}}},
    {"additional_special_tokens": ["<e1>", "[MASK]x", "my dog"]},
    {"unk_token": "[UNK]", "cls_token": "<cls>", "pad_token": "[PAD]"},
)
WORDPIECE_SETTINGS: tuple[dict[str, Any], ...] = (
    {},
    {"do_lower_case": False},
    {"strip_accents": False},
    {"strip_accents": True, "do_lower_case": False},
    {"tokenize_chinese_chars": False},
    {"additional_special_tokens": ["<e1>"]},
)
#: Arguments of ``add_tokens``: overlapping, with white space, bound to whole words, normalised or not, special.
ADDED: tuple[list[Any], ...] = (
    [["Dog", "dogma", "og", "new token"]],
    [[{"AddedToken": {"content": "cute", "single_word": True}}, {"AddedToken": {"content": "hello", "rstrip": True}}]],
    [[{"AddedToken": {"content": "É", "normalized": False, "lstrip": True}}, "1,0"], True],
)
ADDED_TEXTS = ("my dogma is cute", "Dog new token hello cutest", "xcute cute, É é 1,000", "hello  dog")

QUESTION = "Who wrote the book about Paris?"
CONTEXT = (
    "Eleanor Miller, a teacher from London, wrote the book about Paris in 1,999 days. It was printed in Berlin, sold "
    "in Rome and read in Vienna; the naïve café owner (Hugo) kept a copy on the table, beside the old clock."
)
LONG_OPTIONS: tuple[dict[str, Any], ...] = (
    {"truncation": "only_second", "max_length": 32, "stride": 8, "return_overflowing_tokens": True},
    {"truncation": "only_second", "max_length": 40, "stride": 0, "return_overflowing_tokens": True, "padding": True},
    {"truncation": "only_first", "max_length": 70, "stride": 2, "return_overflowing_tokens": True},
    {"truncation": True, "max_length": 24},
    {"truncation": "longest_first", "max_length": 25, "padding": "max_length"},
    {"truncation": "do_not_truncate", "max_length": 24, "padding": True, "pad_to_multiple_of": 8},
    {"max_length": 20},
    {"truncation": True, "max_length": 3},
    {"truncation": "only_first", "max_length": 12},
)

CHINESE = (
    "今天天气很好，我们去公园。",
    "他说：“你好！”",
    "2021年1月1日，北京abc大学",
    "中文English混合ing text",
    "龘龖",
)


def sentencepiece_cases(texts: int, options: int, seed: int) -> list[dict[str, Any]]:
    """Cases for the two SentencePiece classes.

    Args:
        texts: Random texts for each class and setting.
        options: Random calls for each class.
        seed: Of both.
    """
    cases: list[dict[str, Any]] = []
    for name in (SLOW, FAST):
        for number, setting in enumerate(SENTENCEPIECE_SETTINGS):
            collection = COLLECTION if number < 3 else COLLECTION[::5]
            steps: list[list[Any]] = [["vocabulary"], ["specials"], ["save"]]
            steps += [["text", text] for text in (*collection, *nasty_texts(seed + number, texts))]
            cases.append({"class": name, "init": {"vocab_file": SPIECE, **setting}, "steps": steps})
        cases += _common_cases(name, {"vocab_file": SPIECE}, texts, options, seed)
        cases += _directory_cases(name, SPIECE, texts, seed)
        init = {"vocab_file": SPIECE, "do_lower_case": False, "split_special_tokens": True}
        cases.append({"class": name, "init": init, "steps": [["text", text] for text in COLLECTION[::7]]})
    return cases


def wordpiece_cases(texts: int, options: int, seed: int) -> list[dict[str, Any]]:
    """Cases for the WordPiece class; arguments as for :func:`sentencepiece_cases`."""
    cases: list[dict[str, Any]] = []
    for number, setting in enumerate(WORDPIECE_SETTINGS):
        collection = COLLECTION if number < 2 else COLLECTION[::5]
        steps: list[list[Any]] = [["vocabulary"], ["specials"], ["save"]]
        steps += [["text", text] for text in (*CHINESE, *collection, *nasty_texts(seed + number, texts))]
        cases.append({"class": WORDS, "init": {"vocab_file": VOCAB, **setting}, "steps": steps})
    cases += _common_cases(WORDS, {"vocab_file": VOCAB}, texts, options, seed)
    cases += _directory_cases(WORDS, VOCAB, texts, seed)
    return cases


def _common_cases(name: str, init: dict[str, Any], texts: int, options: int, seed: int) -> list[dict[str, Any]]:
    fast = name != SLOW
    cases = []
    for number, added in enumerate(ADDED):
        rng = random.Random(seed + 50 + number)
        mixed = [rng.choice(ADDED_TEXTS) + rng.choice(("", " ")) + nasty_text(rng) for _ in range(texts // 2)]
        steps: list[list[Any]] = [["call", "add_tokens", *added], ["vocabulary"], ["specials"], ["save"]]
        steps += [["text", text] for text in (*ADDED_TEXTS, *mixed)]
        cases.append({"class": name, "init": init, "steps": steps})

    steps = []
    for given in LONG_OPTIONS:
        for more in ({}, {"return_special_tokens_mask": True, "return_length": True}):
            steps.append(["encode", {"text": QUESTION, "text_pair": CONTEXT, **given, **more}])
            steps.append(["encode", {"text": CONTEXT, **given, **more}])
            steps.append(["encode", {"text": [QUESTION, CONTEXT], "text_pair": [CONTEXT, QUESTION], **given, **more}])
    for side in ({}, {"padding_side": "left"}, {"truncation_side": "left"}):
        cases.append({"class": name, "init": {**init, **side}, "steps": steps})

    rng = random.Random(seed + 100)
    for arguments in ({"model_max_length": 40}, {"padding_side": "left"}, {"truncation_side": "left"}):
        steps = [["encode", random_options(rng, fast=fast)] for _ in range(options)]
        cases.append({"class": name, "init": {**init, **arguments}, "steps": steps})
    cases.append({"class": name, "init": init, "steps": _method_steps(fast)})
    cases.append({"class": name, "init": init, "steps": _special_token_steps()})
    return cases


def _method_steps(fast: bool) -> list[list[Any]]:
    rows = {"input_ids": [[2, 10, 11, 3], [2, 3]], "token_type_ids": [[0] * 4, [0, 0]], "labels": [5, 6]}
    steps: list[list[Any]] = [
        ["call", "build_inputs_with_special_tokens", [10, 11]],
        ["call", "build_inputs_with_special_tokens", [10, 11], [12]],
        ["call", "build_inputs_with_special_tokens", [], []],
        ["call", "create_token_type_ids_from_sequences", [10, 11]],
        ["call", "create_token_type_ids_from_sequences", [10, 11], [12]],
        ["call", "get_special_tokens_mask", [2, 10, 3, 4, 0, 1], None, True],
        ["call", "get_special_tokens_mask", [2, 10], [3], True],
        ["call", "num_special_tokens_to_add"],
        ["call", "num_special_tokens_to_add", True],
        ["get", "max_len_single_sentence"],
        ["get", "max_len_sentences_pair"],
        ["call", "convert_ids_to_tokens", [0, 1, 2, 3, 4, 5, 100, 500]],
        ["call", "convert_ids_to_tokens", [0, 1, 2, 3, 4, 5, 100], True],
        ["call", "convert_ids_to_tokens", 7],
        ["call", "convert_ids_to_tokens", 10_000_000],
        ["call", "convert_tokens_to_ids", "▁the"],
        ["call", "convert_tokens_to_ids", ["▁the", "[MASK]", "no such piece", "<pad>", ""]],
        ["call", "convert_tokens_to_string", ["▁the", "▁dog", "[MASK]", ".", "[SEP]", "[CLS]", "▁a"]],
        ["call", "convert_tokens_to_string", []],
        ["call", "decode", [2, 20, 30, 4, 40, 3, 0, 0]],
        ["call", "decode", [2, 20, 30, 4, 40, 3, 0, 0], True],
        ["call", "decode", [2, 20, 30, 4, 40, 3, 0, 0], True, False],
        ["call", "decode", 25],
        ["call", "decode", []],
        ["call", "decode", [5, -1]],
        ["call", "batch_decode", [[2, 20, 3], [4, 30], []]],
        ["call with", "batch_decode", {"sequences": [[2, 20, 3], [4, 30]], "skip_special_tokens": True}],
        ["call", "clean_up_tokenization", "a . b ? c ! d , e ' f n't 'm 's 've 're"],
        ["call", "pad", rows],
        ["call with", "pad", {"encoded_inputs": rows, "padding": "max_length", "max_length": 6}],
        ["call with", "pad", {"encoded_inputs": rows, "pad_to_multiple_of": 8, "return_attention_mask": False}],
        ["call with", "pad", {"encoded_inputs": [{"input_ids": [2, 3]}, {"input_ids": [2, 5, 3]}]}],
        ["call with", "pad", {"encoded_inputs": {"input_ids": [2, 3], "special_tokens_mask": [1, 1]}, "max_length": 5}],
        ["call with", "pad", {"encoded_inputs": {"labels": [[2, 3]]}}],
        ["call", "prepare_for_model", [10, 11, 12, 13]],
        ["call with", "prepare_for_model", {"ids": [10, 11, 12], "pair_ids": [13, 14], "padding": "max_length"}],
        ["encode", {"text": "a", "text_pair": ""}],
        ["encode", {"text": ["a", "b"], "text_pair": ["", "c"]}],
        ["encode", {"text": ["", "  "], "padding": True}],
        ["encode", {"text": [["split", "into", "words"], ["Two", ""]], "is_split_into_words": True, "padding": True}],
        ["encode", {"text": ["my", "dog's", "tail"], "text_pair": ["is", "1,000"], "is_split_into_words": True}],
        ["encode", {"text": ["one text"], "text_pair": ["two", "texts"]}],
        ["encode", {"text": ["one text"], "text_pair": "two"}],
        ["encode", {"text": "a", "padding": "sideways"}],
        ["encode", {"text": "a", "truncation": "sideways"}],
        ["encode", {"text": "a", "return_tensors": "sideways"}],
        ["encode", {"text": 7}],
        ["encode", {"text": "a", "padding": "max_length"}],
        ["encode", {"text": CONTEXT, "truncation": True}],
        ["call", "encode", CONTEXT[:40]],
        ["call with", "encode", {"text": CONTEXT[:40], "text_pair": "b", "add_special_tokens": False}],
        ["call with", "batch_encode_plus", {"batch_text_or_text_pairs": [CONTEXT[:20], "b"], "padding": True}],
        ["call with", "encode_plus", {"text": CONTEXT[:20], "return_tensors": "np"}],
        ["call with", "encode_plus", {"text": CONTEXT[:20], "return_tensors": "pt", "return_length": True}],
        ["encode", {"text": [CONTEXT[:20], "b"], "padding": True, "return_tensors": "np"}],
    ]
    if fast:
        steps += [
            ["map", text, pair] for text, pair in ((CONTEXT, None), (QUESTION, CONTEXT), ("ﬁve  naïve 😀", "x y"))
        ]
    else:
        steps += [
            ["call", "encode", [10, 11, 12]],
            ["call", "encode", ["▁the", "▁dog"]],
            ["call", "get_special_tokens_mask", [10, 11], [12]],
            ["call", "truncate_sequences", [1, 2, 3, 4, 5], [6, 7, 8], 3],
            ["call", "truncate_sequences", [1, 2, 3], [6, 7, 8, 9, 10, 11], 7],
            ["call", "truncate_sequences", [1, 2, 3, 4, 5], None, 2, "only_first", 1],
            ["call", "truncate_sequences", [1, 2, 3, 4, 5], [6, 7], 2, "only_second", 1],
            ["call with", "tokenize", {"text": "a [MASK] b", "split_special_tokens": True}],
            ["call with", "decode", {"token_ids": [2, 20, 3], "spaces_between_special_tokens": False}],
        ]
    return steps


def _special_token_steps() -> list[list[Any]]:
    return [
        ["call", "add_special_tokens", {"cls_token": "<new cls>", "additional_special_tokens": ["<x>", "<y>"]}],
        ["specials"],
        ["vocabulary"],
        ["text", "a <x> b<y> <new cls> c <X>"],
        ["call", "add_special_tokens", {"additional_special_tokens": ["<z>"]}, False],
        ["specials"],
        ["call", "add_special_tokens", {"additional_special_tokens": ["<w>"]}],
        ["specials"],
        ["call", "add_special_tokens", {"pad_token": {"AddedToken": {"content": "<newpad>", "lstrip": True}}}],
        ["specials"],
        ["encode", {"text": ["a  <newpad> b", "a <z> <w>"], "padding": True}],
        ["call", "add_special_tokens", {"no_such_token": "x"}],
        ["call", "add_tokens", "single"],
        ["call", "add_tokens", []],
        ["set", "mask_token", "<pad>"],
        ["set", "sep_token_id", 5],
        ["specials"],
        ["call", "build_inputs_with_special_tokens", [10]],
        ["set", "padding_side", "left"],
        ["set", "truncation_side", "left"],
        ["encode", {"text": [CONTEXT, "b"], "padding": True, "truncation": True, "max_length": 12}],
        ["set", "model_max_length", 9],
        ["encode", {"text": [CONTEXT, "b"], "padding": "max_length", "truncation": True}],
        ["save"],
    ]


def _directory_cases(name: str, vocabulary: str, texts: int, seed: int) -> list[dict[str, Any]]:
    """Directories as other tools and older versions wrote them."""
    mask = {"content": "[MASK]", "lstrip": True, "normalized": False, "rstrip": False, "single_word": False}
    flags = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}
    named = {"cls_token": "[CLS]", "mask_token": mask, "pad_token": "<pad>", "sep_token": "[SEP]", "unk_token": "<unk>"}
    if vocabulary == VOCAB:
        named |= {"mask_token": "[MASK]", "pad_token": "[PAD]", "unk_token": "[UNK]"}
    new = {"<new>": 10_000}
    directories: list[dict[str, Any]] = [
        {},
        {"tokenizer_config.json": {"model_max_length": 512, "do_lower_case": False}},
        {"tokenizer_config.json": {"max_len": 128, "padding_side": "left", "unknown key": [1, {"a": None}]}},
        {"special_tokens_map.json": named},
        {
            "special_tokens_map.json": named | {"additional_special_tokens": ["<e1>", mask | {"content": "<e2>"}]},
            "tokenizer_config.json": {"additional_special_tokens": ["<e0>"], "name_or_path": "/somewhere/else"},
        },
        {
            "tokenizer_config.json": {
                "added_tokens_decoder": {
                    "7": mask | {"content": "[MASK]", "special": True},
                    "5": {"content": "<q>", **flags},
                },
                "mask_token": "[MASK]",
                "model_max_length": 1000000000000000019884624838656,
            }
        },
        {
            "tokenizer_config.json": {
                "mask_token": {"__type": "AddedToken", **mask},
                "clean_up_tokenization_spaces": False,
            }
        },
        {"tokenizer_config.json": {"truncation_side": "left", "model_input_names": ["input_ids", "attention_mask"]}},
        {"added_tokens.json": new, "special_tokens_map.json": named | {"additional_special_tokens": ["<new>"]}},
        {"added_tokens.json": {"<one>": 10_000, "<two>": 10_001}},
    ]
    steps: list[list[Any]] = [
        ["vocabulary"],
        ["specials"],
        ["save"],
        ["save", None, "pre"],
        ["save", False],
    ]
    steps += [
        ["text", text] for text in (*ADDED_TEXTS, "a<new> <one> <two> <e1> <E1> <q>", COLLECTION[38], COLLECTION[58])
    ]
    steps += [["text", text] for text in nasty_texts(seed + 200, texts // 4)]
    steps += [["encode", {"text": CONTEXT, "truncation": True, "padding": True}]]
    kinds: list[dict[str, Any]] = [{vocabulary: None}]
    if name != SLOW:
        kinds += [{"tokenizer.json": None}, {vocabulary: None, "tokenizer.json": None}]
    cases = [{"class": name, "directory": {**kind, **files}, "steps": steps} for kind in kinds for files in directories]
    for init in ({"do_lower_case": False}, {"mask_token": "<m>"}, {"additional_special_tokens": ["<e9>"]}):
        cases.append({"class": name, "directory": {**kinds[-1], **directories[3]}, "init": init, "steps": steps})
    cases.append({"class": name, "directory": {"tokenizer_config.json": {}}, "steps": [["specials"]]})
    return cases


def random_options(rng: random.Random, *, fast: bool) -> dict[str, Any]:
    """Arguments of one call."""
    words = rng.random() < 0.2

    def one() -> Any:
        text = nasty_text(rng)
        return text.split(" ") if words else text

    options: dict[str, Any] = {"is_split_into_words": words}
    if rng.random() < 0.5:
        options["text"] = one()
        if rng.random() < 0.5:
            options["text_pair"] = one()
    else:
        options["text"] = [one() for _ in range(rng.randrange(1, 5))]
        if rng.random() < 0.5:
            options["text_pair"] = [one() for _ in options["text"]]
    options["padding"] = rng.choice((False, True, "longest", "max_length", "do_not_pad"))
    options["truncation"] = rng.choice((None, False, True, "longest_first", "only_first", "only_second"))
    if rng.random() < 0.7:
        options["max_length"] = rng.choice((3, 4, 5, 6, 8, 10, 16, 32, 64))
    if rng.random() < 0.3:
        options["stride"] = rng.randrange(0, 5)
    if rng.random() < 0.2:
        options["pad_to_multiple_of"] = rng.choice((1, 4, 8))
    options["add_special_tokens"] = rng.random() < 0.8
    for name in ("return_overflowing_tokens", "return_special_tokens_mask", "return_length"):
        options[name] = rng.random() < 0.4
    for name in ("return_token_type_ids", "return_attention_mask"):
        options[name] = rng.choice((None, None, True, False))
    if fast:
        options["return_offsets_mapping"] = rng.random() < 0.5
    elif "max_length" not in options:
        # The reference fails to subtract None; this package answers that nothing overflows.
        options["return_overflowing_tokens"] = False
    return options
