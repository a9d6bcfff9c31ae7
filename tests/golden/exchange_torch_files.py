"""Show that files and random numbers are the same here and in transformers 4.37.2, in both directions.

Each command runs in either environment: the project's own, or one that has transformers 4.37.2 and torch of the same
version. ``write`` makes checkpoints of every class and form and notes what they compute; ``read`` loads them with
the library at hand and compares outputs, file contents, fresh weights and dropout::

    python tests/golden/exchange_torch_files.py write DIR transformers     (in the other environment)
    python tests/golden/exchange_torch_files.py read  DIR albert_export    (in this one; then the other way round)

It is no test of the suite, because it needs both environments; its result on the day of the recording is that all
comparisons hold.
"""

from __future__ import annotations

import importlib
import json
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))

from safetensors import safe_open
from seeded_weights import TINY, fill

CLASSES = (
    "AlbertModel",
    "AlbertForPreTraining",
    "AlbertForMaskedLM",
    "AlbertForSequenceClassification",
    "AlbertForMultipleChoice",
    "AlbertForTokenClassification",
    "AlbertForQuestionAnswering",
)
SIX = {"num_hidden_layers": 6, "num_hidden_groups": 2, "inner_group_num": 2}
DROPOUT = {"hidden_dropout_prob": 0.3, "attention_probs_dropout_prob": 0.2, "classifier_dropout_prob": 0.5}
#: Heads and pooler that the checkpoint of the first class lacks for the second.
FRESH = (
    ("AlbertForMaskedLM", "AlbertForSequenceClassification"),
    ("AlbertForSequenceClassification", "AlbertForMaskedLM"),
    ("AlbertModel", "AlbertForPreTraining"),
    ("AlbertForPreTraining", "AlbertForQuestionAnswering"),
    ("AlbertForQuestionAnswering", "AlbertModel"),
)


def forms() -> dict[str, tuple[str, dict[str, Any], dict[str, Any]]]:
    """Return name -> (class, configuration, arguments of save_pretrained)."""
    found: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {}
    for name in CLASSES:
        found[f"{name}-safetensors"] = (name, {}, {})
        found[f"{name}-bin"] = (name, {}, {"safe_serialization": False})
        found[f"{name}-shards"] = (name, SIX, {"max_shard_size": "3KB"})
        found[f"{name}-bin-shards"] = (name, SIX, {"max_shard_size": "3KB", "safe_serialization": False})
        found[f"{name}-pruned"] = (name, {**SIX, "pruned_heads": {1: [0, 2], 3: [1]}}, {})
        found[f"{name}-relative"] = (name, {"position_embedding_type": "relative_key_query"}, {})
        found[f"{name}-labels"] = (name, {"id2label": {0: "a", 1: "b"}, "label2id": {"a": 0, "b": 1}}, {})
        found[f"{name}-half"] = (name, {"torch_dtype": "float16"}, {})
    for name in ("AlbertForPreTraining", "AlbertForMaskedLM"):
        for kind, arguments in {"untied": {}, "untied-bin": {"safe_serialization": False}}.items():
            found[f"{name}-{kind}"] = (name, {"tie_word_embeddings": False}, arguments)
    return found


def ids(name: str) -> torch.Tensor:
    shape = (2, 3, 7) if name == "AlbertForMultipleChoice" else (2, 7)
    return torch.from_numpy(np.random.RandomState(9).randint(0, 61, shape))


def first_outputs(model: torch.nn.Module, name: str) -> dict[str, np.ndarray]:
    with torch.no_grad():
        return {key: value.float().numpy() for key, value in model(ids(name)).items() if value is not None}


def parameters(model: torch.nn.Module) -> dict[str, np.ndarray]:
    return {name: tensor.float().numpy() for name, tensor in model.state_dict().items()}


def seeded(library: Any, name: str) -> dict[str, np.ndarray]:
    """Return fresh weights and a training step's outputs, both from seed 0."""
    torch.manual_seed(0)
    model = getattr(library, name)(library.AlbertConfig(**{**TINY, **SIX, **DROPOUT}))
    weights = parameters(model)
    outputs = first_outputs(model.train(), name)
    return {**weights, **{f"output {key}": value for key, value in outputs.items()}}


