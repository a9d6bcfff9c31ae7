"""An app that installed ``albert-export[onnxruntime]`` or ``[tflite]``, and nothing else, loads, runs and asks a
bundle."""

from __future__ import annotations

import json

import numpy as np
import pytest

import albert_export
from albert_export.tasks import TASKS
from tests.conftest import Exported
from tests.packaging.environments import Environment

USE = """
import json, sys
import albert_export as ax

bundle, record = sys.argv[1], json.loads(sys.argv[2])
with ax.load(bundle) as session:
    shape = [1] * len(session.inputs[0].axes)
    outputs = session.run(input_ids=[[2, 7, 8, 3]] if len(shape) == 2 else [[[2, 7, 3], [2, 8, 3]]])
    arrays = {name: array.tolist() for name, array in outputs.items()}
with ax.pipeline(bundle) as answer:
    result = answer(record)
heavy = [name for name in ("torch", "onnx", "onnx_ir", "tensorflow", "jax", "transformers") if name in sys.modules]
print(json.dumps({"arrays": arrays, "result": repr(result), "heavy": heavy}))
"""

RECORDS = {
    "feature-extraction": {"text": "The notes are long."},
    "pretraining": {"text": "The notes are long.", "text_pair": "They were written in London."},
    "fill-mask": {"text": "The notes are [MASK]."},
    "text-classification": {"text": "The notes are long."},
    "multiple-choice": {"prompt": "The notes", "choices": ["are long.", "are short."]},
    "token-classification": {"text": "Ada Lovelace lived in London."},
    "question-answering": {"question": "Who?", "context": "Ada Lovelace wrote the notes."},
}


def test_the_app_has_onnxruntime_and_no_framework(with_onnxruntime: Environment) -> None:
    for module, there in (("onnxruntime", True), ("torch", False), ("onnx", False), ("tensorflow", False)):
        assert (with_onnxruntime.run("-c", f"import {module}").returncode == 0) is there


def test_the_phone_s_app_has_litert_and_no_framework(with_litert: Environment) -> None:
    for module, there in (("ai_edge_litert.interpreter", True), ("tensorflow", False), ("onnxruntime", False)):
        assert (with_litert.run("-c", f"import {module}").returncode == 0) is there


@pytest.mark.parametrize("task", ["question-answering", "multiple-choice"])
def test_the_phone_s_app_gets_the_same_numbers(with_litert: Environment, exported: Exported, task: str) -> None:
    bundle = exported(task, "tflite")
    done = with_litert.run("-c", USE, str(bundle), json.dumps(RECORDS[task]))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    told = json.loads(done.stdout)
    assert told["heavy"] == []
    with albert_export.load(bundle) as session:
        ids = [[[2, 7, 3], [2, 8, 3]]] if task == "multiple-choice" else [[2, 7, 8, 3]]
        here = session.run(input_ids=ids)
    for name, array in here.items():
        np.testing.assert_allclose(told["arrays"][name], array, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("task", [task.name for task in TASKS])
def test_an_app_without_a_framework_gets_the_same_numbers(
    with_onnxruntime: Environment, exported: Exported, task: str
) -> None:
    bundle = exported(task)
    done = with_onnxruntime.run("-c", USE, str(bundle), json.dumps(RECORDS[task]))
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["heavy"] == []
    with albert_export.load(bundle) as session:
        ids = [[[2, 7, 3], [2, 8, 3]]] if task == "multiple-choice" else [[2, 7, 8, 3]]
        here = session.run(input_ids=ids)
    assert told["arrays"].keys() == here.keys()
    for name, array in here.items():
        np.testing.assert_allclose(told["arrays"][name], array, rtol=1e-5, atol=1e-5)
    with albert_export.pipeline(bundle) as answer:
        assert type(answer(RECORDS[task])).__name__ in told["result"] or told["result"].startswith("[")


def test_the_command_line_of_the_app_answers(with_onnxruntime: Environment, exported: Exported) -> None:
    record = RECORDS["question-answering"]
    args = ("--question", record["question"], "--context", record["context"], "--json", "-q")
    done = with_onnxruntime.run(
        "-c", "from albert_export.cli import main; main()", "run", str(exported("question-answering")), *args
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["text"] in record["context"]


def test_inspect_needs_neither_framework_nor_runtime(bare: Environment, exported: Exported) -> None:
    done = bare.run("-c", "from albert_export.cli import main; main()", "inspect", str(exported("fill-mask")), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["artifacts"][0]["operators"]["Loop"] == 1


def test_running_without_a_runtime_names_the_extra(bare: Environment, exported: Exported) -> None:
    done = bare.run(
        "-c", "from albert_export.cli import main; main()", "run", str(exported("fill-mask")), "--text", "[MASK]"
    )
    assert done.returncode == 2
    assert "pip install 'albert-export[onnxruntime]'" in done.stderr
    assert done.stderr.count("\n") == 1
