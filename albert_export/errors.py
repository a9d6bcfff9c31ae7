"""The errors a user can meet, as one tree.

::

    AlbertExportError                 every error below; the command line prints it as one line, exit code 2
    ├── ConfigError                   a field of AlbertConfig breaks a rule            (also ValueError)
    ├── UnknownNameError              no task, target, precision … of that name       (also ValueError)
    ├── InputError                    text or arrays that cannot be run               (also ValueError)
    ├── TokenizerError                a vocabulary or tokenizer file cannot be used   (also ValueError)
    ├── CheckpointError               a checkpoint cannot be found or read
    │   └── WeightsMismatchError      its weights are not those the model needs
    ├── MissingDependencyError        a package is not installed; names the extra     (also ImportError)
    ├── DeviceError                   this machine lacks the device or provider asked for
    ├── ExportError                   tracing, a pass or an emitter failed
    │   └── SharingError              a shared weight was copied: the guarantee is broken
    ├── BundleError                   a bundle cannot be read or written
    │   ├── IntegrityError            a file is missing, altered or outside the bundle
    │   └── ConflictError             another task, checkpoint or writer holds the directory
    └── ParityError                   the artifact does not compute what the eager model computes (exit code 1)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

#: Name of the installed package.
DISTRIBUTION = "albert-export"


def install_command(*extras: str, upgrade: bool = False) -> str:
    """Return the command that brings extras, as the fix of an error.

    The name needs no package index: pip adds the extras to the package that is installed, one from a checkout too. A
    checkout that is only on the path has to be installed first.

    Args:
        extras: Names of extras.
        upgrade: Whether packages that are too old may be there.
    """
    import importlib.metadata

    try:
        importlib.metadata.version(DISTRIBUTION)
        name, first = DISTRIBUTION, ""
    except importlib.metadata.PackageNotFoundError:
        # The package's parent is the checkout's root.
        name, first = ".", f"cd '{Path(__file__).resolve().parent.parent}' && "
    return f"{first}pip install {'--upgrade ' if upgrade else ''}'{name}[{','.join(extras)}]'"


class AlbertExportError(Exception):
    """A user error, told in one line: the rule, what was received, the fix.

    Args:
        rule: What must hold, as a sentence without its full stop.
        received: What was found instead; shown with ``repr`` unless it is a string with something in it.
        fix: What the user can do about it.
    """

    exit_code = 2

    def __init__(self, rule: str, *, received: object = None, fix: str | None = None) -> None:
        self.rule = rule
        self.received = received
        self.fix = fix
        parts = [rule]
        if received is not None:
            # An empty text, or one of white space, shows only by its quotes.
            shown = received if isinstance(received, str) and received.strip() else repr(received)
            parts.append(f"received {shown}")
        if fix is not None:
            parts.append(f"fix: {fix}")
        super().__init__(" ".join("; ".join(parts).split()))

    def __reduce__(self) -> tuple[Any, ...]:
        # Exception's own way would call the constructor with the message alone, which some subclasses cannot take:
        # an error of a worker process would then arrive as a TypeError.
        return _restore, (type(self), self.args, self.__dict__)


def _restore(kind: type[AlbertExportError], args: tuple[Any, ...], fields: dict[str, Any]) -> AlbertExportError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(fields)
    return error


class ConfigError(AlbertExportError, ValueError):
    """A field of :class:`albert_export.AlbertConfig` breaks a rule."""


class UnknownNameError(AlbertExportError, ValueError):
    """No entry of that name in one of the tables; the message names the nearest."""

    def __init__(self, kind: str, received: str, known: Sequence[str]) -> None:
        self.known = tuple(known)
        near = get_close_matches(str(received).lower(), self.known, n=3, cutoff=0.4)
        fix = f"did you mean {' or '.join(near)}?" if near else "choose one of these"
        super().__init__(f"{kind} must be one of {', '.join(self.known)}", received=received, fix=fix)


class InputError(AlbertExportError, ValueError):
    """Text or arrays that the model cannot take."""


class TokenizerError(AlbertExportError, ValueError):
    """A vocabulary or tokenizer file cannot be used."""


class CheckpointError(AlbertExportError):
    """A checkpoint cannot be found or read."""


class WeightsMismatchError(CheckpointError):
    """The checkpoint's weights are not those the model needs.

    Attributes:
        missing: Parameters the checkpoint does not fill, by their names in the model.
        unexpected: Names in the checkpoint that no parameter takes.
        mismatched: ``name: shape in the checkpoint against shape in the model``.
    """

    def __init__(
        self,
        rule: str,
        *,
        missing: Iterable[str] = (),
        unexpected: Iterable[str] = (),
        mismatched: Iterable[str] = (),
        fix: str | None = None,
    ) -> None:
        self.missing = tuple(sorted(missing))
        self.unexpected = tuple(sorted(unexpected))
        self.mismatched = tuple(sorted(mismatched))
        lists = {"missing": self.missing, "unexpected": self.unexpected, "of another shape": self.mismatched}
        received = ", ".join(f"{kind}: [{', '.join(names)}]" for kind, names in lists.items() if names)
        super().__init__(rule, received=received or None, fix=fix)


class MissingDependencyError(AlbertExportError, ImportError):
    """A package that this step needs is not installed.

    Args:
        package: Its name.
        needed_for: What the user asked for; begins the sentence.
        extra: The extra that brings it.
        otherwise: How to do without.
        install: The command that brings it, where no extra can.
    """

    def __init__(
        self, package: str, *, needed_for: str, extra: str, otherwise: str | None = None, install: str | None = None
    ) -> None:
        self.package = package
        self.extra = extra
        super().__init__(
            f"{needed_for} needs the package {package}, which is not installed",
            fix=f"{install or install_command(extra)}{'' if otherwise is None else f', or {otherwise}'}",
        )


class DeviceError(AlbertExportError):
    """This machine lacks the device or execution provider asked for."""


class ExportError(AlbertExportError):
    """Tracing, a graph pass or an emitter failed; nothing was written."""


class SharingError(ExportError):
    """An artifact stores more weight bytes than the model has unique parameters."""


class BundleError(AlbertExportError):
    """A bundle cannot be read or written."""


class IntegrityError(BundleError):
    """A file of the bundle is missing, altered, or points outside it."""


class ConflictError(BundleError):
    """The directory holds another task or checkpoint, or another writer is at work in it."""


class ParityError(AlbertExportError):
    """The artifact does not compute what the eager model computes."""

    exit_code = 1
