"""Ours beside the peers, in one run: optimum, OpenVINO with NNCF, and the usual TFLite.

One checkpoint from a seed, question answering. Everybody builds it in their own way, and all files take turns, each in
a process of its own, as those of ``albert-export bench`` do: the same tables, every error to the same float64 oracle.
One run of it is how a claim of docs/performance.md about latency, memory or error beside others is made.

``optimum fp32`` is ``optimum-cli export onnx``, ``optimum int8`` is ``optimum-cli onnxruntime quantize --avx512_vnni
--per_channel`` of it, ``openvino fp32`` and ``openvino bf16`` are OpenVINO's conversion of it, told to compute in that
precision, ``nncf int8`` is the same quantised by NNCF, which computes what it left in the precision that OpenVINO
chooses, and ``tflite usual int8`` is TensorFlow's converter as it comes, dynamic range, on a SavedModel whose layers
are written out. OpenVINO's weights are stored in fp16 for bf16, as its converter does by itself, and as they are for
the other two. The precision that it says it computes in is among the facts in the JSON file.

Ours are read by their target's own runtime, or by OpenVINO where that is installed here. ``static`` is int8 with the
ranges of the built-in texts, ``packed`` computes real tokens only.

Usage: ``python -m benchmarks.peers --peers PEERS_PYTHON [--size base] [--save FILE] [--plot FILE.png]``
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from albert_export.bench.contenders import ProcessContender
from albert_export.bench.entries import choose_entries
from albert_export.bench.report import BenchReport, Errors
from albert_export.bench.run import Comparison, Start, run
from albert_export.bench.shapes import Shape, make_inputs, parse_shapes
from albert_export.runtime_table import is_installed, parse_runtime
from benchmarks.measuring import ALBERT_EXPORT, ROOT, run_process, save
from benchmarks.seeded_checkpoint import SIZES
from benchmarks.turns import make_checkpoint

_INT8 = ("--precision", "int8")
_STATIC = ("onnx", *_INT8, "--calibrate", "builtin")
#: Name in the table -> command and options of ours, and what reads its file; None for the target's own runtime.
OURS: Mapping[str, tuple[tuple[str, ...], str | None]] = {
    "ours onnx fp32": (("onnx",), None),
    "ours onnx fp32 packed": (("onnx", "--tokens", "packed"), None),
    "ours onnx fp32, openvino": (("onnx",), "openvino"),
    "ours onnx bf16, openvino": (("onnx", "--precision", "bf16"), "openvino:bf16"),
    "ours onnx int8": (("onnx", *_INT8), None),
    "ours onnx int8 packed": (("onnx", *_INT8, "--tokens", "packed"), None),
    "ours onnx int8 static": (_STATIC, None),
    "ours onnx int8 static, openvino": (_STATIC, "openvino"),
    "ours onnx int8 static, openvino bf16": (_STATIC, "openvino:bf16"),
    "ours onnx int8 static packed, openvino bf16": ((*_STATIC, "--tokens", "packed"), "openvino:bf16"),
    "ours tflite int8": (("tflite", *_INT8), None),
}
OPTIMUM, OPTIMUM_INT8 = "optimum fp32", "optimum int8"
OPENVINO_FP32, OPENVINO_BF16, NNCF = "openvino fp32", "openvino bf16", "nncf int8"
USUAL = "tflite usual int8"
#: Those that are built and run by the peers' Python.
ELSEWHERE = (OPTIMUM, OPTIMUM_INT8, OPENVINO_FP32, OPENVINO_BF16, NNCF)
#: Without optimum there is nothing better to compare with than our own fp32.
BASELINES = (OPTIMUM, "ours onnx fp32")

#: What --quick says in place of everything that was left out.
QUICK = {"size": "tiny", "shapes": "1x16,2x16p", "repeats": 2, "loads": 1, "samples": 4}
USUALLY = {"size": "base", "shapes": "1x16,1x128,1x384,8x128,8x128p", "repeats": 30, "loads": 5, "samples": 128}


def main() -> None:
    """Parse the arguments, build, measure, print, save."""
    arguments = parse(sys.argv[1:])
    shapes = parse_shapes(arguments.shapes)
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as scratch:
        builder = Builder(Path(scratch), arguments)
        starts = builder.build()
        report = measure(builder, starts, shapes, arguments)
    print(f"\n{arguments.size}, question answering, {arguments.threads} threads\n")
    print(report.render())
    save(arguments.save, "peers", arguments, report.to_dict())
    if arguments.plot is not None:
        from albert_export.bench.plot import draw

        draw(report, arguments.plot)


def parse(args: Sequence[str]) -> argparse.Namespace:
    """Return the options, what was left out filled in."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=Path, help="Python of the peers' environment; without it those are left out")
    parser.add_argument(
        "--contenders", nargs="+", metavar="NAME", help=f"some of: {', '.join((*OURS, *ELSEWHERE, USUAL))}"
    )
    parser.add_argument("--quick", action="store_true", help="a tiny model and few runs: only whether it works")
    parser.add_argument("--size", choices=SIZES)
    parser.add_argument("--shapes", help="as for albert-export bench")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of one run; one for each processor")
    parser.add_argument("--repeats", type=int, help="warm runs of each shape")
    parser.add_argument("--loads", type=int, help="fresh processes for each file")
    parser.add_argument("--samples", type=int, help="inputs that NNCF measures ranges on")
    parser.add_argument("--scratch", type=Path, help="where the models go; by default the temporary directory")
    parser.add_argument("--save", type=Path, help="where to write the results")
    parser.add_argument("--plot", type=Path, help="where to draw them")
    arguments = parser.parse_args(args)
    for name, value in (QUICK if arguments.quick else USUALLY).items():
        if getattr(arguments, name) is None:
            setattr(arguments, name, value)
    ours = [name for name, (_, runtime) in OURS.items() if runtime is None or is_installed(parse_runtime(runtime)[0])]
    there = (*ours, *(ELSEWHERE if arguments.peers is not None else ()), USUAL)
    arguments.contenders = arguments.contenders or list(there)
    for name in arguments.contenders:
        if name not in there:
            parser.error(
                f"a contender must be one of {', '.join(there)}; received {name}; fix: name one, or give --peers"
            )
    return arguments


