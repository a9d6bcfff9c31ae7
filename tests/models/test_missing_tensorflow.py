from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.models.tf_models import tiny_tf_model


def run(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TF_", "KERAS_"))}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env={**kept, **variables}
    )


@pytest.mark.parametrize(
    "use",
    [
        "from albert_export import TFAlbertForQuestionAnswering",
        "import albert_export.models.tf_outputs",
        "from albert_export.models.tf_loading import load_eager",
    ],
)
def test_without_tensorflow_the_error_names_the_extra(use: str) -> None:
    done = run(f"import sys; sys.modules['tensorflow'] = None; {use}")
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert "MissingDependencyError: using the TensorFlow models needs the package tensorflow" in last
    assert "pip install 'albert-export[tensorflow]'" in last


def test_a_model_is_loaded_without_torch_and_without_noise(tmp_path: Path) -> None:
    tiny_tf_model("TFAlbertForMaskedLM").save_pretrained(tmp_path, safe_serialization=True)
    done = run(
        "import sys; sys.modules['torch'] = None\n"
        "from albert_export import TFAlbertForMaskedLM\n"
        f"model = TFAlbertForMaskedLM.from_pretrained({str(tmp_path)!r})\n"
        "print(model([[1, 2, 3]]).logits.shape)\n"
    )
    assert (done.stdout, done.stderr, done.returncode) == ("(1, 3, 61)\n", "", 0)


def test_who_chose_a_level_gets_what_tensorflow_prints_at_it() -> None:
    done = run("import albert_export.models.tf_layers", TF_CPP_MIN_LOG_LEVEL="0")
    assert done.returncode == 0
    assert "oneDNN" in done.stderr or "TensorFlow binary" in done.stderr


def test_another_backend_of_keras_is_refused() -> None:
    done = run("import albert_export.models.tf_layers", KERAS_BACKEND="numpy")
    assert done.returncode == 1
    assert "ConfigError: the TensorFlow models need Keras on its TensorFlow backend; received numpy" in done.stderr
