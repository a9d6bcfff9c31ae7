"""Proving that the artifacts of a bundle compute what the eager model computes."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from albert_export._machine import describe_machine
from albert_export._progress import silent
from albert_export._version import __version__
from albert_export.bundle import Artifact, Bundle
from albert_export.checkpoints import Checkpoint
from albert_export.errors import InputError, UnknownNameError
from albert_export.parity.asked import asked_at_positions
from albert_export.parity.bundle_checks import same_tokenizer
from albert_export.parity.cases import Case, build_cases, quick_cases
from albert_export.parity.checks import Measured, choose_case, input_types, repeated, row_alone
from albert_export.parity.choosing import choose_artifacts, skipped_artifacts
from albert_export.parity.compare import PLACES, Comparison, Places, compare_eager
from albert_export.parity.criteria import Pool, criterion_for
from albert_export.parity.data import NO_DATA, check_drop, choose_data
from albert_export.parity.data_check import SECONDS_BETWEEN_LINES, DataCheck, EagerScores
from albert_export.parity.depth import depth_case, measure_depth
from albert_export.parity.explain import explain_miss
from albert_export.parity.flips import FlippedDecision, tell_flips
from albert_export.parity.needs import check_needs
from albert_export.parity.opening import ChangeInputs, open_artifact
from albert_export.parity.oracle import TRUTH, Oracle
from albert_export.parity.packed_padding import asked_for_repeated, is_packed
from albert_export.parity.profiles import choices_of, longest_of
from albert_export.parity.report import ArtifactResult, DataUsed, ParityReport
from albert_export.parity.rounding import rounded_parts
from albert_export.parity.source import open_source
from albert_export.parity.verdict import judge, judge_eager
from albert_export.positions import POSITIONS, chooses_positions
from albert_export.runtimes import Runtime
from albert_export.runtimes.choosing import choose_runtime
from albert_export.targets import FRAMEWORKS, get_target

_PACKAGES = (
    "torch",
    "tensorflow",
    "tensorflow-cpu",
    "numpy",
    "tokenizers",
    "onnx",
    "onnxruntime",
    "onnxruntime-gpu",
    "ai-edge-litert",
    "openvino",
    "jax",
    "jaxlib",
    "flax",
)

Progress = Callable[[str], None]


def check_parity(
    bundle: str | os.PathLike[str] | Bundle,
    *,
    model: str | os.PathLike[str] | Checkpoint | None = None,
    targets: str | Sequence[str] = "all",
    frameworks: str | Sequence[str] = (),
    revision: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    local_files_only: bool = False,
    token: str | bool | None = None,
    allow_random_head: bool | None = None,
    data: str | os.PathLike[str] | None = None,
    max_drop: float | None = None,
    eager_scores: EagerScores | None = None,
    explain: bool = False,
    depth: bool = False,
    skip: Sequence[str] = (),
    quick: bool = False,
    device: str = "auto",
    threads: int | None = None,
    seed: int = 0,
    change_inputs: ChangeInputs | None = None,
    progress: Progress | None = None,
    runtime: str | None = None,
) -> ParityReport:
    """Run the artifacts of a bundle and the eager model on the same cases, and judge how far they lie apart.

    Nothing is written. A miss is no exception: look at ``report.ok``.

    Args:
        bundle: A bundle's directory, or an opened bundle.
        model: The checkpoint it was made from, as for :func:`albert_export.export`, or an opened one. None for the one
            that the manifest names: a built-in model or a hub revision can be found again, a directory cannot.
        targets: ``all``, or names in the table of targets.
        frameworks: Eager models to look at besides those that the artifacts were traced from: ``all``, or names in the
            table of frameworks.
        revision: Branch, tag or commit of a hub checkpoint; by default the commit that the manifest names.
        cache_dir: Where downloads are kept.
        local_files_only: Never use the network.
        token: Token for private repositories.
        allow_random_head: Whether a head that the checkpoint lacks is filled as the export filled it; None where the
            manifest says that it was.
        data: JSON lines in the task's form with the right answers, on which the task's metrics are measured before
            export and after, or ``none``; ``held-out`` or ``new-patterns`` for what a built-in model was not trained
            on, and ``held-out`` is taken for such a model when this is left out.
        max_drop: The largest drop of a metric that passes, in points; None for 0 in full precision and 0.5 in lower
            ones.
        eager_scores: For several calls on one checkpoint and the same data: a dictionary, empty at first, that keeps
            what the eager model makes of them.
        explain: Whether to look, on a miss, for the first layer that diverges.
        depth: Whether to measure the error after every layer, of artifacts whose hidden states can be read.
        skip: Targets whose artifacts are left out; the report names them.
        quick: Whether to run fewer cases, and, unless ``data`` says otherwise, no data; every check is made all the
            same. The report names what is left out.
        device: Device that the artifacts run on.
        threads: Threads of one run; None for one on each processor.
        seed: Of the random ids.
        change_inputs: What the artifacts get in place of the inputs that the eager model gets, to see whether that is
            caught; None for the same inputs.
        progress: Gets a line now and then.
        runtime: Which runtime reads the artifacts, as for :func:`albert_export.load`: it has to read all that
            ``targets`` and ``skip`` leave to be checked. None for each target's own.

    Raises:
        CheckpointError: The checkpoint cannot be found, is not the one the bundle was made from, or gives NaN itself.
        BundleError: The directory is no bundle, was altered, or holds no artifact of the targets, or one that the
            runtime does not read.
        UnknownNameError: No target, framework or runtime of that name, or a precision that this release cannot judge.
        DeviceError: The device is not there, or fails.
        MissingDependencyError: torch, the framework that an artifact was traced from, or the package that runs it is
            not installed.
        InputError: ``seed``, ``max_drop``, ``device`` or ``threads`` is no value of its kind, or the data are not in
            the task's form; the message names file, line and key.
    """
    from albert_export.tokenization import find_tokenizer

    started = time.perf_counter()
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise InputError("seed must be a whole number of at least 0", received=seed, fix="leave seed out for 0")
    check_drop(max_drop)
    opened = bundle if isinstance(bundle, Bundle) else Bundle.open(bundle)
    artifacts = choose_artifacts(opened, targets, skip, runtime)
    further = _frameworks(frameworks)
    for artifact in artifacts:
        criterion_for(artifact.precision)
        others = any(other.target != artifact.target for other in artifacts)
        check_needs(
            get_target(artifact.target),
            choose_runtime(artifact, runtime).row,
            otherwise=f"--skip {artifact.target}" if others else None,
        )
    checkpoint = open_source(
        opened,
        model,
        revision=revision,
        cache_dir=cache_dir,
        local_files_only=local_files_only,
        token=token,
        progress=progress,
    )
    if allow_random_head is None:
        allow_random_head = any(artifact.facts.get("fresh_weights") for artifact in artifacts)
    tokenizer = find_tokenizer(opened.path, config=opened.config)
    dataset = choose_data(NO_DATA if quick and data is None else data, checkpoint.source, opened.task)
    if dataset is not None and tokenizer is None:
        raise InputError(
            "data are texts, which need a tokenizer", received="a bundle without one", fix=f"give data={NO_DATA}"
        )
    traced = [get_target(artifact.target).framework for artifact in artifacts]
    oracle = Oracle(checkpoint, opened.task, frameworks=[*traced, *further], allow_random_head=allow_random_head)
    say = progress or silent
    metrics = None if dataset is None else DataCheck(dataset, oracle, tokenizer, max_drop, say, eager_scores)
    if metrics is not None:  # before the cases, so that a line which is not in the task's form shows at once
        for artifact in artifacts:
            metrics.prepare(artifact.shapes.get("sequence") or longest_of(artifact, opened.config))

    def rounded(parts: tuple[str, ...]) -> Oracle:
        return Oracle(checkpoint, opened.task, allow_random_head=bool(allow_random_head), rounded=parts)

    run = _Run(
        opened,
        oracle,
        rounded,
        tokenizer,
        device,
        threads,
        seed,
        change_inputs,
        metrics,
        explain,
        depth,
        quick,
        say,
        runtime,
    )
    tokenizers = same_tokenizer(tokenizer, checkpoint, opened.config)
    results = [
        replace(result, checks=(*result.checks, tokenizers))
        for group in _groups(artifacts)
        for result in run.check(group)
    ]
    return ParityReport(
        task=opened.task.name,
        source=checkpoint.source,
        seed=seed,
        text=tokenizer is not None,
        eager=tuple(judge_eager(framework, pools) for framework, pools in run.eager.items()),
        artifacts=tuple(sorted(results, key=lambda result: result.file)),
        environment=_environment(),
        seconds=time.perf_counter() - started,
        data=None if dataset is None else DataUsed(dataset.name, dataset.sha256, len(dataset.items)),
        quick=quick,
        left_out=(*run.left_out, *_unmeasured(quick and data is None, checkpoint, opened)),
        skipped=skipped_artifacts(opened, artifacts, skip),
        skip=tuple(get_target(name).name for name in skip),
    )


class _Run:
    """What stays the same over the artifacts of one call.

    Attributes:
        eager: Framework -> figures of its eager model, over the cases of all groups; empty where torch is the only one.
        left_out: The cases that a short run leaves out, in words.
    """

    def __init__(
        self,
        bundle: Bundle,
        oracle: Oracle,
        rounded: Callable[[tuple[str, ...]], Oracle],
        tokenizer: Any | None,
        device: str,
        threads: int | None,
        seed: int,
        change_inputs: ChangeInputs | None,
        metrics: DataCheck | None,
        explain: bool,
        depth: bool,
        quick: bool,
        say: Progress,
        runtime: str | None,
    ) -> None:
        self.bundle = bundle
        self.oracle = oracle
        self.rounded = rounded
        self.tokenizer = tokenizer
        self.device = device
        self.threads = threads
        self.seed = seed
        self.change_inputs = change_inputs
        self.metrics = metrics
        self.explain = explain
        self.depth = depth
        self.quick = quick
        self.left_out: tuple[str, ...] = ()
        self.say = say
        self.runtime = runtime
        self.eager: dict[str, dict[tuple[str, Places], Pool]] = {
            framework: {(spec.name, places): Pool() for spec in bundle.task.outputs for places in PLACES}
            for framework in oracle.frameworks
            if oracle.frameworks != (TRUTH,)
        }

    def check(self, artifacts: Sequence[Artifact]) -> list[ArtifactResult]:
        """Judge artifacts that take the same inputs, lengths and choices: the eager model runs once for all."""
        first = artifacts[0]
        parts = rounded_parts(first)
        oracle = self.rounded(parts) if parts else self.oracle
        task = self.bundle.task_of(first)
        cases = build_cases(
            task,
            self.bundle.config,
            sizes=first.shapes,
            traced=first.facts.get("traced_sizes"),
            tokenizer=self.tokenizer,
            seed=self.seed,
            longest=longest_of(first, self.bundle.config),
            most_choices=choices_of(first),
        )
        if chooses_positions(task):
            cases = asked_at_positions(cases, self.seed)
        repeats = chooses_positions(task) and is_packed(first)
        if self.quick:
            cases, left_out = quick_cases(cases)
            self.left_out = tuple(dict.fromkeys((*self.left_out, *(f"the case {name}" for name in left_out))))
        checked = choose_case(cases)
        with ExitStack() as stack:
            comparisons = {
                artifact.file: Comparison(
                    stack.enter_context(self._open(artifact)),
                    get_target(artifact.target).framework,
                    packed=is_packed(artifact),
                )
                for artifact in artifacts
            }
            measured: dict[str, tuple[Measured, Measured, Measured]] = {}
            for case in self._told(cases):
                asked = asked_for_repeated(case.inputs) if repeats else case.inputs
                reference = oracle.run(asked)
                plain = self.oracle.run(asked) if parts else reference
                for framework, pools in self.eager.items():
                    for key, pool in compare_eager(framework, case, plain, task).items():
                        pools[key].add(pool)
                for file, comparison in comparisons.items():
                    outputs = comparison.add(case, reference, plain if parts else None)
                    if case is checked:
                        measured[file] = (
                            row_alone(comparison.runtime, case, outputs),
                            repeated(comparison.runtime, case, outputs),
                            input_types(comparison.runtime, case, outputs),
                        )
            results = [
                judge(
                    artifact,
                    comparisons[artifact.file],
                    cases,
                    *measured[artifact.file],
                    self._flipped(comparisons[artifact.file], cases),
                )
                for artifact in artifacts
            ]
            if self.metrics is not None:
                results = [
                    self.metrics.add(result, self._for_texts(artifact, comparisons[artifact.file].runtime, stack))
                    for artifact, result in zip(artifacts, results, strict=True)
                ]
            if self.explain:
                results = [
                    self._explained(result, comparisons[result.file].runtime, oracle, cases) for result in results
                ]
            if self.depth:
                results = [
                    self._with_depth(result, comparisons[result.file].runtime, oracle, cases) for result in results
                ]
        return results

    def _with_depth(
        self, result: ArtifactResult, runtime: Runtime, oracle: Oracle, cases: Sequence[Case]
    ) -> ArtifactResult:
        if result.depth:  # of the case that misses
            return result
        return replace(result, depth=measure_depth(self.bundle, result, runtime, oracle, depth_case(cases)))

    def _flipped(self, comparison: Comparison, cases: Sequence[Case]) -> tuple[FlippedDecision, ...]:
        pools = {output: pool for (output, places), pool in comparison.pools.items() if places == "real"}
        return tell_flips(comparison.runtime.task, self.bundle.config, self.tokenizer, cases, pools)

    def _open(self, artifact: Artifact, **options: Any) -> Runtime:
        options |= {"device": self.device, "threads": self.threads, "change_inputs": self.change_inputs}
        return open_artifact(self.bundle, artifact, runtime=self.runtime, **options)

    def _for_texts(self, artifact: Artifact, runtime: Runtime, stack: ExitStack) -> Runtime:
        """Return the runtime for many texts: one that compiles every new shape is opened again, with few shapes."""
        if not choose_runtime(artifact, self.runtime).row.compiles_shapes or runtime.sizes.get("sequence") is not None:
            return runtime
        return stack.enter_context(self._open(artifact, buckets="powers"))

    def _told(self, cases: Sequence[Case]) -> Iterator[Case]:
        """Yield the cases; a line of progress where the last one is some time ago."""
        last = time.perf_counter()
        for index, case in enumerate(cases):
            if time.perf_counter() - last > SECONDS_BETWEEN_LINES:
                last = time.perf_counter()
                self.say(f"parity: case {index + 1} of {len(cases)}, {case.name}")
            yield case

    def _explained(
        self, result: ArtifactResult, runtime: Runtime, oracle: Oracle, cases: Sequence[Case]
    ) -> ArtifactResult:
        if result.ok:
            return result
        self.say(f"parity: looking for the layer in which {result.file} diverges")
        divergence, depth = explain_miss(self.bundle, result, runtime, oracle, cases)
        return replace(result, divergence=divergence, depth=depth)


def _unmeasured(unasked: bool, checkpoint: Checkpoint, bundle: Bundle) -> tuple[str, ...]:
    """Return, in words, the data that a short run leaves out although the full one measures on them unasked."""
    data = choose_data(None, checkpoint.source, bundle.task) if unasked else None
    return () if data is None else (f"the metrics on {data.name}",)


def _frameworks(names: str | Sequence[str]) -> list[str]:
    wanted = [names] if isinstance(names, str) else list(names)
    for name in wanted:
        if name not in FRAMEWORKS and name != "all":
            raise UnknownNameError("framework", name, ("all", *FRAMEWORKS))
    return list(FRAMEWORKS) if "all" in wanted else wanted


def _groups(artifacts: Sequence[Artifact]) -> list[list[Artifact]]:
    """Put together the artifacts that can be compared on the same cases."""
    groups: dict[tuple[Any, ...], list[Artifact]] = {}
    # Those that were traced with an example first: one traced symbolically takes its shape as well as any.
    for artifact in sorted(artifacts, key=lambda artifact: not artifact.facts.get("traced_sizes")):
        traced = artifact.facts.get("traced_sizes")
        fixed = (artifact.shapes.get(axis) for axis in ("choices", "sequence"))
        chosen = POSITIONS in artifact.shapes
        shape = (
            *fixed,
            longest_of(artifact),
            choices_of(artifact),
            chosen,
            chosen and is_packed(artifact),
            rounded_parts(artifact),
        )
        alike = [key for key in groups if key[0] == shape]
        if traced or not alike:
            example = tuple((traced or {}).get(axis) for axis in ("choices", "sequence"))
            groups.setdefault((shape, example), []).append(artifact)
        else:
            groups[alike[0]].append(artifact)
    return list(groups.values())


def _environment() -> dict[str, Any]:
    machine = describe_machine()
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "albert-export": __version__,
        "python": platform.python_version(),
        **versions,
        "system": machine.system,
        "processor": machine.cpu,
        "threads": machine.threads,
        **({"gpus": list(machine.gpus)} if machine.gpus else {}),
    }
