"""Making one artifact in a bundle that is being written: the eager model is loaded, traced, and written in a form."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from albert_export._imports import resolve
from albert_export._progress import silent
from albert_export.bundle import Artifact, BundleWriter
from albert_export.bundle.filesystem import link_or_copy
from albert_export.checkpoints import Checkpoint
from albert_export.targets import FRAMEWORKS, Target
from albert_export.tasks import Task


class ArtifactMaker:
    """Makes an artifact, and makes it again with other parts in integers.

    Args:
        writer: The bundle.
        checkpoint: Where the weights come from.
        target: What is made.
        task: The head.
        form: What tells the artifact's file from others of its target.
        precision: One of the target's.
        layers: ``rolled`` or ``unrolled``.
        sizes: Fixed size of each dynamic axis, or None.
        allow_random_head: Whether a head that the checkpoint lacks is filled freshly.
        options: Further arguments of the emitter.
        facts: What the artifact's entry in the manifest tells besides what the emitter does.
        say: Gets a line as each stage begins.

    Attributes:
        quantized_bytes: Part -> bytes that its matrices which became integers take in float32; of what was made first.
    """

    def __init__(
        self,
        writer: BundleWriter,
        checkpoint: Checkpoint,
        target: Target,
        task: Task,
        *,
        form: str,
        precision: str,
        layers: str,
        sizes: Mapping[str, int | None],
        allow_random_head: bool,
        options: Mapping[str, Any],
        facts: Mapping[str, Any],
        say: Callable[[str], None],
    ) -> None:
        self.writer = writer
        self.checkpoint = checkpoint
        self.target = target
        self.task = task
        self.precision = precision
        self.allow_random_head = allow_random_head
        self.say = say
        self._form = form
        self._layers = layers
        self._sizes = sizes
        self._options = options
        self._facts = facts
        self._kept: tuple[Any, Any, Any] | None = None
        self._written: tuple[str, ...] = ()
        self.quantized_bytes: Mapping[str, int] | None = None

    def make(
        self, parts: Sequence[str] | None = None, *, facts: Mapping[str, Any] | None = None, keep: bool = False
    ) -> Artifact:
        """Write the artifact and list it in the bundle, in the place of the one that was made before.

        Args:
            parts: What becomes integers; None for what the options say.
            facts: Further facts.
            keep: Whether the traced model stays in memory for the next call, which then takes a fraction of the time.

        Raises:
            ExportError: Tracing, a pass or the check of the file failed.
        """
        quiet = self.quantized_bytes is not None
        eager, fresh, traced = self._kept or (*self._load(quiet=quiet), None)
        file = self.target.place.format(form=self._form)
        for relative in self._written:
            # Once it was proven, what the old bundle has too is a link to there, and writing into it would be writing
            # into the old bundle.
            self.writer.path_for_new_file(relative)
        emitted = resolve(self.target.emitter)(
            eager,
            self.task,
            self.writer.path_for_new_file(file),
            precision=self.precision,
            layers=self._layers,
            sizes=self._sizes,
            metadata={"checkpoint": self.checkpoint.source.name, "checkpoint_sha256": self.checkpoint.source.sha256},
            progress=silent if quiet else self.say,
            **self._options,
            **({} if parts is None else {"parts": tuple(parts)}),
            **({} if traced is None else {"traced": traced}),
        )
        # Parity loads the model again, in double precision, from the checkpoint.
        self._kept = (eager, fresh, emitted.traced) if keep else None
        del eager, traced
        if self.quantized_bytes is None:
            self.quantized_bytes = emitted.quantized_bytes
        paths = [*emitted.files]
        if self._form in self.target.second_names:
            second = self.target.place.format(form=self.target.second_names[self._form])
            paths.append(self.writer.path_for_new_file(second))
            link_or_copy(paths[0], paths[-1])
        directory = self.writer.directory
        self._written = tuple(path.relative_to(directory).as_posix() for path in paths)
        artifact = Artifact(
            target=self.target.name,
            precision=self.precision,
            layers=self._layers,
            file=file,
            files=tuple(map(self.writer.settle, self._written)),
            shapes=self._sizes,
            opset=emitted.opset,
            inputs=emitted.inputs,
            outputs=emitted.outputs,
            sharing=emitted.sharing.to_dict(),
            versions=emitted.versions,
            facts={
                **emitted.facts,
                "fresh_weights": fresh,
                "traced_sizes": emitted.traced_sizes,
                **self._facts,
                **(facts or {}),
            },
        )
        self.writer.put_artifact(artifact)
        return artifact

    def forget(self) -> None:
        """Let go of the traced model."""
        self._kept = None

    def _load(self, *, quiet: bool) -> tuple[Any, Any]:
        load_eager = resolve(f"{FRAMEWORKS[self.target.framework].module}:load_eager")
        eager, fresh = load_eager(self.checkpoint, self.task, allow_random_head=self.allow_random_head)
        if fresh and not quiet:
            self.say(f"warning: the checkpoint lacks {', '.join(fresh)}: filled freshly, train them before use")
        return eager, fresh
