"""Show that ``tf_model.h5`` is the same here and in transformers 4.37.2's TensorFlow classes, in both directions.

Four steps, in turn in an environment that has transformers 4.37.2 and tensorflow-cpu 2.15.1, and in the project's own
(h5py and numpy are enough there)::

    python tests/golden/exchange_h5_files.py save DIR    (there)  files of every class, and what the models hold and say
    python tests/golden/exchange_h5_files.py read DIR    (here)   the same weights are read, and written again
    python tests/golden/exchange_h5_files.py load DIR    (there)  what was written loads, and says the same

The safetensors files of those classes, which have their names and orientation, are read besides. ``save`` also writes
the golden files beside this script, ``tf_model_*``. It is no test of the suite, because
it needs both environments; its result on the day of the recording is that all comparisons hold.
"""

from __future__ import annotations

import gzip
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from seeded_weights import TINY  # noqa: E402

SIX = {"num_hidden_layers": 6, "num_hidden_groups": 2, "inner_group_num": 2}
#: So many layers have weights of their own that their names need more than one attribute.
MANY = {"num_hidden_layers": 48, "num_hidden_groups": 24, "inner_group_num": 2}
SHARDS = {"max_shard_size": "3KB"}
SAFE = {"safe_serialization": True}
#: Form -> class, configuration, arguments of save_pretrained.
FORMS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "base": ("TFAlbertModel", {}, {}),
    "base-groups": ("TFAlbertModel", SIX, {}),
    "base-many": ("TFAlbertModel", MANY, {}),
    "base-shards": ("TFAlbertModel", SIX, SHARDS),
    "pretraining": ("TFAlbertForPreTraining", {}, {}),
    "pretraining-shards": ("TFAlbertForPreTraining", SIX, SHARDS),
    "masked_lm": ("TFAlbertForMaskedLM", {}, {}),
    "masked_lm-again": ("TFAlbertForMaskedLM", SIX, {}),  # the model's name then ends in _1
    "masked_lm-shards": ("TFAlbertForMaskedLM", {}, SHARDS),
    "base-safe": ("TFAlbertModel", SIX, SAFE),
    "masked_lm-safe": ("TFAlbertForMaskedLM", {}, SAFE),
    "text": ("TFAlbertForSequenceClassification", {"num_labels": 4}, {}),
    "choice": ("TFAlbertForMultipleChoice", {}, {}),
    "token": ("TFAlbertForTokenClassification", {"num_labels": 5}, {}),
    "answer": ("TFAlbertForQuestionAnswering", {}, {}),
}
#: Forms kept as golden files. Names and layout take most of an h5 file, and compress well.
GOLDEN = {
    "masked_lm": ("tf_model.h5", "tf_model_masked_lm.h5.gz"),
    "base-groups": ("tf_model.h5", "tf_model_groups.h5.gz"),
    "masked_lm-safe": ("model.safetensors", "tf_model_masked_lm.safetensors.gz"),
}


def ids(name: str) -> np.ndarray:
    shape = (2, 3, 7) if name == "TFAlbertForMultipleChoice" else (2, 7)
    return np.random.RandomState(9).randint(0, 61, shape)


def says(model: Any, name: str) -> dict[str, np.ndarray]:
    return {key: value.numpy() for key, value in model(ids(name)).items() if value is not None}


def save(root: Path) -> None:
    import tensorflow as tf
    import transformers  # noqa: TID251
    from reference_tf_weights import fill, parameters

    for form, (name, config, arguments) in FORMS.items():
        if not form.endswith("-again"):
            tf.keras.backend.clear_session()  # or names count on from form to form
        model = getattr(transformers, name)(transformers.AlbertConfig(**{**TINY, **config}))
        model.build_in_name_scope()
        fill(model)
        model.save_pretrained(root / form, **arguments)
        np.savez(root / f"{form}-weights.npz", **parameters(model))
        np.savez(root / f"{form}-says.npz", **says(model, name))
        if form in GOLDEN:
            source, kept = GOLDEN[form]
            (HERE / kept).write_bytes(gzip.compress((root / form / source).read_bytes(), mtime=0))


def read(root: Path) -> list[str]:
    """Read what ``save`` wrote, write it again into ``again``, and return what differs."""
    sys.path.insert(0, str(HERE.parent.parent))
    from albert_export.checkpoints import open_checkpoint
    from albert_export.checkpoints.h5_writing import write_h5
    from albert_export.checkpoints.matching import canonical_name

    wrong: list[str] = []
    for form, (name, _, _) in FORMS.items():
        checkpoint = open_checkpoint(root / form)
        tensors = checkpoint.numpy_tensors()
        stored = {canonical_name(key): value for key, value in np.load(root / f"{form}-weights.npz").items()}
        if sorted(tensors) != sorted(stored):
            wrong.append(f"{form}: names {sorted(set(tensors) ^ set(stored))}")
        wrong += [f"{form}: {key}" for key, value in stored.items() if not np.array_equal(value, tensors[key])]
        again = root / "again" / form
        again.mkdir(parents=True, exist_ok=True)
        checkpoint.config.save_pretrained(again)
        write_h5(again / "tf_model.h5", tensors, config=checkpoint.config, architecture=name)
    return wrong


def load(root: Path) -> list[str]:
    """Load what ``read`` wrote, and return what differs."""
    import transformers  # noqa: TID251

    wrong: list[str] = []
    for form, (name, _, _) in FORMS.items():
        model, info = getattr(transformers, name).from_pretrained(root / "again" / form, output_loading_info=True)
        if any(info.values()):
            wrong.append(f"{form}: {json.dumps({key: sorted(map(str, value)) for key, value in info.items()})}")
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


def main() -> None:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
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
