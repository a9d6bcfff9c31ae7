"""Writing ``tf_model.h5`` as transformers 4.37.2 does, by h5py alone; :mod:`.h5_file` tells how a file is laid out."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from albert_export._imports import require
from albert_export.checkpoints.h5_target import errors_kept_from_library
from albert_export.checkpoints.matching import canonical_name
from albert_export.checkpoints.names import TIED_DECODER_BIAS, keras_name, parameters, row_of
from albert_export.checkpoints.writing import replacing
from albert_export.errors import CheckpointError, WeightsMismatchError
from albert_export.tasks import TASKS

if TYPE_CHECKING:
    from albert_export.config import AlbertConfig

#: What the reference writes, and readers may ask for.
KERAS_VERSION = "2.15.0"
#: Larger attributes are cut into numbered ones; the size is HDF5's limit of an object header less Keras's margin.
MAX_ATTRIBUTE_BYTES = 64512
_LISTED_NAMES = 4
#: Order in which the reference's models make their weights, within one layer of a group: ends of names.
_ORDER = (
    "word_embeddings",
    "token_type_embeddings",
    "position_embeddings",
    "embeddings.LayerNorm",
    "embedding_hidden_mapping_in",
    "attention.query",
    "attention.key",
    "attention.value",
    "attention.dense",
    "attention.LayerNorm",
    "ffn",
    "ffn_output",
    "full_layer_layer_norm",
    "pooler",
    "predictions",
    "predictions.decoder",
    "predictions.dense",
    "predictions.LayerNorm",
    "classifier",
    "qa_outputs",
)


def write_h5(
    path: str | os.PathLike[str],
    tensors: Mapping[str, Any],
    *,
    config: AlbertConfig,
    architecture: str,
    further: Iterable[str] = (),
) -> None:
    """Write ``tf_model.h5``, which transformers' class of that name loads without missing or unexpected weights.

    The same tensors give the same bytes. The file replaces an old one at the end, in one step; of weights that
    ``tensors`` makes when asked, one is held at a time.

    Args:
        path: The file.
        tensors: Name, canonical or as in a bare ``AlbertModel``, -> numpy array, linear ones ``[out, in]``; every
            parameter of the classes once. bfloat16, which the format lacks, is written as float32. A bare model's
            pooler may be left out.
        config: Says which parameters there are.
        architecture: One of the seven classes, with or without ``TF`` before its name; it names the file's groups.
        further: Those of them whose heads are stored as well. The reference's classes pass over other heads.

    Raises:
        CheckpointError: A model that the reference's TensorFlow classes do not have, or a failed write.
        WeightsMismatchError: Other parameters or shapes than the architecture's.
        MissingDependencyError: h5py is not installed.
    """
    h5py = require("h5py", needed_for=f"writing {Path(path).name}", extra="convert")
    model = f"TF{architecture.removeprefix('TF')}"
    sources = _checked(tensors, config, [model, *further])
    scope = re.sub("([a-z])([A-Z])", r"\1_\2", re.sub("(.)([A-Z][a-z0-9]+)", r"\1_\2", model)).lower()
    layers: dict[str, list[str]] = {}
    for name in sorted(sources, key=_order):
        layers.setdefault(name.partition(".")[0], []).append(name)
    if "predictions" in layers:
        # The head of the reference holds the embeddings it is tied to, and so a copy of all of them in its file.
        layers["predictions"] += [name for name in layers["albert"] if name.startswith("albert.embeddings.")]
    with (
        replacing(Path(path)) as unfinished,
        errors_kept_from_library(unfinished) as target,
        h5py.File(target, "w") as file,
    ):
        _write_strings(file, "layer_names", list(layers))
        file.attrs["backend"] = b"tensorflow"
        file.attrs["keras_version"] = KERAS_VERSION.encode()
        for layer in sorted(layers):
            group = file.create_group(layer)
            places = {f"{scope}/{keras_name(name)}": name for name in layers[layer]}
            _write_strings(group, "weight_names", list(places))
            for place, name in places.items():
                _write_weight(group, place, name, tensors[sources[name]])
        _write_strings(file.create_group("top_level_model_weights"), "weight_names", [])


def _checked(tensors: Mapping[str, Any], config: AlbertConfig, models: Sequence[str]) -> dict[str, str]:
    """Return canonical name -> name in ``tensors``, with the decoder's bias beside the head's."""
    if config.pruned_heads:
        raise CheckpointError(
            "tf_model.h5 can hold what the reference's TensorFlow models have, which is every attention head",
            received=f"pruned_heads={config.pruned_heads}",
            fix="save safetensors, which hold pruned models",
        )
    wanted: dict[str, tuple[int, ...]] = {}
    needed: set[str] = set()
    for model in models:
        task = next((task for task in TASKS if task.tensorflow_class == model), None)
        if task is None:
            raise CheckpointError("tf_model.h5 must be of one of the seven classes", received=model)
        wanted |= parameters(config, task)
        needed |= parameters(config, task, pooler=False).keys()
    sources = {canonical_name(name): name for name in tensors}
    decoders, heads = TIED_DECODER_BIAS
    if heads in sources:
        sources.pop(decoders, None)  # the same once more
    unknown = [name for name in wanted if keras_name(name) is None]
    if unknown:
        raise CheckpointError(
            "tf_model.h5 can hold what the reference's TensorFlow models have",
            received=", ".join(unknown[:_LISTED_NAMES]),
            fix="save safetensors, which hold relative positions and decoders of their own",
        )
    shapes = {name: tuple(tensors[source].shape) for name, source in sources.items()}
    missing = needed - shapes.keys()
    differing = [
        f"{name}: {list(shapes[name])} against {list(wanted[name])}"
        for name in wanted.keys() & shapes.keys()
        if shapes[name] != wanted[name]
    ]
    if missing or differing or shapes.keys() - wanted.keys():
        raise WeightsMismatchError(
            f"tf_model.h5 must hold the weights of {', '.join(dict.fromkeys(models))}",
            missing=missing,
            unexpected=shapes.keys() - wanted.keys(),
            mismatched=differing,
        )
    if heads in sources:
        sources[decoders] = sources[heads]
    return sources


def _order(name: str) -> tuple[int, tuple[int, ...], int, bool]:
    """Return what sorts names as the reference's models make their weights."""
    path, _, last = name.rpartition(".")
    numbers = tuple(int(number) for number in re.findall(r"(?:_groups|_layers)\.(\d+)", name))
    stage = 0 if ".embedding" in name else 1 if numbers else 2
    return stage, numbers, next(place for place, end in enumerate(_ORDER) if path.endswith(end)), last == "bias"


def _write_strings(node: Any, name: str, texts: Sequence[str]) -> None:
    import numpy as np

    encoded = [text.encode("utf-8") for text in texts]
    array = np.asarray(encoded)
    if array.nbytes <= MAX_ATTRIBUTE_BYTES:
        node.attrs[name] = encoded
        return
    count = 2
    while any(part.nbytes > MAX_ATTRIBUTE_BYTES for part in np.array_split(array, count)):
        count += 1
    for number, part in enumerate(np.array_split(array, count)):
        node.attrs[f"{name}{number}"] = part


def _write_weight(group: Any, place: str, name: str, tensor: Any) -> None:
    import numpy as np

    array = np.asarray(tensor)
    if array.dtype.name == "bfloat16":
        array = array.astype(np.float32)
    row = row_of(name)
    if row is not None and row.linear:
        array = array.T
    group.create_dataset(place, array.shape, dtype=array.dtype)[:] = array
