"""THE TABLE of targets: which emitter makes an artifact, which runtimes read it, what export needs installed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from albert_export.errors import ExportError, InputError, UnknownNameError
from albert_export.readers import MEDIAPIPE, TASK_LIBRARY, Reader
from albert_export.runtime_table import RuntimeRow, get_runtime

#: Precisions in the order in which they are listed, with the suffix of the artifact's file name.
PRECISIONS: dict[str, str] = {"fp32": "", "fp16": "_fp16", "bf16": "_bf16", "int8": "_int8", "int4": "_q4"}


@dataclass(frozen=True)
class Framework:
    """A framework whose eager models are traced.

    Attributes:
        title: How people write it.
        package: Package that is imported.
        module: Module whose ``load_eager`` makes the eager model of a checkpoint and tells which weights are fresh, and
            whose ``run_eager`` runs it on numpy arrays.
        extra: Extra that brings it.
    """

    title: str
    package: str
    module: str
    extra: str


FRAMEWORKS: dict[str, Framework] = {
    "torch": Framework("PyTorch", "torch", "albert_export.models.torch_loading", "onnx"),
    "tensorflow": Framework("TensorFlow", "tensorflow", "albert_export.models.tf_loading", "tensorflow"),
    "flax": Framework("Flax", "flax", "albert_export.models.flax_loading", "jax"),
}


@dataclass(frozen=True)
class Target:
    """One kind of artifact.

    Attributes:
        name: The sub-command and the value of ``target=``.
        title: How people write it.
        place: The artifact's main file inside the bundle; ``{form}`` stands for precision, layers and fixed sizes.
        framework: Key in :data:`FRAMEWORKS` of the eager model that is traced.
        emitter: ``module:function`` that writes the artifact.
        runtimes: Names in the table of runtimes of those that read it; the first is its own, which runs it unless
            another is named, and proves it.
        precisions: Precisions it can be exported in, the default first.
        calibrated: Those of them whose activations can be given fixed ranges, measured on calibration texts.
        by_part: Those of them that can be chosen for some parts of the model only.
        int8_form: How the activations of int8 are quantised where nothing is calibrated: the default form of int8.
        layers: Forms of the shared layer it can be exported in, the default (the benchmark's winner) first.
        opsets: Oldest and newest ONNX operator set it can be exported in; None for a target without any.
        readers: Programs that take only a form of their own, which can be exported for them; always one row a run.
        tokens: Whether what is computed token by token is computed for padding too (``padded``) or for real tokens only
            (``packed``), the default first.
        embeds: Whether the weights, which lie beside the graph, can be put inside it.
        compiled_for: Processors that this machine lacks, but for which the artifact can be compiled to learn its cost.
        build_extra: Extra that brings what export needs.
        compile_extra: Extra that brings what compiling for :attr:`compiled_for` needs besides; None without any.
        chooses_positions: Whether masked words can be computed at chosen positions only.
        second_names: Form of the file's name -> the one that other people's loaders look for besides.
        int4_form: How int4 is stored and computed; None for a target without it.
        built_on_device: Whether its own runtime builds it, on the device that will run it, and nowhere else: the export
            takes options of the build, and can be planned without the device.
        preflight: ``module:function`` that raises where this machine cannot build it; None where packages are enough.
        around_integers: What a precision with integers computes the rest in, and the parts that it leaves out.
        layers_of: Precision -> the form of the layers that is its default, where it is another than the target's.
        calibrated_on: Texts that a calibrated precision is calibrated on where none are given; None where it then is
            not calibrated.
    """

    name: str
    title: str
    place: str
    framework: str
    emitter: str
    runtimes: tuple[str, ...]
    precisions: tuple[str, ...]
    calibrated: tuple[str, ...]
    by_part: tuple[str, ...]
    int8_form: str | None
    layers: tuple[str, ...]
    opsets: tuple[int, int] | None
    readers: tuple[Reader, ...]
    tokens: tuple[str, ...]
    embeds: bool
    compiled_for: tuple[str, ...]
    build_extra: str
    compile_extra: str | None = None
    chooses_positions: bool = False
    second_names: Mapping[str, str] = field(default_factory=dict)
    int4_form: str | None = None
    built_on_device: bool = False
    preflight: str | None = None
    around_integers: str = "fp32"
    layers_of: Mapping[str, str] = field(default_factory=dict)
    calibrated_on: str | None = None

    @property
    def export_extras(self) -> tuple[str, ...]:
        """Extras that export takes, a proof aside."""
        return (self.build_extra, self.own_runtime.extra) if self.built_on_device else (self.build_extra,)

    @property
    def own_runtime(self) -> RuntimeRow:
        """The runtime that runs it unless another is named."""
        return get_runtime(self.runtimes[0])

    @property
    def proof_extras(self) -> tuple[str, ...]:
        """Extras that export and parity take: what is built is run, and compared with PyTorch in float64."""
        return tuple(dict.fromkeys((self.build_extra, self.own_runtime.extra, FRAMEWORKS["torch"].extra)))


#: LayerNormalization begins at 17; below 18 the reductions it is checked with differ. The newest is the one that the
#: pinned onnxruntime runs; a test exports and runs each one from the oldest on.
ONNX_OPSETS = (18, 28)

#: That onnxruntime does not yet run the quantising operators of 28.
NEWEST_INTEGER_OPSET = 27

TARGETS: tuple[Target, ...] = (
    Target(
        name="onnx",
        title="ONNX",
        place="onnx/model{form}.onnx",
        framework="torch",
        emitter="albert_export.graphs.onnx_emitter:emit_onnx",
        runtimes=("onnxruntime", "openvino"),
        precisions=("fp32", "fp16", "bf16", "int8", "int4"),
        calibrated=("int8",),
        by_part=("int8", "int4"),
        int8_form="weights per output, activations at run time with a scale for each token",
        layers=("rolled", "unrolled"),
        opsets=ONNX_OPSETS,
        readers=(),
        tokens=("padded", "packed"),
        embeds=False,
        compiled_for=(),
        build_extra="onnx",
        chooses_positions=True,
        second_names={"_int8": "_quantized"},
        int4_form="weights in blocks of 32 with a scale each, multiplied in float32: for size, not for speed",
    ),
    Target(
        name="savedmodel",
        title="SavedModel",
        place="saved_model{form}/1/saved_model.pb",
        framework="tensorflow",
        emitter="albert_export.graphs.savedmodel_emitter:emit_savedmodel",
        runtimes=("tensorflow",),
        precisions=("fp32",),
        calibrated=(),
        by_part=(),
        int8_form=None,
        layers=("rolled", "unrolled"),
        opsets=None,
        readers=(),
        tokens=("padded",),
        embeds=False,
        compiled_for=(),
        build_extra="tensorflow",
    ),
    Target(
        name="tflite",
        title="TFLite",
        place="tflite/model{form}.tflite",
        framework="tensorflow",
        emitter="albert_export.graphs.tflite_emitter:emit_tflite",
        runtimes=("litert", "openvino"),
        precisions=("fp32", "fp16", "int8"),
        calibrated=("int8",),
        by_part=("int8",),
        int8_form="weights per output, activations at run time with a scale for each row of a product",
        layers=("rolled", "unrolled"),
        opsets=None,
        readers=(TASK_LIBRARY, MEDIAPIPE),
        tokens=("padded",),
        embeds=False,
        compiled_for=(),
        build_extra="tensorflow",
    ),
    Target(
        name="stablehlo",
        title="StableHLO",
        place="stablehlo/model{form}.jax",
        framework="flax",
        emitter="albert_export.graphs.stablehlo_emitter:emit_stablehlo",
        runtimes=("jax",),
        precisions=("fp32", "bf16", "fp16"),
        calibrated=(),
        by_part=(),
        int8_form=None,
        layers=("rolled", "unrolled"),
        opsets=None,
        readers=(),
        tokens=("padded",),
        embeds=True,
        compiled_for=("tpu:v4", "tpu:v5e", "tpu:v5p", "tpu:v6e"),
        build_extra="jax",
        compile_extra="tpu",
    ),
    Target(
        name="tensorrt",
        title="TensorRT",
        place="tensorrt/model{form}.engine",
        framework="torch",
        emitter="albert_export.graphs.tensorrt_emitter:emit_tensorrt",
        runtimes=("tensorrt",),
        precisions=("fp32", "fp16", "bf16", "int8"),
        calibrated=("int8",),
        by_part=("int8",),
        int8_form="weights per output, activations with fixed ranges, calibrated on built-in texts; the rest in fp16",
        layers=("rolled", "unrolled"),
        opsets=None,
        readers=(),
        tokens=("padded",),
        embeds=False,
        compiled_for=(),
        build_extra="onnx",
        built_on_device=True,
        preflight="albert_export.graphs.tensorrt_build:open_builder",
        around_integers="fp16",
        # Each layer its own ranges, and no integers in a loop, of which TensorRT's page of operators says nothing.
        layers_of={"int8": "unrolled"},
        calibrated_on="builtin",
    ),
)


def check_target_opset(opset: object, opsets: tuple[int, int] | None) -> None:
    """Check an operator set against the ``opsets`` of a target's row.

    Raises:
        ExportError: It is outside them, or the target has none.
    """
    if opsets is None:
        raise ExportError("this target has no ONNX operator set", received=opset, fix="leave opset out")
    oldest, newest = opsets
    if type(opset) is not int or not oldest <= opset <= newest:
        raise ExportError(
            f"opset must be a whole number from {oldest} to {newest}",
            received=opset,
            fix="leave opset out for the one that most runtimes read",
        )


def check_precision(target: Target, precision: str | None) -> str:
    """Return the precision, or the target's default for None.

    Raises:
        UnknownNameError: There is no such precision.
        InputError: The target has none such; the message names those it has, and the targets that have it.
    """
    if precision is None:
        return target.precisions[0]
    if precision not in PRECISIONS:
        raise UnknownNameError("precision", precision, tuple(PRECISIONS))
    if precision not in target.precisions:
        others = tuple(other.name for other in TARGETS if precision in other.precisions)
        there = f", or {_either(others)} for {precision}" if others else ""
        raise InputError(
            f"{target.title} artifacts can be {_either(target.precisions)}",
            received=precision,
            fix=f"choose {_either(target.precisions)}{there}",
        )
    return precision


def _either(names: tuple[str, ...]) -> str:
    return " or ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


def get_target(name: str) -> Target:
    """Return the target of that name.

    Raises:
        UnknownNameError: No target has the name; the message names the nearest.
    """
    for target in TARGETS:
        if target.name == name:
            return target
    raise UnknownNameError("target", name, [target.name for target in TARGETS])
