from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.models.flax_models import tiny_flax_model


def run(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TF_", "JAX_"))}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env={**kept, **variables}
    )


@pytest.mark.parametrize("package", ["jax", "flax"])
@pytest.mark.parametrize(
    "use", ["from albert_export import FlaxAlbertForQuestionAnswering", "import albert_export.models.flax_loading"]
)
def test_without_a_package_the_error_names_the_extra(use: str, package: str) -> None:
    done = run(f"import sys; sys.modules[{package!r}] = None; {use}")
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert f"MissingDependencyError: using the Flax models needs the package {package}" in last
    assert "pip install 'albert-export[jax]'" in last


def test_a_model_is_loaded_without_torch_and_without_noise(tmp_path: Path) -> None:
    tiny_flax_model("FlaxAlbertForMaskedLM").save_pretrained(tmp_path, safe_serialization=True)
    done = run(
        "import sys; sys.modules['torch'] = None\n"
        "from albert_export import FlaxAlbertForMaskedLM\n"
        f"model = FlaxAlbertForMaskedLM.from_pretrained({str(tmp_path)!r}, from_pt=True)\n"
        "import logging; logging.getLogger('jax._src.xla_bridge').warning('no accelerator')\n"
        "print(model([[1, 2, 3]]).logits.shape)\n"
    )
    assert (done.stdout, done.stderr, done.returncode) == ("(1, 3, 61)\n", "", 0)


@pytest.mark.parametrize("choice", [{"JAX_LOGGING_LEVEL": "WARNING"}, {}])
def test_who_chose_a_level_is_told_what_jax_logs(choice: dict[str, str]) -> None:
    done = run(
        "import albert_export.models.flax_outputs, logging\n"
        "logging.getLogger('jax._src.xla_bridge').warning('no accelerator')\n",
        **choice,
    )
    assert done.returncode == 0
    assert ("no accelerator" in done.stderr) == bool(choice)
