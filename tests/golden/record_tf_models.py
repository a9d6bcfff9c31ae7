"""Record what transformers' TensorFlow ALBERT computes, for every class and variant, into tf_models.{json,npz}.

Run in an environment of its own, which has transformers 4.37.2, tensorflow-cpu 2.15.1, keras 2.15.0 and numpy::

    python tests/golden/record_tf_models.py

Weights come from ``seeded_weights`` by PyTorch's names, so that a case of the same name has the same weights, and most
have the same inputs, as in torch_models.{json,npz}. Index and archive are laid out alike. A case may say in which
``form`` its inputs are given: as keywords by default, in one ``dict``, or in one ``list``, in the archive's order. A
case whose parameters are those of the first case of its class does not list them again. The gradient is that of the sum
of the loss, which has one element or one for each example.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import sys
from pathlib import Path
from typing import Any

os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
import tensorflow as tf
import transformers  # noqa: TID251

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from model_cases import EVERYTHING, B, N, S, as_lines, case, cases, labelled, tensors  # noqa: E402
from reference_tf_weights import fill, named_variables, torch_shape  # noqa: E402

#: tf.nn.dropout refuses 1. With this, which rounds to 1 in float32, it drops everything all the same.
ALL_DROPPED = 1 - 1e-12
NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "classifier_dropout_prob": 0.0}
#: What PyTorch's classes can and the reference's TensorFlow classes cannot, or do not heed.
TORCH_ONLY_SETTINGS = ("init", "prune", "resize", "train")
TORCH_ONLY_CONFIG = ("position_embedding_type", "pruned_heads", "tie_word_embeddings", "problem_type")
#: These raise there, or differ in what their labels mean; their counterparts are below.
LEFT_OUT = {
    "base/int32": "inputs of 64 bits are made 32-bit ones",
    "base/pad_token": "the padding token matters to fresh weights alone",
    "base/no_pad_token": "the same",
    "base/seven_by_three": "enough of groups",
    "base/swish": "silu by its other name",
    "text/multi": "no losses for several labels at once",
    "answer/outside": "labels out of range raise",
    "answer/column": "labels of one column give a loss of another shape",
    "pretraining/three_labels": "the order loss asks for two",
    "base/gelu_new": "the default, recorded as base/plain",
    "base/groups": "its last state is recorded, and groups_and_inner has every layer's",
    "base/uneven_groups": "the same",
    "base/inner": "the same",
    "base/one_layer": "the same",
}
#: Recorded without hidden states and attentions, which similar cases have, to keep the archive small.
LAST_ONLY = (
    "base/gelu",
    "base/relu",
    "base/silu",
    "base/position_ids",
    "base/fractional_mask",
    "pretraining/tuple",
    "masked_lm/tuple",
    "choice/tuple",
    "token/tuple",
    "answer/tuple",
)


def tf_cases() -> dict[str, dict[str, Any]]:
    """Return every case by name: PyTorch's, as far as they apply, and TensorFlow's own."""
    found: dict[str, dict[str, Any]] = {}
    for name, spec in cases().items():
        if (
            name in LEFT_OUT
            or any(setting in spec for setting in TORCH_ONLY_SETTINGS)
            or any(field in spec["config"] for field in TORCH_ONLY_CONFIG)
            or "head_mask" in spec["inputs"]
        ):
            continue
        arguments = spec.get("call", {})
        if name in LAST_ONLY:
            arguments = {key: value for key, value in arguments.items() if key not in EVERYTHING}
        found[name] = {**spec, "model": f"TF{spec['model']}", "call": arguments}

    def add(name: str, *arguments: Any, **settings: Any) -> None:
        assert name not in found, name
        found[name] = case(*arguments, **settings)

    base, choices = tensors(1), tensors(2, (B, N, S))
    words, tags = labelled(1, 61, (B, S), ignored=5), labelled(2, 5, (B, S), ignored=3)
    order = {"labels": words, "sentence_order_label": np.array([0, 1])}
    some_order = {"labels": words, "sentence_order_label": np.array([-100, 1])}
    heads: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
        "base": ("TFAlbertModel", base, {}),
        "pretraining": ("TFAlbertForPreTraining", base, {}),
        "masked_lm": ("TFAlbertForMaskedLM", base, {}),
        "text": ("TFAlbertForSequenceClassification", base, {"num_labels": 4}),
        "choice": ("TFAlbertForMultipleChoice", choices, {}),
        "token": ("TFAlbertForTokenClassification", base, {"num_labels": 5}),
        "answer": ("TFAlbertForQuestionAnswering", base, {}),
    }
    for head, (model, inputs, config) in heads.items():
        add(f"{head}/dict", model, inputs, config, form="dict")
        add(f"{head}/list", model, inputs, config, form="list", call={"return_dict": False})
        for name in NO_DROPOUT:
            dropped = {**config, **NO_DROPOUT, name: ALL_DROPPED}
            if name != "classifier_dropout_prob" or head in ("pretraining", "text", "choice", "token"):
                add(f"{head}/train_{name}", model, inputs, dropped, call={"training": True})
    attention = {**NO_DROPOUT, "attention_probs_dropout_prob": ALL_DROPPED}
    add("base/train_everything", "TFAlbertModel", base, attention, call={"training": True, **EVERYTHING})
    # an empty row attends as if it were unmasked, which a text of its own shows
    add(
        "text/masked_row", "TFAlbertForSequenceClassification", {**base, "attention_mask": np.array([[0] * S, [1] * S])}
    )
    add("base/list_of_ids", "TFAlbertModel", {"input_ids": base["input_ids"]}, form="list")
    add("pretraining/order_ignored", "TFAlbertForPreTraining", {**base, **some_order})
    add("pretraining/dict_loss", "TFAlbertForPreTraining", {**base, **order}, form="dict")
    add("text/loss_of_two", "TFAlbertForSequenceClassification", {**base, "labels": np.array([1, 0])})
    add("text/dict_loss", "TFAlbertForSequenceClassification", {**base, "labels": np.array([1, 0])}, form="dict")
    old_way = {"labels": np.where(tags == 4, -1, tags)}
    add("token/minus_one_ignored", "TFAlbertForTokenClassification", {**base, **old_way}, {"num_labels": 5})
    return found


def call(model: Any, spec: dict[str, Any]) -> Any:
    """Call a model with the inputs in the form that the case names."""
    inputs = {name: tf.constant(value) for name, value in spec["inputs"].items()}
    arguments = spec.get("call", {})
    form = spec.get("form", "keywords")
    if form == "keywords":
        return model(inputs.pop("input_ids", None), **inputs, **arguments)  # Keras asks for a first argument
    return model(inputs if form == "dict" else list(inputs.values()), **arguments)


def run(spec: dict[str, Any]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return the arrays of a case and what the index says of its result."""
    config = transformers.AlbertConfig(**spec["config"])
    model = getattr(transformers, spec["model"])(config)
    model.build_in_name_scope()
    fill(model)
    with tf.GradientTape() as tape:
        output = call(model, spec)
        loss = output.get("loss") if isinstance(output, dict) else None
        total = None if loss is None else tf.reduce_sum(loss)
    fields = list(output.items()) if isinstance(output, dict) else [(str(i), value) for i, value in enumerate(output)]
    arrays: dict[str, np.ndarray] = {}
    kinds: dict[str, str] = {}
    for name, value in fields:
        if value is None:
            kinds[name] = "none"
        elif isinstance(value, tuple):
            kinds[name] = f"tuple of {len(value)}"
            arrays.update({f"out/{name}/{i}": tensor.numpy() for i, tensor in enumerate(value)})
        else:
            kinds[name] = "tensor"
            arrays[f"out/{name}"] = value.numpy()
    named = named_variables(model)
    result: dict[str, Any] = {
        "fields": kinds,
        "parameters": {name: "x".join(map(str, torch_shape(variable))) for name, variable in named},
    }
    if total is not None and np.isfinite(total.numpy()):
        norms = dict.fromkeys(result["parameters"], 0.0)
        for (name, _), gradient in zip(named, tape.gradient(total, [v for _, v in named]), strict=True):
            if gradient is not None:  # of the two biases one has none
                norms[name] += float(np.linalg.norm(tf.convert_to_tensor(gradient).numpy().astype(np.float64)))
        arrays["grad"] = np.array(list(norms.values()), np.float64)
    arrays.update({f"in/{name}": value for name, value in spec["inputs"].items()})
    return arrays, result


def main() -> None:
    tf.config.threading.set_intra_op_parallelism_threads(1)
    index: dict[str, Any] = {
        "recorded": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "versions": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "tensorflow": tf.__version__,
            "keras": importlib.metadata.version("keras"),
            "transformers": transformers.__version__,
        },
        "cases": {},
    }
    archive: dict[str, np.ndarray] = {}
    parameters: dict[str, dict[str, str]] = {}
    for name, spec in tf_cases().items():
        arrays, result = run(spec)
        first = parameters.setdefault(spec["model"], result["parameters"])
        if first is not result["parameters"] and first == result["parameters"]:
            del result["parameters"]
        archive.update({f"{name}/{key}": value for key, value in arrays.items()})
        settings = {key: value for key, value in spec.items() if key != "inputs"}
        index["cases"][name] = {**settings, **result}
    (HERE / "tf_models.json").write_text(as_lines(index), encoding="utf-8")
    np.savez_compressed(HERE / "tf_models.npz", **archive)
    print(len(index["cases"]), "cases")


if __name__ == "__main__":
    main()