@dataclass(frozen=True)
class Builder:
    """Makes everybody's file of one checkpoint.

    Attributes:
        scratch: Directory for all of them.
        arguments: What :func:`parse` returned.
    """

    scratch: Path
    arguments: argparse.Namespace

    @property
    def checkpoint(self) -> Path:
        """The seeded checkpoint."""
        return self.scratch / "checkpoint"

    @property
    def vocabulary(self) -> int:
        """Ids are below it."""
        return int(SIZES[self.arguments.size].get("vocab_size", 30000))

    def inputs(self, shape: Shape) -> Mapping[str, Any]:
        """The inputs of a shape, the same for all."""
        return make_inputs(shape, vocabulary=self.vocabulary)

    def build(self) -> list[Start]:
        """Build what is asked for; return the contenders in the order in which they were named."""
        make_checkpoint(self.arguments.size, self.checkpoint)
        wanted = self.arguments.contenders
        built = self._ours([name for name in OURS if name in wanted])
        peers = [name for name in ELSEWHERE if name in wanted]
        if peers:
            built |= self._elsewhere(peers)
        if USUAL in wanted:
            built[USUAL] = self._usual()
        return [built[name] for name in wanted]

    def _ours(self, names: Sequence[str]) -> dict[str, Start]:
        bundle = self.scratch / "ours"
        files: dict[tuple[str, ...], str] = {}
        for command in dict.fromkeys(OURS[name][0] for name in names):
            before = set(files.values())
            target, *options = command
            self._export(target, bundle, *options)
            (files[command],) = {entry.artifact.file for entry in choose_entries([bundle])} - before
        by_file = {} if not names else {entry.artifact.file: entry for entry in choose_entries([bundle])}
        starts = {}
        for name in names:
            command, runtime = OURS[name]
            entry = dataclasses.replace(by_file[files[command]], name=name, runtime=runtime)
            facts = {"target": entry.artifact.target, "precision": entry.artifact.precision, "file": files[command]}
            start = _later(entry.start, device="cpu", threads=self.arguments.threads, seed=0)
            starts[name] = Start(start, facts, entry.file_bytes)
        return starts

    def _elsewhere(self, names: Sequence[str]) -> dict[str, Start]:
        python = str(self.arguments.peers)
        driver = [python, str(ROOT / "benchmarks/optimum_export.py")]
        optimum = self.scratch / "optimum"
        task = ["--model", str(self.checkpoint), "--task", "question-answering"]
        self._say("optimum-cli export onnx")
        run_process([*driver, "export", "onnx", *task, str(optimum)], self._log)
        starts = {OPTIMUM: self._peer(OPTIMUM, python, "onnxruntime", optimum / "model.onnx")}
        if OPTIMUM_INT8 in names:
            out = self.scratch / "optimum-int8"
            options = ["--avx512_vnni", "--per_channel", "--output", str(out)]
            self._say("optimum-cli onnxruntime quantize")
            run_process([*driver, "onnxruntime", "quantize", "--onnx_model", str(optimum), *options], self._log)
            (file,) = out.glob("*.onnx")
            starts[OPTIMUM_INT8] = self._peer(OPTIMUM_INT8, python, "onnxruntime", file)
        samples = self.scratch / "samples.npz"
        if NNCF in names:
            self._save_samples(samples)
        # Name -> the precision that is asked for, and the options that make its file.
        converted: dict[str, tuple[str | None, tuple[str, ...]]] = {
            OPENVINO_FP32: ("f32", ()),
            OPENVINO_BF16: ("bf16", ("--fp16-weights",)),
            NNCF: (None, ("--int8", str(samples))),
        }
        for name, (precision, how) in converted.items():
            if name in names:
                self._say(f"{name}, from optimum's file")
                file = self.scratch / name.replace(" ", "-") / "model.xml"
                build = [python, "-m", "benchmarks.openvino_build", str(optimum / "model.onnx"), str(file), *how]
                run_process(build, self._log)
                starts[name] = self._peer(name, python, "openvino", file, precision=precision)
        return starts

    def _usual(self) -> Start:
        saved_model, file = self.scratch / "saved_model", self.scratch / "usual" / "model.tflite"
        self._export("savedmodel", saved_model, "--layers", "unrolled")
        file.parent.mkdir()
        self._say("tf.lite.TFLiteConverter")
        place = str(next(saved_model.glob("saved_model*/1")))
        run_process([sys.executable, "-m", "benchmarks.plain_tflite", place, str(file), "--int8"], self._log)
        return self._peer(USUAL, sys.executable, "litert", file)

    def _peer(self, name: str, python: str, runtime: str, file: Path, precision: str | None = None) -> Start:
        request = {"runtime": runtime, "file": str(file), "threads": self.arguments.threads, "precision": precision}
        start = _later(
            ProcessContender,
            name,
            request=request,
            takes=lambda _: True,
            inputs=self.inputs,
            command=[python, "-P", "-m", "benchmarks.peers_worker"],
        )
        # An OpenVINO model is two files, and an ONNX model may have its weights beside it; each lies alone.
        parts = [part for part in file.parent.iterdir() if part.name.split(".")[0] == file.name.split(".")[0]]
        return Start(start, {"runtime": runtime, "file": file.name}, sum(part.stat().st_size for part in parts))

    def _export(self, target: str, out: Path, *options: str) -> None:
        self._say(f"albert-export {target} {' '.join(options)}")
        chosen = ["--task", "question-answering", "--model", str(self.checkpoint), "--quiet", "--no-parity"]
        run_process([*ALBERT_EXPORT, target, *chosen, *options, "--out", str(out)], self._log)

    def _save_samples(self, file: Path) -> None:
        """Write inputs for calibration, of other ids than those that are timed."""
        shape = Shape(self.arguments.samples, 64, padded=True)
        inputs: dict[str, Any] = dict(make_inputs(shape, vocabulary=self.vocabulary, seed=1))
        np.savez(file, **inputs)

    @property
    def _log(self) -> Path:
        return self.scratch / "log.txt"

    def _say(self, line: str) -> None:
        print(f"building: {line}", file=sys.stderr)


