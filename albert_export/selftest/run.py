"""The self-test: each control is exported and run like any artifact, and parity has to refuse it."""

from __future__ import annotations

import math
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from albert_export._progress import silent
from albert_export.bundle import Artifact, Bundle
from albert_export.checkpoints import Checkpoint, open_checkpoint
from albert_export.errors import BundleError, InputError, SharingError
from albert_export.exporting import export
from albert_export.parity import check_parity
from albert_export.parity.data import NO_DATA
from albert_export.parity.needs import check_needs
from albert_export.parity.report import ArtifactResult, ParityReport
from albert_export.parity.source import open_source
from albert_export.selftest.controls import CONTROLS, HEALTHY, Control
from albert_export.selftest.effects import Effects
from albert_export.selftest.forms import Form, forms_of_bundle, forms_of_targets
from albert_export.selftest.report import SHARING, SelfTestReport, Trial, Verdict, first_failure
from albert_export.targets import get_target
from albert_export.tasks import Task, get_task

#: The model that is taken where none is given: small, and with weights under which every part of it shows.
DEFAULT_MODEL = "albert-seeded"
DEFAULT_TASK = "question-answering"

#: A control must be caught from this many dB above what the criterion lets pass; nearer, either verdict is right.
MARGIN_DB = 6.0

Progress = Callable[[str], None]


def self_test(
    bundle: str | os.PathLike[str] | Bundle | None = None,
    *,
    model: str | os.PathLike[str] | Checkpoint | None = None,
    task: str | None = None,
    targets: str | Sequence[str] = "all",
    skip: Sequence[str] = (),
    device: str = "auto",
    seed: int = 0,
    progress: Progress | None = None,
    **source: Any,
) -> SelfTestReport:
    """Export a model with one thing wrong, and see whether parity refuses it, for each control, target and precision.

    Every control passes through the real emitter, runtime and comparator (:func:`albert_export.check_parity`). Nothing
    is written but into a temporary directory.

    Args:
        bundle: Its artifacts are exported again, in their forms; None for one of each target, in float32.
        model: The checkpoint; by default the one that the bundle's manifest names, without a bundle the built-in
            albert-seeded.
        task: Without a bundle: the head; None for question answering.
        targets: ``all``, or names in the table of targets.
        skip: Targets to leave out; the report names them as not tested.
        device: Device that the artifacts run on.
        seed: Of the random ids.
        progress: Gets a line now and then.
        **source: ``revision``, ``cache_dir``, ``local_files_only`` and ``token`` of a hub checkpoint.

    Raises:
        InputError: A task beside a bundle, which has one.
        BundleError: The bundle holds no artifact of the targets.
        UnknownNameError: No target or task of that name.
        CheckpointError: The checkpoint cannot be found, or is not the one the bundle was made from.
        MissingDependencyError: The packages of a target are not installed, and ``skip`` does not name it.
    """
    started = time.perf_counter()
    say = progress or silent
    wanted = None if targets == "all" else [get_target(name).name for name in _names(targets)]
    if bundle is None:
        task_row = get_task(task or DEFAULT_TASK)
        checkpoint = open_checkpoint(model or DEFAULT_MODEL, task=task_row, progress=progress, **source)
        forms, fresh = forms_of_targets(task_row, wanted), False
    else:
        opened = bundle if isinstance(bundle, Bundle) else Bundle.open(bundle)
        if task is not None:
            raise InputError("a bundle has its task", received=f"task={task!r} beside it", fix="leave task out")
        task_row = opened.task
        checkpoint = open_source(opened, model, progress=progress, **source)
        forms = forms_of_bundle(opened, wanted)
        fresh = any(artifact.facts.get("fresh_weights") for artifact in opened.manifest.artifacts)
    left = {get_target(name).name for name in skip}
    made = [form for form in forms if form.target not in left]
    if not made:
        received = f"nothing but {', '.join(sorted(left))}, which is to be skipped" if forms else "a bundle without any"
        raise BundleError("a self-test needs an artifact of its targets", received=received)
    for form in made:
        others = any(other.target != form.target for other in made)
        check_needs(get_target(form.target), otherwise=f"--skip {form.target}" if others else None)
    with tempfile.TemporaryDirectory(prefix="albert-export-self-test-") as directory:
        run = _Run(Path(directory), checkpoint, task_row, made, fresh, device, seed, say)
        trials = [*run.healthy(), *(trial for control in CONTROLS for trial in run.control(control))]
    untested = [
        Trial(control.name, form.told, form.target, None, "not tested", None, f"{form.target} is to be skipped")
        for control in CONTROLS
        for form in forms
        if form.target in left
    ]
    return SelfTestReport(
        task=task_row.name,
        model=checkpoint.source_name,
        controls={control.name: control.told for control in CONTROLS},
        trials=(*trials, *untested),
        seed=seed,
        seconds=time.perf_counter() - started,
    )


