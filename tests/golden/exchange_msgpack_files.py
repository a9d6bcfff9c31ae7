"""Show that ``flax_model.msgpack`` is the same here and in transformers 4.37.2's Flax classes, in both directions.

Four steps, in turn in an environment that has transformers 4.37.2, jax and jaxlib 0.4.13 and flax 0.7.0, and in the
project's own (numpy is enough there)::

    python tests/golden/exchange_msgpack_files.py save DIR    (there)  files of every class, and what the models say
    python tests/golden/exchange_msgpack_files.py read DIR    (here)   the same weights are read, and written again
    python tests/golden/exchange_msgpack_files.py load DIR    (there)  what was written loads, and says the same

The safetensors files of those classes, which have their names and orientation, are read besides, and written as
msgpack. ``save`` also writes the golden files beside this script, ``flax_model_*``. It is no test of the suite, because
it needs both environments; its result on the day of the recording is that all comparisons hold.
"""

from __future__ import annotations

import gzip
import os
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from seeded_weights import TINY  # noqa: E402

SIX = {"num_hidden_layers": 6, "num_hidden_groups": 2, "inner_group_num": 2}
MANY = {"num_hidden_layers": 40, "num_hidden_groups": 20}
SHARDS = {"max_shard_size": "3KB"}
SAFE = {"safe_serialization": True}
#: Form -> class, configuration, arguments of save_pretrained, dtype of the weights.
FORMS: dict[str, tuple[str, dict[str, Any], dict[str, Any], str]] = {
    "base": ("FlaxAlbertModel", {}, {}, "float32"),
    "base-groups": ("FlaxAlbertModel", SIX, {}, "float32"),
    "base-many": ("FlaxAlbertModel", MANY, {}, "float32"),
    "base-shards": ("FlaxAlbertModel", SIX, SHARDS, "float32"),
    "base-half": ("FlaxAlbertModel", {}, {}, "float16"),
    "pretraining": ("FlaxAlbertForPreTraining", {}, {}, "float32"),
    "masked_lm": ("FlaxAlbertForMaskedLM", {}, {}, "float32"),
    "masked_lm-untied": ("FlaxAlbertForMaskedLM", {"tie_word_embeddings": False}, {}, "float32"),
    "masked_lm-bf16": ("FlaxAlbertForMaskedLM", {}, {}, "bfloat16"),
    "masked_lm-safe": ("FlaxAlbertForMaskedLM", {}, SAFE, "float32"),
    "base-safe": ("FlaxAlbertModel", SIX, SAFE, "float32"),
    "text": ("FlaxAlbertForSequenceClassification", {"num_labels": 4}, {}, "float32"),
    "choice": ("FlaxAlbertForMultipleChoice", {}, {}, "float32"),
    "token": ("FlaxAlbertForTokenClassification", {"num_labels": 5}, {}, "float32"),
    "answer": ("FlaxAlbertForQuestionAnswering", {}, {}, "float32"),
}
GOLDEN = {
    "masked_lm-untied": ("flax_model.msgpack", "flax_model_masked_lm.msgpack.gz"),
    "masked_lm-bf16": ("flax_model.msgpack", "flax_model_bf16.msgpack.gz"),
    "base-safe": ("model.safetensors", "flax_model_groups.safetensors.gz"),
}


def ids(name: str) -> np.ndarray:
    shape = (2, 3, 7) if name == "FlaxAlbertForMultipleChoice" else (2, 7)
    return np.random.RandomState(9).randint(0, 61, shape)


def says(model: Any, name: str) -> dict[str, np.ndarray]:
    return {key: np.asarray(value, np.float32) for key, value in model(ids(name)).items()}


def save(root: Path) -> None:
    import jax.numpy as jnp
    import transformers  # noqa: TID251
    from flax.traverse_util import flatten_dict, unflatten_dict
    from reference_flax_weights import filled, parameters

    for form, (name, config, arguments, dtype) in FORMS.items():
        model = getattr(transformers, name)(transformers.AlbertConfig(**{**TINY, **config}))
        flat = {path: jnp.asarray(array, dtype) for path, array in flatten_dict(filled(model.params)).items()}
        model.params = unflatten_dict(flat)
        model.save_pretrained(root / form, **arguments)
        weights = {key: value.astype(np.float32) for key, value in parameters(model.params).items()}
        np.savez(root / f"{form}-weights.npz", **weights)
        np.savez(root / f"{form}-says.npz", **says(model, name))
        if form in GOLDEN:
            source, kept = GOLDEN[form]
            (HERE / kept).write_bytes(gzip.compress((root / form / source).read_bytes(), mtime=0))


def read(root: Path) -> list[str]:
    """Read what ``save`` wrote, write it again into ``again``, and return what differs."""
    sys.path.insert(0, str(HERE.parent.parent))
    from albert_export.checkpoints import open_checkpoint, read_msgpack, write_msgpack

    wrong: list[str] = []
    for form, (name, _, arguments, _) in FORMS.items():
        checkpoint = open_checkpoint(root / form)
        tensors = checkpoint.numpy_tensors()
        stored = np.load(root / f"{form}-weights.npz")
        if sorted(tensors) != sorted(stored.files):
            wrong.append(f"{form}: names {sorted(set(tensors) ^ set(stored.files))}")
        wrong += [f"{form}: {key}" for key in stored.files if not np.array_equal(stored[key], tensors[key])]
        again = root / "again" / form
        again.mkdir(parents=True, exist_ok=True)
        checkpoint.config.save_pretrained(again)
        if checkpoint.weight_format == "msgpack":
            tensors = read_msgpack(checkpoint.weight_files, raw=True)
        write_msgpack(again / "flax_model.msgpack", tensors, config=checkpoint.config, architecture=name)
        if not arguments:
            same = (again / "flax_model.msgpack").stat().st_size == (root / form / "flax_model.msgpack").stat().st_size
            print(f"{form}: {'the same size' if same else 'another size'}")
    return wrong


def load(root: Path) -> list[str]:
    """Load what ``read`` wrote, and return what differs."""
    import transformers  # noqa: TID251

    transformers.logging.set_verbosity_error()
    wrong: list[str] = []
    for form, (name, _, _, dtype) in FORMS.items():
        model = getattr(transformers, name).from_pretrained(root / "again" / form)
        kinds = {str(array.dtype) for array in model_leaves(model.params)}
        if kinds != {dtype}:
            wrong.append(f"{form}: weights of {kinds}")
        recorded = np.load(root / f"{form}-says.npz")
        said = says(model, name)
        if sorted(said) != sorted(recorded.files):
            wrong.append(f"{form}: outputs {sorted(said)}")
        wrong += [
            f"{form}: {key} differs by {np.abs(said[key] - recorded[key]).max()}"
            for key in recorded.files
            if not np.array_equal(said[key], recorded[key])
        ]
    return wrong


def model_leaves(params: Any) -> list[Any]:
    import jax

    leaves: list[Any] = jax.tree_util.tree_leaves(params)
    return leaves


def main() -> None:
    os.environ["JAX_PLATFORMS"] = "cpu"
    warnings.simplefilter("ignore")
    command, directory = sys.argv[1:]
    root = Path(directory)
    root.mkdir(parents=True, exist_ok=True)
    if command == "save":
        save(root)
        print("saved", len(FORMS), "checkpoints")
        return
    wrong = {"read": read, "load": load}[command](root)
    print("\n".join(wrong) or f"all of {len(FORMS)} checkpoints agree")
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
