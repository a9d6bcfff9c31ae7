"""THE TABLE of clients: how each is asked, on which tasks and forms, and what its answers must be.

Each has a program ``ask_NAME`` that runs in an environment of the client's own. It reads jobs as a JSON list on its
standard input and prints, last, a JSON list with a list of answers for each. A job is an object:

=============== ====================================================================================================
``directory``   the bundle, or the layout that ``albert-export bundle --for`` made of it
``file``        the artifact's main file; ``files``: that and all that belongs to it
``task``        name of the task; ``precision``: of the artifact; ``outputs``: their names in the task's order
``records``     questions as in ``questions.py``; for clients that take ids, inputs by name as nested lists
=============== ====================================================================================================
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from albert_export.parity.criteria import Criterion
from tests.clients.arm64 import arm64_python
from tests.clients.asking import Asked, plain_texts, rows, shown_texts, spans, texts, whole_answers
from tests.clients.browsers import ask_in_browser
from tests.clients.bundles import Form
from tests.clients.comparing import OUTPUTS, OUTPUTS_ELSEWHERE, PROBABILITIES
from tests.clients.environments import HERE, ClientError, needed_program, node_environment, python_environment
from tests.clients.questions import FIELDS

Job = dict[str, Any]
Ask = Callable[[list[Job]], list[list[dict[str, Any]]]]

#: A client must not look for anything elsewhere, and must not take both processors of a small machine for itself.
VARIABLES = {
    "HF_HUB_OFFLINE": "1",
    "OMP_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}
#: Seconds for all jobs of a client.
LONGEST = 900


@dataclass(frozen=True)
class Client:
    """One program that reads bundles. Rows with the same name are told apart by their forms.

    Attributes:
        name: What ``make test-clients CLIENTS=…`` calls it.
        ask: Gives it jobs, and returns its answers to each.
        tasks: Tasks that it is asked.
        forms: Forms of the bundle, names in ``bundles.FORMS``; each is asked.
        asked: What it is asked of a form, and what ours answers.
        tolerances: Largest difference of a number, or the criterion of outputs, by precision.
        layout: The consumer whose layout it opens; None for the bundle as it is.
    """

    name: str
    ask: Ask
    tasks: tuple[str, ...]
    forms: tuple[str, ...]
    asked: Callable[[Path, str, Form], Asked]
    tolerances: Mapping[str, float | Criterion]
    layout: str | None = None


def in_python(name: str, *, python: str | None = None) -> Ask:
    """Ask by ``ask_NAME.py`` in the environment NAME."""

    def ask(jobs: list[Job]) -> Any:
        program = HERE / f"ask_{name.replace('-', '_')}.py"
        return _run([str(python_environment(name, python=python)), str(program)], jobs)

    return ask


def under_qemu(jobs: list[Job]) -> Any:
    """Ask by ``ask_arm64.py`` in an arm64 Python."""
    return _run([*arm64_python(), str(HERE / "ask_arm64.py")], jobs)


def in_node(program: str) -> Ask:
    """Ask by a program in Node."""

    def ask(jobs: list[Job]) -> Any:
        return _run([needed_program("node"), str(HERE / program), str(node_environment())], jobs)

    return ask


def in_chromium(client: str, *, library: str, wasm: str) -> Ask:
    """Ask a library, and the folder with its WebAssembly, in Chromium; both are paths below ``node_modules``."""

    def ask(jobs: list[Job]) -> Any:
        modules = node_environment() / "node_modules"
        # The page gets addresses for paths: directory number 3 is /models/3.
        sites = {f"models/{number}": Path(job["directory"]) for number, job in enumerate(jobs)}
        placed = [
            {**job, "directory": f"/{site}", "file": f"/{site}/{Path(job['file']).relative_to(directory).as_posix()}"}
            for job, (site, directory) in zip(jobs, sites.items(), strict=True)
        ]
        request = {"client": client, "library": f"/modules/{library}", "wasm": f"/modules/{wasm}/", "jobs": placed}
        return ask_in_browser(request, {"modules": modules, "clients": HERE, **sites})

    return ask


def _run(command: list[str], jobs: list[Job]) -> Any:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    # A group of its own: a browser or server that it has started ends with it.
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env={**kept, **VARIABLES}, start_new_session=True
    )
    try:
        stdout, stderr = process.communicate(json.dumps(jobs), timeout=LONGEST)
    except subprocess.TimeoutExpired:
        raise ClientError(f"it had not answered after {LONGEST} seconds") from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.returncode != 0:
        raise ClientError(f"exit code {process.returncode}: {stderr[-4000:]}{stdout[-2000:]}")
    return json.loads(stdout.splitlines()[-1])


ONNX = ("fp32", "fp16", "int8")
#: Every number of a run is compared: one for each word of a vocabulary, at each token, is too much to hand on.
OF_ROWS = tuple(task for task in FIELDS if task != "fill-mask")
#: Enough for forms that take long to export.
SOME = ("question-answering", "text-classification", "token-classification")
#: Those that the client has a pipeline for.
OF_TRANSFORMERSJS = tuple(task for task in FIELDS if task != "multiple-choice")
TRANSFORMERSJS = "@huggingface/transformers"

TASK_LIBRARY = in_python("task-library", python="3.11")

CLIENTS = (
    Client("optimum", in_python("optimum"), tuple(FIELDS), ONNX, texts, PROBABILITIES),
    Client(
        "transformersjs",
        in_node("ask_transformersjs.mjs"),
        OF_TRANSFORMERSJS,
        ONNX,
        shown_texts,
        PROBABILITIES,
        layout="transformersjs",
    ),
    Client("onnxruntime-node", in_node("ask_onnxruntime.mjs"), OF_ROWS, ONNX, rows, OUTPUTS),
    Client("openvino", in_python("openvino"), OF_ROWS, ONNX, rows, OUTPUTS),
    Client("openvino", in_python("openvino"), SOME, ("tflite",), rows, OUTPUTS),
    Client("tensorflow", in_python("tensorflow"), SOME, ("savedmodel",), rows, OUTPUTS),
    # Its kernels for int8 are older ones: answers of question answering are not always the same.
    Client("task-library", TASK_LIBRARY, ("question-answering",), ("task-library",), spans, OUTPUTS),
    Client(
        "task-library",
        TASK_LIBRARY,
        ("text-classification",),
        ("task-library", "task-library-int8"),
        plain_texts,
        PROBABILITIES,
    ),
    Client(
        "mediapipe",
        in_python("mediapipe"),
        ("text-classification",),
        ("mediapipe", "mediapipe-int8"),
        plain_texts,
        PROBABILITIES,
    ),
    Client("iree", in_python("iree"), ("question-answering", "text-classification"), ("stablehlo",), rows, OUTPUTS),
    *(
        Client("arm64", under_qemu, ("text-classification", "feature-extraction"), forms, rows, OUTPUTS_ELSEWHERE)
        for forms in (("fp32", "int8"), ("tflite", "tflite-int8"))
    ),
    *(
        Client(
            "triton",
            in_python("triton", python="3.11"),
            ("question-answering", "text-classification"),
            (form,),
            rows,
            OUTPUTS,
            layout="triton",
        )
        for form in ("fp32", "int8")
    ),
    Client(
        "transformersjs-chromium",
        in_chromium(
            "transformersjs",
            library=f"{TRANSFORMERSJS}/dist/transformers.min.js",
            wasm=f"{TRANSFORMERSJS}/node_modules/onnxruntime-web/dist",
        ),
        OF_TRANSFORMERSJS,
        ONNX,
        shown_texts,
        PROBABILITIES,
        layout="transformersjs",
    ),
    *(
        Client(
            "page",
            in_python("page"),
            ("question-answering",),
            (form,),
            whole_answers,
            PROBABILITIES,
            layout="web",
        )
        for form in ("int8", "fp32", "fp16")
    ),
    Client(
        "onnxruntime-web",
        in_chromium("onnxruntime", library="onnxruntime-web/dist/ort.wasm.bundle.min.mjs", wasm="onnxruntime-web/dist"),
        OF_ROWS,
        ONNX,
        rows,
        OUTPUTS,
    ),
)
