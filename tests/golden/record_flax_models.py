"""Record what transformers' Flax ALBERT computes, for every class and variant, into flax_models.{json,npz}.

Run in an environment of its own, which has transformers 4.37.2, jax and jaxlib 0.4.13, flax 0.7.0, scipy 1.12.0 and
numpy 1.26.4::

    python tests/golden/record_flax_models.py

Weights come from ``seeded_weights`` by PyTorch's names, so that a case of the same name has the same weights, and most
have the same inputs, as in torch_models.{json,npz}. Index and archive are laid out alike. A case whose parameters are
those of the first case of its class does not list them again. The gradient is that of the sum of the squares of the
first output, one norm for each parameter, by the names sorted.
"""

from __future__ import annotations

import datetime
import os
import platform
import sys
from pathlib import Path
from typing import Any

os.environ["JAX_PLATFORMS"] = "cpu"

import flax
import jax
import jaxlib
import numpy as np
import transformers  # noqa: TID251

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from model_cases import EVERYTHING, B, N, S, as_lines, case, cases, tensors  # noqa: E402
from reference_flax_weights import filled, parameters  # noqa: E402

#: Dropout of attention probabilities divides by 1 - rate. With this, which rounds to 1 in float32, it drops everything.
ALL_DROPPED = 1 - 1e-12
NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "classifier_dropout_prob": 0.0}
#: What PyTorch's classes can and the reference's Flax classes cannot, or do not heed.
TORCH_ONLY_SETTINGS = ("prune", "resize", "train")
TORCH_ONLY_CONFIG = ("position_embedding_type", "pruned_heads", "problem_type")
TORCH_ONLY_INPUTS = ("head_mask", "inputs_embeds")
LABELS = ("labels", "sentence_order_label", "start_positions", "end_positions")
#: Their counterparts are below, or similar cases are enough.
LEFT_OUT = {
    "base/pad_token": "the padding token matters to fresh weights alone",
    "base/no_pad_token": "the same",
    "base/seven_by_three": "enough of groups",
    "base/swish": "silu by its other name",
    "pretraining/three_labels": "sentence order has two scores there, whatever the configuration says",
    "base/gelu_new": "the default, recorded as base/plain",
    "base/groups": "its last state is recorded, and groups_and_inner has every layer's",
    "base/uneven_groups": "the same",
    "base/inner": "the same",
    "base/one_layer": "the same",
}
#: Recorded without hidden states and attentions, which similar cases have, to keep the archive small.
LAST_ONLY = ("base/gelu", "base/relu", "base/silu", "base/position_ids", "base/fractional_mask", "base/no_pooler")
#: A gradient of each class, and of what differs in it.
WITH_GRADIENT = (
    "base/plain",
    "base/groups_and_inner_last",
    "pretraining/plain",
    "masked_lm/plain",
    "masked_lm/untied",
    "text/plain",
    "choice/plain",
    "token/plain",
    "answer/plain",
)