def contents(directory: Path) -> dict[str, Any]:
    """Return what the weight files of a checkpoint hold, by file."""
    found: dict[str, Any] = {}
    if (directory / "pytorch_model.bin.index.json").exists():
        # The reference puts tied copies into one shard, so that its shards are cut elsewhere.
        return {"names": sorted(json.loads((directory / "pytorch_model.bin.index.json").read_text())["weight_map"])}
    for path in sorted(directory.iterdir()):
        if path.suffix == ".safetensors":
            with safe_open(path, framework="pt") as file:
                found[path.name] = [sorted(file.keys()), file.metadata()]
        elif path.suffix == ".bin":
            found[path.name] = [sorted(torch.load(path, weights_only=True)), None]
        elif path.name.endswith(".index.json"):
            found[path.name] = json.loads(path.read_text())
    return found


def build(library: Any, name: str, config: dict[str, Any]) -> Any:
    model = getattr(library, name)(library.AlbertConfig(**{**TINY, **config})).eval()
    fill(model)
    return model.half() if config.get("torch_dtype") == "float16" else model


def fresh_head(library: Any, root: Path, source: str, target: str) -> tuple[dict[str, np.ndarray], list[Any]]:
    torch.manual_seed(3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model, info = getattr(library, target).from_pretrained(
            root / f"{source}-safetensors", output_loading_info=True, num_labels=2
        )
    # The reference lists the decoder's bias besides the head's, which it is, and prefixes the names of a bare model.
    missing = {name.removeprefix("albert.") for name in info["missing_keys"]} - {"predictions.decoder.bias"}
    # It also draws numbers for a tied decoder, and drops them; what comes after differs.
    weights = {name: value for name, value in parameters(model).items() if not name.startswith("sop_classifier.")}
    return weights, [sorted(missing), sorted(info["unexpected_keys"])]


def write(root: Path, library: Any) -> None:
    for form, (name, config, arguments) in forms().items():
        model = build(library, name, config)
        model.save_pretrained(root / form, **arguments)
        np.savez(root / f"{form}.npz", **first_outputs(model.float(), name))
    for name in CLASSES:
        np.savez(root / f"seeded-{name}.npz", **seeded(library, name))
    for source, target in FRESH:
        weights, keys = fresh_head(library, root, source, target)
        np.savez(root / f"fresh-{source}-{target}.npz", **weights)
        (root / f"fresh-{source}-{target}.json").write_text(json.dumps(keys))


def read(root: Path, library: Any) -> list[str]:
    """Return what differs."""
    wrong: list[str] = []

    def same(what: str, one: Any, other: Any) -> None:
        if one != other:
            wrong.append(f"{what}: {one} against {other}")

    def close(what: str, ours: dict[str, np.ndarray], path: Path, tolerance: float) -> None:
        theirs = np.load(path)
        same(f"{what} names", sorted(ours), sorted(theirs.files))
        for key in theirs.files:
            difference = float(np.abs(ours[key] - theirs[key]).max(initial=0.0))
            if not difference <= tolerance:
                wrong.append(f"{what} {key}: differs by {difference}")

    for form, (name, config, arguments) in forms().items():
        model = getattr(library, name).from_pretrained(root / form)
        close(form, first_outputs(model, name), root / f"{form}.npz", 2e-5)
        same(f"{form} labels", model.config.id2label, config.get("id2label", {0: "LABEL_0", 1: "LABEL_1"}))
        again = root / "again" / form
        build(library, name, config).save_pretrained(again, **arguments)
        same(f"{form} files", contents(again), contents(root / form))
        configs = [json.loads((place / form / "config.json").read_text()) for place in (root, root / "again")]
        for key in ("architectures", "torch_dtype", "pruned_heads", "id2label", "label2id", "hidden_act", "vocab_size"):
            # a key at its default may be left out
            if all(key in fields for fields in configs):
                same(f"{form} config {key}", configs[0][key], configs[1][key])
    for name in CLASSES:
        close(f"seeded {name}", seeded(library, name), root / f"seeded-{name}.npz", 5e-6)
    for source, target in FRESH:
        weights, keys = fresh_head(library, root, source, target)
        close(f"fresh {source} {target}", weights, root / f"fresh-{source}-{target}.npz", 0.0)
        same(f"fresh {source} {target} keys", keys, json.loads((root / f"fresh-{source}-{target}.json").read_text()))
    return wrong


def main() -> None:
    command, directory, package = sys.argv[1:]
    torch.set_num_threads(1)
    library = importlib.import_module(package)
    root = Path(directory)
    root.mkdir(parents=True, exist_ok=True)
    if command == "write":
        write(root, library)
        print("wrote", len(forms()), "checkpoints")
        return
    wrong = read(root, library)
    print(
        "\n".join(wrong) or f"all of {len(forms())} checkpoints, {len(CLASSES)} seeds, {len(FRESH)} fresh heads agree"
    )
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