def _later(call: Callable[..., ProcessContender], *args: Any, **kwargs: Any) -> Callable[[], ProcessContender]:
    return lambda: call(*args, **kwargs)


def measure(
    builder: Builder, starts: Sequence[Start], shapes: Sequence[Shape], arguments: argparse.Namespace
) -> BenchReport:
    """Run everything in turn, then compare it with the oracle."""

    def compare(contenders: Sequence[ProcessContender]) -> Mapping[str, Errors]:
        from albert_export.bench.exactness import measure_errors
        from albert_export.checkpoints import open_checkpoint
        from albert_export.parity.oracle import Oracle
        from albert_export.tasks import get_task

        task = get_task("question-answering")
        oracle = Oracle(open_checkpoint(builder.checkpoint, task=task), task)
        inputs = {contender: {shape: builder.inputs(shape) for shape in shapes} for contender in contenders}
        return measure_errors(oracle, inputs, builder.scratch)

    measured, notes = run(
        starts,
        shapes,
        repeats=arguments.repeats,
        loads=arguments.loads,
        comparisons=[Comparison("all", compare)],
        say=lambda line: print(line, file=sys.stderr),
    )
    names = [each.name for each in measured]
    baseline = next((name for name in BASELINES if name in names), names[0])
    options = {name: getattr(arguments, name) for name in ("size", "threads", "repeats", "loads", "samples")}
    return BenchReport(tuple(shapes), measured, baseline, options, notes)


if __name__ == "__main__":
    main()
