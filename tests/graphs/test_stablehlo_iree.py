"""The portable StableHLO in another reader than JAX: compiled and run by IREE, in a process without this package."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from albert_export.graphs.stablehlo_emitter import emit_stablehlo
from albert_export.tasks import get_task
from tests.graphs.flax_models import eager_outputs, inputs, tiny_model, worst_relative_error

CLIENT = Path(__file__).parents[1] / "clients" / "ask_iree.py"


@pytest.mark.parametrize(("task", "layers"), [("question-answering", "rolled"), ("pretraining", "unrolled")])
def test_iree_computes_what_the_eager_model_does(task: str, layers: str, tmp_path: Path) -> None:
    task_row = get_task(task)
    model = tiny_model(task_row)
    sizes = {"batch": 2, "sequence": 9}
    emitted = emit_stablehlo(model, task_row, tmp_path / "model.jax", layers=layers, sizes=sizes)
    feed = inputs(task_row, 2, 1, 9)
    names = [spec.name for spec in task_row.outputs]
    record = {name: array.tolist() for name, array in feed.items()}
    job = {"files": [str(file) for file in emitted.files], "outputs": names, "records": [record]}
    done = subprocess.run(
        [sys.executable, str(CLIENT)],
        input=json.dumps([job]),
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    ((answer,),) = json.loads(done.stdout)
    found = [np.asarray(answer[name], np.float32) for name in names]
    expected = eager_outputs(model, task_row, feed)
    assert worst_relative_error(found, expected) < 1e-4
    assert worst_relative_error(found, [-output for output in expected]) > 0.1
    feed["attention_mask"][:] = 1
    assert worst_relative_error(found, eager_outputs(model, task_row, feed)) > 1e-3
