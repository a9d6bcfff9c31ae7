from __future__ import annotations

import subprocess
import sys

import pytest

HIDE = "import sys; sys.modules['torch'] = None; "


@pytest.mark.parametrize(
    "use",
    [
        "from albert_export import AlbertForQuestionAnswering",
        "import albert_export.models.torch_outputs",
        "from albert_export.models.torch_pretrained import load_eager",
    ],
)
def test_without_torch_the_error_names_the_extra(use: str) -> None:
    run = subprocess.run([sys.executable, "-c", HIDE + use], capture_output=True, text=True, check=False)
    assert run.returncode == 1
    last = run.stderr.strip().splitlines()[-1]
    assert "MissingDependencyError: using the PyTorch models needs the package torch" in last
    assert "pip install 'albert-export[onnx]'" in last
