"""The process that measures one model of a peer, in the peer's own runtime; see :mod:`albert_export.bench.serving`.

It runs in the environment of the peers, or in ours for TFLite, and needs numpy and that runtime alone. To ``load`` it
takes ``runtime`` (``onnxruntime``, ``openvino`` or ``litert``), ``file``, ``threads``, and for OpenVINO ``precision``,
in which it computes, or null for its own choice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import metadata
from typing import Any

from albert_export.bench.serving import Array, Loaded, serve

Request = Mapping[str, Any]


def prepare(request: Request) -> Callable[[], Loaded]:
    """Import the runtime, and return what loads the model."""
    return _RUNTIMES[request["runtime"]](request)


def _onnxruntime(request: Request) -> Callable[[], Loaded]:
    import onnxruntime

    def load() -> Loaded:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = request["threads"]
        session = onnxruntime.InferenceSession(request["file"], options, providers=["CPUExecutionProvider"])
        taken = [value.name for value in session.get_inputs()]
        given = [value.name for value in session.get_outputs()]

        def run(inputs: Mapping[str, Array]) -> dict[str, Array]:
            return dict(zip(given, session.run(given, {name: inputs[name] for name in taken}), strict=True))

        return Loaded(run, _facts(request, "onnxruntime"))

    return load


def _openvino(request: Request) -> Callable[[], Loaded]:
    import openvino

    core = openvino.Core()

    def load() -> Loaded:
        options = {"INFERENCE_NUM_THREADS": request["threads"], "PERFORMANCE_HINT": "LATENCY"}
        if request["precision"] is not None:
            options["INFERENCE_PRECISION_HINT"] = request["precision"]
        model = core.compile_model(request["file"], "CPU", options)
        asked = model.create_infer_request()
        taken = [port.get_any_name() for port in model.inputs]
        given = [port.get_any_name() for port in model.outputs]

        def run(inputs: Mapping[str, Array]) -> dict[str, Array]:
            asked.infer({name: inputs[name] for name in taken})
            return {name: asked.get_tensor(name).data.copy() for name in given}

        # What was asked for is a hint: a processor without bf16 computes in fp32 all the same.
        told = model.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        return Loaded(run, {**_facts(request, "openvino"), "computes_in": told})

    return load


def _litert(request: Request) -> Callable[[], Loaded]:
    from ai_edge_litert.interpreter import Interpreter

    def load() -> Loaded:
        interpreter = Interpreter(model_path=request["file"], num_threads=request["threads"])
        interpreter.allocate_tensors()
        # The runner itself is let go of: while it lives, the interpreter refuses to lay out its tensors anew.
        runner = interpreter.get_signature_runner(next(iter(interpreter.get_signature_list())))
        taken, given = runner.get_input_details(), runner.get_output_details()
        del runner
        laid_out: list[tuple[int, ...]] = []

        def run(inputs: Mapping[str, Array]) -> dict[str, Array]:
            shape = inputs["input_ids"].shape
            if laid_out != [shape]:
                for details in taken.values():
                    interpreter.resize_tensor_input(details["index"], shape)
                interpreter.allocate_tensors()
                laid_out[:] = [shape]
            for name, details in taken.items():
                interpreter.set_tensor(details["index"], inputs[name].astype(details["dtype"]))
            interpreter.invoke()
            return {name: interpreter.get_tensor(details["index"]) for name, details in given.items()}

        return Loaded(run, _facts(request, "ai-edge-litert"))

    return load


_RUNTIMES = {"onnxruntime": _onnxruntime, "openvino": _openvino, "litert": _litert}


def _facts(request: Request, package: str) -> dict[str, Any]:
    return {"device": "cpu", "threads": request["threads"], "versions": {package: metadata.version(package)}}


if __name__ == "__main__":
    serve(prepare)
