"""Writing a bundle's files anew as one consumer looks for them; the directory is there whole or not at all."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from albert_export._imports import resolve
from albert_export.bundle import Bundle
from albert_export.bundle.filesystem import taking_place, told_plainly, walk
from albert_export.bundle.paths import real_path
from albert_export.errors import ConflictError, InputError
from albert_export.layouts.consumers import FLAGS, get_consumer
from albert_export.layouts.place import Place


@dataclass(frozen=True)
class LaidOut:
    """What :func:`lay_out` wrote.

    Attributes:
        directory: Where.
        consumer: Name in the table of consumers.
        files: Paths below the directory, sorted, parts joined by ``/``.
        size: Bytes of all files; those that are hard links take no room of their own.
        start: Command that starts the consumer on it.
        notes: What the directory does not show, a line each.
    """

    directory: Path
    consumer: str
    files: tuple[str, ...]
    size: int
    start: str
    notes: tuple[str, ...] = field(default=())

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON values."""
        return {**dataclasses.asdict(self), "directory": str(self.directory)}


def lay_out(
    bundle: str | os.PathLike[str] | Bundle, consumer: str, out: str | os.PathLike[str], **choices: Any
) -> LaidOut:
    """Write what a consumer reads of a bundle into a directory of its own.

    Files that stay as they are become hard links where the file system has them: do not edit those.

    Args:
        bundle: The bundle or its directory; its hashes are compared first.
        consumer: Name in the table of consumers, e.g. ``triton``.
        out: Directory to write; absent or empty.
        **choices: Those that the consumer's row names; None stands for its default. ``name``: the model's name on a
            server, by default the bundle directory's. ``precision``, ``file``: the artifact. ``model_type``: what
            ``config.json`` is to say. ``backend``, ``plan``, ``max_batch_size``, ``queue_delay`` and ``instances``:
            see :mod:`albert_export.layouts.triton`.

    Raises:
        UnknownNameError: No consumer of that name.
        InputError: It cannot do the bundle's task, or leaves no such choice.
        ConflictError: ``out`` is in use.
        BundleError: The bundle lacks what the consumer reads, cannot be read, or ``out`` cannot be written.
    """
    row = get_consumer(consumer)
    chosen = {name: value for name, value in choices.items() if value is not None}
    for name in chosen:
        if name not in row.choices:
            raise InputError(
                f"{row.title} leaves the choices {', '.join(FLAGS[each] for each in row.choices)}",
                received=FLAGS.get(name, name),
                fix="leave it out",
            )
    opened = bundle if isinstance(bundle, Bundle) else Bundle.open(bundle)
    task = opened.manifest.task
    if row.tasks is not None and task not in row.tasks:
        raise InputError(f"{row.title} has a reader for {', '.join(row.tasks)}", received=f"a bundle for {task}")
    directory = _free(out)
    with told_plainly(f"writing {directory}"), taking_place(directory) as unfinished:
        place = Place(unfinished, opened)
        told = resolve(row.writer)(place, **chosen)
        files = [(path, entry.stat().st_size) for path, entry in walk(unfinished) if entry.is_file()]
    start = row.start.format_map({"out": directory, "parent": directory.parent, "folder": directory.name, **told})
    return LaidOut(
        directory=directory,
        consumer=row.name,
        files=tuple(sorted(path for path, _ in files)),
        size=sum(size for _, size in files),
        start=start,
        notes=tuple(place.notes),
    )


def _free(out: str | os.PathLike[str]) -> Path:
    directory = real_path(Path(out).expanduser())
    with told_plainly(f"looking at {directory}"):
        if not os.path.lexists(directory):
            return directory
        if directory.is_dir() and next(directory.iterdir(), None) is None:
            return directory
    raise ConflictError(
        "the directory of a layout must be absent or empty",
        received=f"{'one with other contents' if directory.is_dir() else 'a file'}: {directory}",
        fix="choose another, or empty it",
    )
