"""The calls whose results are recorded from every class of transformers' ALBERT, and how an index of them is written.

Recorders of every framework share them, so that a case of one name has the same inputs and weights in all.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from seeded_weights import TINY

B, N, S = 2, 3, 7
EVERYTHING = {"output_hidden_states": True, "output_attentions": True}


def tensors(seed: int, shape: tuple[int, ...] = (B, S), *, types: int = 2) -> dict[str, np.ndarray]:
    """Return ids, a right-padded mask with a fully masked tail in the last row, and segments."""
    random = np.random.RandomState(seed)
    mask = np.ones(shape, np.int64)
    mask[-1, ..., shape[-1] // 2 + 1 :] = 0
    return {
        "input_ids": random.randint(0, TINY["vocab_size"], shape),
        "attention_mask": mask,
        "token_type_ids": random.randint(0, types, shape),
    }


def case(model: str, inputs: dict[str, Any], config: dict[str, Any] | None = None, **settings: Any) -> dict[str, Any]:
    """Describe one call.

    ``settings``: ``init`` (constructor arguments), ``call`` (other arguments of the call), ``train``, ``prune`` (heads
    pruned after construction), ``resize`` (arguments of resize_token_embeddings), ``keep`` (first entries of the
    vocabulary axis whose scores are compared; fresh rows are random).
    """
    return {"model": model, "config": {**TINY, **(config or {})}, "inputs": inputs, **settings}


def labelled(seed: int, high: int, shape: tuple[int, ...], ignored: int = 0) -> np.ndarray:
    labels = np.random.RandomState(1000 + seed).randint(0, high, shape)
    labels.reshape(-1)[:ignored] = -100
    return labels


def cases() -> dict[str, dict[str, Any]]:
    """Return every case by name."""
    base, choices = tensors(1), tensors(2, (B, N, S))
    ids = {"input_ids": base["input_ids"]}
    embeds = np.random.RandomState(3).standard_normal((B, S, 8)).astype(np.float32)
    positions = np.random.RandomState(4).randint(0, 24, (B, S))
    floats = np.random.RandomState(5)
    head_1d = np.array([1, 0, 1, 0.5], np.float32)
    head_2d = np.random.RandomState(6).randint(0, 2, (6, 4)).astype(np.float32)
    empty_row = {**base, "attention_mask": np.array([[1] * S, [0] * S])}
    six = {"num_hidden_layers": 6, "num_hidden_groups": 2, "inner_group_num": 2}
    words = labelled(1, 61, (B, S), ignored=5)
    found: dict[str, dict[str, Any]] = {}

    def add(name: str, *arguments: Any, **settings: Any) -> None:
        found[name] = case(*arguments, **settings)

    add("base/plain", "AlbertModel", base, call=EVERYTHING)
    add("base/ids_only", "AlbertModel", ids)
    add("base/tuple", "AlbertModel", base, call={"return_dict": False})
    add("base/tuple_everything", "AlbertModel", base, call={"return_dict": False, **EVERYTHING})
    add("base/config_asks", "AlbertModel", base, {**EVERYTHING, "return_dict": False})
    add("base/call_overrides_config", "AlbertModel", base, EVERYTHING, call={"output_attentions": False})
    add("base/no_pooler", "AlbertModel", base, init={"add_pooling_layer": False}, call=EVERYTHING)
    for everything in ({}, EVERYTHING):
        add(
            f"base/no_pooler_tuple{'_everything' if everything else ''}",
            "AlbertModel",
            base,
            init={"add_pooling_layer": False},
            call={"return_dict": False, **everything},
        )
    for name in ("gelu", "relu", "silu", "swish", "gelu_new"):
        add(f"base/{name}", "AlbertModel", base, {"hidden_act": name}, call=EVERYTHING)
    for name, sizes in {
        "groups": {"num_hidden_layers": 6, "num_hidden_groups": 3},
        "uneven_groups": {"num_hidden_layers": 5, "num_hidden_groups": 2},
        "seven_by_three": {"num_hidden_layers": 7, "num_hidden_groups": 3},
        "inner": {"inner_group_num": 2},
        "groups_and_inner": six,
        "one_layer": {"num_hidden_layers": 1},
    }.items():
        add(f"base/{name}", "AlbertModel", base, sizes, call=EVERYTHING)
        add(f"base/{name}_last", "AlbertModel", base, sizes)
    for name in ("relative_key", "relative_key_query"):
        add(f"base/{name}", "AlbertModel", base, {"position_embedding_type": name}, call=EVERYTHING)
        add(f"base/{name}_masked_row", "AlbertModel", empty_row, {"position_embedding_type": name, **six})
    add("base/position_ids", "AlbertModel", {**base, "position_ids": positions}, call=EVERYTHING)
    add("base/position_ids_one_row", "AlbertModel", {**base, "position_ids": positions[:1]})
    relative = {"position_embedding_type": "relative_key"}
    add("base/relative_ignores_position_ids", "AlbertModel", {**base, "position_ids": positions}, relative)
    add("base/inputs_embeds", "AlbertModel", {"inputs_embeds": embeds, "attention_mask": base["attention_mask"]})
    add("base/inputs_embeds_only", "AlbertModel", {"inputs_embeds": embeds}, call=EVERYTHING)
    add("base/head_mask_heads", "AlbertModel", {**base, "head_mask": head_1d}, call=EVERYTHING)
    add("base/head_mask_layers", "AlbertModel", {**base, "head_mask": head_2d[:3]}, call=EVERYTHING)
    add("base/head_mask_one_row", "AlbertModel", {**base, "head_mask": head_2d[:1]})
    add("base/head_mask_groups", "AlbertModel", {**base, "head_mask": head_2d}, six, call=EVERYTHING)
    add("base/head_mask_groups_tuple", "AlbertModel", {**base, "head_mask": head_2d}, six, call={"return_dict": False})
    five = np.broadcast_to(head_2d[:3, None, :, None, None], (3, B, 4, S, S)).copy()
    five[:, 1] = 1
    add("base/head_mask_full", "AlbertModel", {**base, "head_mask": five})
    add("base/masked_row", "AlbertModel", empty_row, call=EVERYTHING)
    half = floats.uniform(size=(B, S)).astype(np.float32)
    add("base/fractional_mask", "AlbertModel", {**base, "attention_mask": half}, call=EVERYTHING)
    add("base/bool_mask", "AlbertModel", {**base, "attention_mask": base["attention_mask"].astype(bool)})
    add("base/int32", "AlbertModel", {name: value.astype(np.int32) for name, value in base.items()})
    add("base/one_token", "AlbertModel", tensors(7, (1, 1)), call=EVERYTHING)
    add("base/longest", "AlbertModel", tensors(8, (1, 24)))
    add("base/three_types", "AlbertModel", tensors(9, types=3), {"type_vocab_size": 3})
    add("base/eps", "AlbertModel", base, {"layer_norm_eps": 1e-2})
    add("base/pad_token", "AlbertModel", base, {"pad_token_id": 5})
    add("base/no_pad_token", "AlbertModel", base, {"pad_token_id": None})
    add("base/wide_embeddings", "AlbertModel", base, {"embedding_size": 16})
    add("base/one_head", "AlbertModel", base, {"num_attention_heads": 1})
    add("base/pruned_config", "AlbertModel", base, {"pruned_heads": {0: [1, 3]}}, call=EVERYTHING)
    add("base/pruned", "AlbertModel", base, prune={0: [0, 2]}, call=EVERYTHING)
    # (group, inner) pairs are counted 0 = (0,0), 1 = (0,1), 2 = (1,0), 3 = (1,1)
    add(
        "base/pruned_groups",
        "AlbertModel",
        base,
        six,
        prune={1: [0], 2: [3, 1, 2]},
        call={"output_hidden_states": True},
    )
    add("base/pruned_twice", "AlbertModel", base, {"pruned_heads": {0: [1]}}, prune={0: [1, 2]})
    add("base/pruned_relative", "AlbertModel", base, {"position_embedding_type": "relative_key_query"}, prune={0: [2]})
    add("base/grown", "AlbertModel", base, resize={"new_num_tokens": 70})
    add("base/shrunk", "AlbertModel", {**base, "input_ids": base["input_ids"] % 40}, resize={"new_num_tokens": 40})
    for name in ("hidden_dropout_prob", "attention_probs_dropout_prob"):
        # a probability of 1 is dropout without chance: it shows where each dropout stands
        add(f"base/train_{name}", "AlbertModel", base, {name: 1.0}, train=True, call=EVERYTHING)

    order = {"labels": words, "sentence_order_label": np.array([0, 1])}
    pretraining = "AlbertForPreTraining"
    add("pretraining/plain", pretraining, base, call=EVERYTHING)
    add("pretraining/tuple", pretraining, {**base, **order}, call={"return_dict": False, **EVERYTHING})
    add("pretraining/loss", pretraining, {**base, **order})
    add("pretraining/words_only", pretraining, {**base, "labels": words})
    add("pretraining/order_only", pretraining, {**base, "sentence_order_label": np.array([0, 1])})
    add("pretraining/untied", pretraining, {**base, **order}, {"tie_word_embeddings": False})
    add("pretraining/three_labels", pretraining, base, {"num_labels": 3})
    add("pretraining/train", pretraining, base, {"classifier_dropout_prob": 1.0}, train=True)

    masked = "AlbertForMaskedLM"
    add("masked_lm/plain", masked, base, call=EVERYTHING)
    add("masked_lm/loss", masked, {**base, "labels": words})
    add("masked_lm/tuple", masked, {**base, "labels": words}, call={"return_dict": False, **EVERYTHING})
    add("masked_lm/all_ignored", masked, {**base, "labels": np.full((B, S), -100)})
    add("masked_lm/untied", masked, {**base, "labels": words}, {"tie_word_embeddings": False})
    add("masked_lm/gelu", masked, base, {"hidden_act": "gelu"})
    add("masked_lm/inputs_embeds", masked, {"inputs_embeds": embeds, "labels": words})
    add("masked_lm/head_mask", masked, {**base, "head_mask": head_1d, "position_ids": positions})
    small = {**base, "input_ids": base["input_ids"] % 40}
    for tied in (True, False):
        name = "tied" if tied else "untied"
        settings = {"tie_word_embeddings": tied}
        add(f"masked_lm/grown_{name}", masked, base, settings, resize={"new_num_tokens": 70}, keep=61)
        add(f"masked_lm/shrunk_{name}", masked, small, settings, resize={"new_num_tokens": 40}, keep=40)
    add("masked_lm/grown_multiple", masked, base, resize={"pad_to_multiple_of": 16}, keep=61)
    resize = {"new_num_tokens": 50, "pad_to_multiple_of": 8}
    add("masked_lm/shrunk_multiple", masked, {**base, "input_ids": base["input_ids"] % 50}, resize=resize, keep=56)
    add("masked_lm/resize_nothing", masked, base, resize={}, keep=61)

    text = "AlbertForSequenceClassification"
    one_hot = np.random.RandomState(10).randint(0, 2, (B, 4)).astype(np.float32)
    numbers = floats.standard_normal(B).astype(np.float32)
    add("text/plain", text, base, {"num_labels": 4}, call=EVERYTHING)
    add("text/single", text, {**base, "labels": np.array([3, 1])}, {"num_labels": 4})
    add("text/tuple", text, {**base, "labels": np.array([3, 1])}, {"num_labels": 4}, call={"return_dict": False})
    add("text/multi", text, {**base, "labels": one_hot}, {"num_labels": 4})
    add("text/regression", text, {**base, "labels": numbers}, {"num_labels": 1})
    add("text/regression_column", text, {**base, "labels": numbers[:, None]}, {"num_labels": 1})
    several = {"num_labels": 4, "problem_type": "regression"}
    add("text/regression_several", text, {**base, "labels": one_hot}, several)
    multi = {"num_labels": 1, "problem_type": "multi_label_classification"}
    add("text/multi_one", text, {**base, "labels": one_hot[:, :1]}, multi)
    single = {"num_labels": 4, "problem_type": "single_label_classification"}
    add("text/single_ignored", text, {**base, "labels": np.array([-100, 1])}, single)
    add("text/train", text, base, {"classifier_dropout_prob": 1.0}, train=True)

    choice = "AlbertForMultipleChoice"
    four_d = np.random.RandomState(11).standard_normal((B, N, S, 8)).astype(np.float32)
    three_d = np.random.RandomState(12).randint(0, 24, (B, N, S))
    add("choice/plain", choice, choices, call=EVERYTHING)
    add("choice/ids_only", choice, {"input_ids": choices["input_ids"]})
    add("choice/loss", choice, {**choices, "labels": np.array([2, 0]), "position_ids": three_d})
    add("choice/tuple", choice, {**choices, "labels": np.array([2, 0])}, call={"return_dict": False, **EVERYTHING})
    add("choice/inputs_embeds", choice, {"inputs_embeds": four_d, "labels": np.array([1, 1])})
    add("choice/train", choice, choices, {"classifier_dropout_prob": 1.0}, train=True)

    tags = labelled(2, 5, (B, S), ignored=3)
    token = "AlbertForTokenClassification"
    add("token/plain", token, base, {"num_labels": 5}, call=EVERYTHING)
    add("token/loss", token, {**base, "labels": tags}, {"num_labels": 5})
    add("token/tuple", token, {**base, "labels": tags}, {"num_labels": 5}, call={"return_dict": False, **EVERYTHING})
    add("token/train", token, base, {"classifier_dropout_prob": 1.0}, train=True)

    answer = "AlbertForQuestionAnswering"
    add("answer/plain", answer, base, call=EVERYTHING)
    spans = {"start_positions": np.array([1, 2]), "end_positions": np.array([3, 2])}
    add("answer/loss", answer, {**base, **spans})
    add("answer/tuple", answer, {**base, **spans}, call={"return_dict": False, **EVERYTHING})
    outside = {"start_positions": np.array([-3, S + 9]), "end_positions": np.array([S, 2])}
    add("answer/outside", answer, {**base, **outside})
    add("answer/column", answer, {**base, **{name: value[:, None] for name, value in spans.items()}})
    add("answer/start_only", answer, {**base, "start_positions": np.array([1, 2])})
    return found


def as_lines(index: dict[str, Any]) -> str:
    """Return JSON with one line a case, so that a new recording shows which cases changed."""
    rows = [f"  {json.dumps(name)}: {json.dumps(row)}" for name, row in index["cases"].items()]
    head = json.dumps({key: value for key, value in index.items() if key != "cases"}, indent=1).removesuffix("\n}")
    return head + ',\n "cases": {\n' + ",\n".join(rows) + "\n }\n}\n"
