"""The directories in which Google released ALBERT: which checkpoint lies there, and what its configuration means here.

A release has ``model.ckpt-best.index`` and its shards, ``albert_config.json`` and ``30k-clean.model``; the Chinese ones
have ``vocab_chinese.txt``; an export to TF Hub has ``variables/variables.index`` and the rest in ``assets/``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from albert_export.checkpoints.tf1_layout import read_weights
from albert_export.config import read_json
from albert_export.errors import CheckpointError, ConfigError

CONFIG_NAME = "albert_config.json"
#: Where the configuration and the vocabulary lie, in a release and in an export to TF Hub.
PLACES = ("", "assets")
_SAVED_MODEL = Path("variables", "variables.index")
_SUFFIX = ".index"
#: The file in which TensorFlow notes which checkpoint is the latest.
_STATE_NAME = "checkpoint"
_BEST = "model.ckpt-best"
_LATEST = re.compile(r'^model_checkpoint_path:\s*"([^"]*)"', re.MULTILINE)
#: Name of a tokenizer's file here -> its name in the releases, and the pattern of others that Google published.
_VOCABULARIES = {"spiece.model": ("30k-clean.model", "*.model"), "vocab.txt": ("vocab_chinese.txt", "vocab*.txt")}
#: Google's name of an activation -> what its code computes, by the name it has here.
_ACTIVATIONS = {"gelu": "gelu_new", "relu": "relu"}


def find_index(directory: Path) -> Path | None:
    """Return ``PREFIX.index`` of the checkpoint in a directory; None when there is none.

    Of several, the one that the file ``checkpoint`` names is taken, else ``model.ckpt-best``.

    Raises:
        CheckpointError: There are several, and nothing tells which is meant.
    """
    try:
        names = sorted(path.name for path in directory.iterdir() if path.name.endswith(_SUFFIX))
    except OSError as error:
        raise CheckpointError("a checkpoint must be readable", received=str(error)) from error
    if not names:
        index = directory / _SAVED_MODEL
        return index if index.is_file() else None
    if len(names) == 1:
        return directory / names[0]
    for prefix in (_latest(directory / _STATE_NAME), _BEST):
        if f"{prefix}{_SUFFIX}" in names:
            return directory / f"{prefix}{_SUFFIX}"
    raise CheckpointError(
        "a directory must tell which of its TensorFlow 1 checkpoints is meant",
        received=", ".join(name.removesuffix(_SUFFIX) for name in names),
        fix=f"give the path of one, such as {directory.name}/{names[-1].removesuffix(_SUFFIX)}",
    )


def _latest(state: Path) -> str | None:
    """Return the prefix that a ``checkpoint`` file names, whatever directory it was written for."""
    try:
        found = _LATEST.search(state.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # none, or none of TensorFlow's
        return None
    return None if found is None else re.split(r"[/\\]", found[1])[-1]


def find_config(directory: Path) -> Path | None:
    """Return Google's configuration in a directory; None when there is none."""
    paths = (directory / place / CONFIG_NAME for place in PLACES)
    return next((path for path in paths if path.is_file()), None)


def find_vocabularies(directory: Path) -> dict[str, Path]:
    """Return name of a tokenizer's file here -> the file that a release has for it.

    For ``spiece.model`` that is ``30k-clean.model``, else the only ``.model``; for ``vocab.txt`` it is
    ``vocab_chinese.txt``, else the only ``vocab*.txt``. A directory with a name of ours in it, or without
    ``albert_config.json``, is no release.
    """
    if find_config(directory) is None or any((directory / name).is_file() for name in _VOCABULARIES):
        return {}
    found: dict[str, Path] = {}
    for name, (released, pattern) in _VOCABULARIES.items():
        for place in PLACES:
            paths = sorted((directory / place).glob(pattern))
            usual = [path for path in paths if path.name == released]
            if usual or len(paths) == 1:
                found.setdefault(name, (usual or paths)[0])
    return found


def read_config_fields(path: Path, index: Path | None = None) -> dict[str, Any]:
    """Return the fields of :class:`AlbertConfig` that Google's file gives; those of other code are among them.

    Args:
        path: ``albert_config.json``.
        index: The checkpoint's; a classifier in it tells the number of labels, which the file does not.

    Raises:
        ConfigError: It is no JSON object, or asks for an activation that ALBERT has not.
        CheckpointError: The index is damaged.
    """
    fields = read_json(path)
    if not isinstance(fields, dict):
        raise ConfigError(f"{path.name} must be a JSON object", received=type(fields).__name__)
    activation = fields.get("hidden_act", "gelu")
    if not isinstance(activation, str) or activation not in _ACTIVATIONS:
        raise ConfigError(
            f"hidden_act in {path.name} must be one of {', '.join(_ACTIVATIONS)}", received=repr(activation)
        )
    fields["hidden_act"] = _ACTIVATIONS[activation]
    weights = {} if index is None else read_weights(index)
    if "classifier.bias" in weights and len(weights["classifier.bias"].shape) == 1:
        fields.setdefault("num_labels", weights["classifier.bias"].shape[0])
    fields.setdefault("architectures", [_architecture(set(weights))])
    return fields


def _architecture(names: set[str]) -> str:
    """Return the class that Google's code would have trained."""
    if "qa_outputs.weight" in names:
        return "AlbertForQuestionAnswering"
    if "classifier.weight" in names:
        return "AlbertForSequenceClassification"
    if "predictions.bias" in names:
        return "AlbertForPreTraining" if "sop_classifier.classifier.weight" in names else "AlbertForMaskedLM"
    return "AlbertModel"
