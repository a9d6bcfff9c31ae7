"""The SavedModel target: an eager TensorFlow model becomes a directory that TF Serving takes."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from albert_export._tensorflow import import_tensorflow
from albert_export._version import __version__
from albert_export.errors import ExportError
from albert_export.graphs.emitted import Emitted, described
from albert_export.graphs.sharing import Sharing
from albert_export.graphs.tf_messages import quiet, told
from albert_export.graphs.tf_tracing import trace_function
from albert_export.tasks import Task

tf: Any = import_tensorflow(needed_for="exporting to SavedModel")

#: The signature that TF Serving asks for when a request names none.
DEFAULT_SIGNATURE = "serving_default"
#: The same for callers whose ids are int64, as tokenizers and numpy have them.
INT64_SIGNATURE = "serving_int64"

#: TensorFlow's own place for what it does not read itself.
_EXTRA = "assets.extra"


def emit_savedmodel(
    model: Any,
    task: Task,
    path: Path,
    *,
    precision: str = "fp32",
    layers: str = "rolled",
    sizes: Mapping[str, int | None] | None = None,
    metadata: Mapping[str, str] | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Emitted:
    """Trace ``model`` and write it as a SavedModel, with the signatures ``serving_default`` and ``serving_int64``.

    Args:
        model: An eager TensorFlow ALBERT with the task's head, in float32.
        task: The task whose inputs and outputs the signatures have.
        path: The ``saved_model.pb`` to make; everything else lies beside it.
        precision: ``fp32``.
        layers: ``rolled`` or ``unrolled``.
        sizes: Fixed size of a dynamic axis; absent or None stays symbolic.
        metadata: Entries for ``assets.extra/albert_export.json``, besides tool, task, layers and labels.
        progress: Gets a line as each stage begins.

    Raises:
        ExportError: The model cannot be traced or saved.
        SharingError: A weight would be stored more than once.
    """
    directory, fixed = path.parent, {axis: (sizes or {}).get(axis) for axis in task.dynamic_axes}
    progress(f"tracing {task.tensorflow_class}, layers {layers}")
    function = trace_function(model, task, layers=layers, sizes=fixed)
    served = tf.Module(name="albert")
    # Under the names that they have in every other file; a dot would split them in the checkpoint.
    served.weights = {name.replace(".", "/"): variable for name, variable in _variables(model).items()}
    progress(f"writing {directory.parent.name}/{directory.name}")
    with _saving(task):
        tf.saved_model.save(
            served,
            str(directory),
            signatures={DEFAULT_SIGNATURE: function, INT64_SIGNATURE: _taking_int64(function, task, fixed)},
        )
    shutil.rmtree(directory / "assets", ignore_errors=True)  # there are none, and an empty directory says nothing
    _write_metadata(
        directory / _EXTRA, task, model.config, {"precision": precision, "layers": layers, **(metadata or {})}
    )
    files = (path, *sorted(file for file in directory.rglob("*") if file.is_file() and file != path))
    stored = _stored_weight_bytes(directory)
    unique = sum(variable.shape.num_elements() * variable.dtype.size for variable in served.weights.values())
    sharing = Sharing(unique, stored, sum(file.stat().st_size for file in files) - stored)
    sharing.check("writing the SavedModel")
    return Emitted(
        files=files,
        opset=None,
        inputs=tuple(described(spec, model.config, fixed, "int32") for spec in task.inputs),
        outputs=tuple(described(spec, model.config, fixed) for spec in task.outputs),
        sharing=sharing,
        versions={"tensorflow": tf.__version__, "keras": _keras_version()},
        facts={
            "operators": dict(sorted(Counter(_operators(function)).items())),
            "signatures": [DEFAULT_SIGNATURE, INT64_SIGNATURE],
        },
        traced_sizes={},
    )


def _variables(model: Any) -> dict[str, Any]:
    """Return canonical name -> the ``tf.Variable`` of each parameter, tied ones once."""
    return {name: variable.value for name, variable in model.named_weights()}


def _taking_int64(function: Any, task: Task, sizes: Mapping[str, int | None]) -> Any:
    def serve(**inputs: Any) -> Any:
        return function(**{name: tf.cast(tensor, tf.int32) for name, tensor in inputs.items()})

    specs = {
        spec.name: tf.TensorSpec([sizes.get(str(axis)) for axis in spec.axes], tf.int64, name=spec.name)
        for spec in task.inputs
    }
    return tf.function(serve, autograph=False).get_concrete_function(**specs)


@contextmanager
def _saving(task: Task) -> Iterator[None]:
    """Keep TensorFlow's word of success out of the program's output, and tell its failure in one line."""
    failure: Exception | None = None
    with quiet():
        try:
            yield
        except (tf.errors.OpError, RuntimeError, TypeError, ValueError, AssertionError) as error:
            failure = error
    if failure is not None:
        raise ExportError(
            f"TensorFlow must be able to save {task.tensorflow_class}",
            received=told(failure),
            fix="see that the disk has room, or export to another target",
        ) from failure


def _write_metadata(directory: Path, task: Task, config: Any, metadata: Mapping[str, str]) -> None:
    labels = {str(index): config.id2label[index] for index in sorted(config.id2label)}
    facts = {"tool": f"albert-export {__version__}", "task": task.name, "labels": labels, **metadata}
    directory.mkdir(exist_ok=True)
    text = json.dumps(facts, indent=2, ensure_ascii=False, sort_keys=True)
    (directory / "albert_export.json").write_text(text + "\n", encoding="utf-8", newline="\n")


def _stored_weight_bytes(directory: Path) -> int:
    """Count the bytes of every floating-point tensor in the variables' file, as it lies on the disk."""
    reader = tf.train.load_checkpoint(str(directory / "variables" / "variables"))
    dtypes = reader.get_variable_to_dtype_map()
    return sum(
        tf.TensorShape(shape).num_elements() * dtypes[name].size
        for name, shape in reader.get_variable_to_shape_map().items()
        if dtypes[name].is_floating
    )


def _operators(function: Any) -> Iterator[str]:
    graph = function.graph.as_graph_def()
    for node in graph.node:
        yield node.op
    for body in graph.library.function:
        for node in body.node_def:
            yield node.op


def _keras_version() -> str:
    from importlib.metadata import version

    return version("keras")