def flax_cases() -> dict[str, dict[str, Any]]:
    """Return every case by name: PyTorch's without labels, as far as they apply, and Flax's own."""
    found: dict[str, dict[str, Any]] = {}
    for name, spec in cases().items():
        inputs = {key: value for key, value in spec["inputs"].items() if key not in LABELS}
        variant = name.rpartition("/")[2]
        if (
            name in LEFT_OUT
            or any(setting in spec for setting in TORCH_ONLY_SETTINGS)
            or any(field in spec["config"] for field in TORCH_ONLY_CONFIG)
            or any(key in inputs for key in TORCH_ONLY_INPUTS)
            or (len(inputs) < len(spec["inputs"]) and variant not in ("tuple", "untied"))
        ):
            continue
        arguments = spec.get("call", {})
        if name in LAST_ONLY or (variant == "tuple" and not name.startswith("base")):
            arguments = {key: value for key, value in arguments.items() if key not in EVERYTHING}
        found[name] = {**spec, "inputs": inputs, "model": f"Flax{spec['model']}", "call": arguments}

    def add(name: str, *arguments: Any, **settings: Any) -> None:
        assert name not in found, name
        found[name] = case(*arguments, **settings)

    base, choices = tensors(1), tensors(2, (B, N, S))
    heads: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
        "base": ("FlaxAlbertModel", base, {}),
        "pretraining": ("FlaxAlbertForPreTraining", base, {}),
        "masked_lm": ("FlaxAlbertForMaskedLM", base, {}),
        "text": ("FlaxAlbertForSequenceClassification", base, {"num_labels": 4}),
        "choice": ("FlaxAlbertForMultipleChoice", choices, {}),
        "token": ("FlaxAlbertForTokenClassification", base, {"num_labels": 5}),
        "answer": ("FlaxAlbertForQuestionAnswering", base, {}),
    }
    for head, (model, inputs, config) in heads.items():
        for name in NO_DROPOUT:
            dropped = {**config, **NO_DROPOUT, name: ALL_DROPPED}
            if name != "classifier_dropout_prob" or head in ("pretraining", "text", "choice", "token"):
                add(f"{head}/train_{name}", model, inputs, dropped, call={"train": True})
    attention = {**NO_DROPOUT, "attention_probs_dropout_prob": ALL_DROPPED}
    add("base/train_everything", "FlaxAlbertModel", base, attention, call={"train": True, **EVERYTHING})
    masked = np.array([[0] * S, [1] * S])
    add("text/masked_row", "FlaxAlbertForSequenceClassification", {**base, "attention_mask": masked})
    three_d = np.random.RandomState(12).randint(0, 24, (B, N, S))
    add("choice/position_ids", "FlaxAlbertForMultipleChoice", {**choices, "position_ids": three_d})
    return found


def run(name: str, spec: dict[str, Any]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return the arrays of a case and what the index says of its result."""
    config = transformers.AlbertConfig(**spec["config"])
    model = getattr(transformers, spec["model"])(config, **spec.get("init", {}))
    params = filled(model.params)
    arguments = dict(spec.get("call", {}))
    if arguments.get("train"):
        arguments["dropout_rng"] = jax.random.PRNGKey(0)
    output = model(**spec["inputs"], params=params, **arguments)
    fields = list(output.items()) if isinstance(output, dict) else [(str(i), value) for i, value in enumerate(output)]
    arrays: dict[str, np.ndarray] = {}
    kinds: dict[str, str] = {}
    for field, value in fields:
        if value is None:
            kinds[field] = "none"
        elif isinstance(value, tuple):
            kinds[field] = f"tuple of {len(value)}"
            arrays.update({f"out/{field}/{i}": np.asarray(tensor) for i, tensor in enumerate(value)})
        else:
            kinds[field] = "tensor"
            arrays[f"out/{field}"] = np.asarray(value)
    weights = parameters(params)
    result: dict[str, Any] = {
        "fields": kinds,
        "parameters": {weight: "x".join(map(str, weights[weight].shape)) for weight in sorted(weights)},
    }
    if name in WITH_GRADIENT:

        def total(params: Any) -> Any:
            return (model(**spec["inputs"], params=params, return_dict=False)[0] ** 2).sum()

        gradients = parameters(jax.grad(total)(params))
        arrays["grad"] = np.array(
            [np.linalg.norm(gradients[weight].astype(np.float64)) for weight in sorted(gradients)], np.float64
        )
    arrays.update({f"in/{key}": value for key, value in spec["inputs"].items()})
    return arrays, result


def main() -> None:
    index: dict[str, Any] = {
        "recorded": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "versions": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "jax": jax.__version__,
            "jaxlib": jaxlib.__version__,
            "flax": flax.__version__,
            "transformers": transformers.__version__,
        },
        "cases": {},
    }
    archive: dict[str, np.ndarray] = {}
    listed: dict[str, dict[str, str]] = {}
    for name, spec in flax_cases().items():
        arrays, result = run(name, spec)
        first = listed.setdefault(spec["model"], result["parameters"])
        if first is not result["parameters"] and first == result["parameters"]:
            del result["parameters"]
        archive.update({f"{name}/{key}": value for key, value in arrays.items()})
        settings = {key: value for key, value in spec.items() if key != "inputs"}
        index["cases"][name] = {**settings, **result}
    (HERE / "flax_models.json").write_text(as_lines(index), encoding="utf-8")
    np.savez_compressed(HERE / "flax_models.npz", **archive)
    print(len(index["cases"]), "cases")


if __name__ == "__main__":
    main()
