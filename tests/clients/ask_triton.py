"""Run a Triton model repository in Triton's own server. What it reads and prints: ``clients.py``.

The server of nvidia-pytriton has the Python backend only. Everything else of ``config.pbtxt`` is read as it is written:
names, types and shapes of the tensors, batching, instance groups. In the place of ONNX Runtime's backend stands a
program of its Python backend, which gives each request to ONNX Runtime by itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytriton

SERVER = Path(pytriton.__file__).parent / "tritonserver"
#: Libraries of the stub, which looks for them beside the place that it was installed at.
LIBRARIES = SERVER.parents[1] / "nvidia_pytriton.libs"
STUB = SERVER / "python_backend_stubs" / f"{sys.version_info.major}.{sys.version_info.minor}"
#: Seconds for the server to load a model.
LONGEST = 120

ONNX_BACKEND = 'backend: "onnxruntime"'
PROGRAM = """
from pathlib import Path

import onnxruntime
import triton_python_backend_utils as triton


class TritonPythonModel:
    def initialize(self, args):
        file = Path(args["model_repository"], args["model_version"], "model.onnx")
        self.session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
        self.inputs = [tensor.name for tensor in self.session.get_inputs()]
        self.outputs = [tensor.name for tensor in self.session.get_outputs()]

    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        given = {name: triton.get_input_tensor_by_name(request, name).as_numpy() for name in self.inputs}
        found = self.session.run(self.outputs, given)
        return triton.InferenceResponse([triton.Tensor(*pair) for pair in zip(self.outputs, found)])
"""


def answer(job: dict[str, Any]) -> list[dict[str, Any]]:
    """Serve the repository, and send its records."""
    with tempfile.TemporaryDirectory() as folder:
        repository, backends = Path(folder, "repository"), Path(folder, "backends")
        shutil.copytree(job["directory"], repository)
        (model,) = repository.iterdir()
        config = (model / "config.pbtxt").read_text()
        if ONNX_BACKEND not in config:
            raise SystemExit(f"{model.name}/config.pbtxt must name the backend of ONNX Runtime: {config}")
        (model / "config.pbtxt").write_text(config.replace(ONNX_BACKEND, 'backend: "python"'))
        (model / "1" / "model.py").write_text(PROGRAM)
        shutil.copytree(SERVER / "backends", backends)
        shutil.copytree(STUB, backends / "python", dirs_exist_ok=True)
        with served(repository, backends) as address:
            return [asked(f"{address}/v2/models/{model.name}/infer", record) for record in job["records"]]


@contextlib.contextmanager
def served(repository: Path, backends: Path) -> Iterator[str]:
    """Run the server; yield its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        str(SERVER / "bin" / "tritonserver"),
        f"--model-repository={repository}",
        f"--backend-directory={backends}",
        "--http-address=127.0.0.1",
        f"--http-port={port}",
        "--allow-grpc=false",
        "--allow-metrics=false",
    ]
    # Its Python finds its packages by the first python on PATH.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    variables = {**os.environ, "PATH": path, "LD_LIBRARY_PATH": str(LIBRARIES)}
    log = repository.parent / "log"
    with log.open("wb") as told:
        server = subprocess.Popen(command, env=variables, stdout=told, stderr=told)
    try:
        address = f"http://127.0.0.1:{port}"
        end = time.monotonic() + LONGEST
        while not ready(address):
            if server.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"the server does not serve: {log.read_text(errors='replace')[-4000:]}")
            time.sleep(0.2)
        yield address
    finally:
        server.terminate()
        try:
            server.wait(timeout=60)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def ready(address: str) -> bool:
    """Whether the server has loaded its models."""
    try:
        with urllib.request.urlopen(f"{address}/v2/health/ready", timeout=10) as response:
            return bool(response.status == 200)
    except (OSError, HTTPException):  # refused, or closed again while it starts
        return False


def asked(address: str, record: dict[str, Any]) -> dict[str, Any]:
    """Send the inputs of one run, and return its outputs as nested lists."""
    inputs = [
        {"name": name, "shape": [len(rows), len(rows[0])], "datatype": "INT64", "data": rows}
        for name, rows in record.items()
    ]
    request = urllib.request.Request(address, json.dumps({"inputs": inputs}).encode())
    with urllib.request.urlopen(request, timeout=60) as response:
        outputs = json.load(response)["outputs"]
    return {output["name"]: nested(output["data"], output["shape"]) for output in outputs}


def nested(numbers: list[float], shape: list[int]) -> Any:
    """Return a flat list as nested ones."""
    if len(shape) < 2:
        return numbers
    size = len(numbers) // shape[0]
    return [nested(numbers[row * size : (row + 1) * size], shape[1:]) for row in range(shape[0])]


if __name__ == "__main__":
    print(json.dumps([answer(job) for job in json.load(sys.stdin)]))