class _Run:
    """What stays the same over the controls of one self-test."""

    def __init__(
        self,
        directory: Path,
        checkpoint: Checkpoint,
        task: Task,
        forms: Sequence[Form],
        allow_random_head: bool,
        device: str,
        seed: int,
        say: Progress,
    ) -> None:
        from albert_export.tokenization import find_tokenizer

        self._directory = directory
        self._checkpoint = checkpoint
        self._task = task
        self._forms = forms
        self._allow_random_head = allow_random_head
        self._device = device
        self._seed = seed
        self._say = say
        #: The main file of each form, in the order of the forms.
        self._files: list[str] = []
        self._unchanged = self._export_unchanged()
        self._report = self._check(self._unchanged, HEALTHY)
        self._effects = Effects(
            checkpoint,
            task,
            tokenizer=find_tokenizer(self._unchanged.path, config=self._unchanged.config),
            seed=seed,
            allow_random_head=allow_random_head,
        )

    def healthy(self) -> Iterator[Trial]:
        """Yield the trials of what has nothing wrong: it must pass, else no other trial says anything."""
        for artifact in self._unchanged.manifest.artifacts:
            result = self._report.artifact(artifact.file)
            by, case, found = ("", None, "") if result.ok else first_failure(result)
            yield Trial(
                HEALTHY.name,
                artifact.file,
                artifact.target,
                artifact.precision,
                "passes" if result.ok else "MISSED",
                case,
                found or "within the limits",
                by,
            )

    def control(self, control: Control) -> Iterator[Trial]:
        """Yield the trials of one control."""
        artifacts = self._unchanged.manifest.artifacts
        why_not = control.not_for(self._checkpoint.config)
        if why_not is not None:
            for artifact in artifacts:
                file, target, precision = artifact.file, artifact.target, artifact.precision
                yield Trial(control.name, file, target, precision, "does not apply", None, why_not)
            return
        bundle, refused = (self._unchanged, {}) if control.checkpoint is None else self._export(control)
        report = None if bundle is None else self._check(bundle, control)
        for artifact in artifacts:
            told = refused.get(artifact.file)
            result = None if told is not None or report is None else report.artifact(artifact.file)
            yield self._trial(control, artifact, result, told)

    def _trial(
        self, control: Control, artifact: Artifact, result: ArtifactResult | None, refused: SharingError | None
    ) -> Trial:
        effect, threshold = self._effects.of(control, artifact), self._threshold(artifact)
        figures = f"effect {effect:.0f} dB, threshold {threshold:.0f} dB"
        by, case, found = "", None, figures
        verdict: Verdict
        if result is None:
            verdict, by, found = "caught", SHARING, f"the export refuses it: {refused}"
        elif not result.ok:
            by, case, found = first_failure(result)
            verdict = "caught"
        elif effect == -math.inf:
            verdict, found = "undetectable", "it changes nothing of this model"
        elif result.criterion.lossy and effect < threshold + MARGIN_DB:
            verdict = "undetectable"
        else:
            verdict = "MISSED"
        file, target, precision = artifact.file, artifact.target, artifact.precision
        return Trial(control.name, file, target, precision, verdict, case, found, by, effect, threshold)

    def _threshold(self, artifact: Artifact) -> float:
        """Return the noise that an artifact's criterion lets pass, in dB of the spread."""
        healthy = self._report.artifact(artifact.file)
        if healthy.criterion.least_snr_db is not None:
            return -healthy.criterion.least_snr_db
        # In full precision the largest error is limited, which no noise below it exceeds.
        limits = [output for output in healthy.outputs if output.places == "real" and output.spread and output.limit]
        return min((20.0 * math.log10(output.limit / output.spread) for output in limits), default=math.nan)

    def _export_unchanged(self) -> Bundle:
        self._say(f"self-test: exporting, {HEALTHY.name}: {len(self._forms)} artifact(s)")
        for form in self._forms:
            bundle = self._export_form(form, self._checkpoint, HEALTHY)
            new = {artifact.file for artifact in bundle.manifest.artifacts} - set(self._files)
            self._files += new  # one: forms differ in what names the file
        return bundle

    def _export(self, control: Control) -> tuple[Bundle | None, dict[str, SharingError]]:
        """Return the bundle of a control, None without any artifact, and main file -> why an export was refused."""
        assert control.checkpoint is not None, "only such a control is exported"
        checkpoint = control.checkpoint(self._checkpoint)
        self._say(f"self-test: exporting, {control.name}: {len(self._forms)} artifact(s)")
        bundle: Bundle | None = None
        refused: dict[str, SharingError] = {}
        for file, form in zip(self._files, self._forms, strict=True):
            try:
                bundle = self._export_form(form, checkpoint, control)
            except SharingError as error:  # caught before there is an artifact to compare
                refused[file] = error
        return bundle, refused

    def _export_form(self, form: Form, checkpoint: Checkpoint, control: Control) -> Bundle:
        return export(
            form.target,
            model=checkpoint,
            task=self._task.name,
            out=self._directory / control.name.replace(" ", "-"),
            parity=False,
            allow_random_head=self._allow_random_head,
            **form.options,
        )

    def _check(self, bundle: Bundle, control: Control) -> ParityReport:
        self._say(f"self-test: parity, {control.name}")
        return check_parity(
            bundle,
            model=self._checkpoint,
            data=NO_DATA,
            device=self._device,
            seed=self._seed,
            change_inputs=control.inputs,
            allow_random_head=self._allow_random_head,
        )


def _names(targets: str | Sequence[str]) -> list[str]:
    return [targets] if isinstance(targets, str) else list(targets)
