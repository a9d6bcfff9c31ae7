"""Record what transformers' PyTorch ALBERT computes, for every class and variant, into torch_models.{json,npz}.

Run in an environment of its own, which has transformers 4.37.2, torch and numpy::

    python tests/golden/record_torch_models.py

Weights come from ``seeded_weights``, so that only inputs and outputs are stored. The index names the versions and the
day; a case's arrays lie in the archive under ``<case>/in/…``, ``<case>/out/…`` and ``<case>/grad``.
"""

from __future__ import annotations

import copy
import datetime
import platform
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers  # noqa: TID251

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from model_cases import as_lines, cases  # noqa: E402
from seeded_weights import fill  # noqa: E402


def run(spec: dict[str, Any]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return the arrays of a case and what the index says of its result."""
    config = transformers.AlbertConfig(**copy.deepcopy(spec["config"]))  # pruning writes into it
    model = getattr(transformers, spec["model"])(config, **spec.get("init", {}))
    if "resize" in spec:
        fill(model)  # surgery keeps these
        model.resize_token_embeddings(**spec["resize"])
    if "prune" in spec:
        fill(model)
        model.prune_heads(spec["prune"])
    if "resize" not in spec and "prune" not in spec:
        fill(model)
    model.train(spec.get("train", False))
    inputs = {name: torch.from_numpy(value) for name, value in spec["inputs"].items()}
    output = model(**inputs, **spec.get("call", {}))
    fields = list(output.items()) if isinstance(output, dict) else [(str(i), value) for i, value in enumerate(output)]
    arrays: dict[str, np.ndarray] = {}
    kinds: dict[str, str] = {}
    loss = output.get("loss") if isinstance(output, dict) else None
    for name, value in fields:
        if value is None:
            kinds[name] = "none"
        elif isinstance(value, tuple):
            kinds[name] = f"tuple of {len(value)}"
            # pruned heads make the attentions of different layers different in shape
            arrays.update({f"out/{name}/{i}": tensor.detach().numpy() for i, tensor in enumerate(value)})
        else:
            kinds[name] = "tensor"
            array = value.detach().numpy()
            if "keep" in spec and array.ndim == 3:
                array = array[..., : spec["keep"]]
            arrays[f"out/{name}"] = array
    result: dict[str, Any] = {
        "fields": kinds,
        "parameters": {name: "x".join(map(str, parameter.shape)) for name, parameter in model.named_parameters()},
        "config_after": {
            "problem_type": config.problem_type,
            "vocab_size": config.vocab_size,
            "pruned_heads": {str(layer): sorted(heads) for layer, heads in config.pruned_heads.items()},
        },
    }
    if loss is not None and torch.isfinite(loss):
        loss.backward()
        arrays["grad"] = np.array(
            [0.0 if p.grad is None else float(p.grad.double().norm()) for p in model.parameters()], np.float64
        )
    arrays.update({f"in/{name}": value for name, value in spec["inputs"].items()})
    return arrays, result


def main() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    index: dict[str, Any] = {
        "recorded": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "versions": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        },
        "cases": {},
    }
    archive: dict[str, np.ndarray] = {}
    for name, spec in cases().items():
        arrays, result = run(spec)
        archive.update({f"{name}/{key}": value for key, value in arrays.items()})
        settings = {key: value for key, value in spec.items() if key != "inputs"}
        index["cases"][name] = {**settings, **result}
    (HERE / "torch_models.json").write_text(as_lines(index), encoding="utf-8")
    np.savez_compressed(HERE / "torch_models.npz", **archive)
    print(len(index["cases"]), "cases")


if __name__ == "__main__":
    main()
