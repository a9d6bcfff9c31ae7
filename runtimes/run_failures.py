"""What a run that failed is told as, in one form for the runtimes of files."""

from __future__ import annotations

from collections.abc import Sequence

from albert_export.errors import BundleError, DeviceError


def too_large(device: str, shape: Sequence[int], detail: str, *, or_else: str = "") -> DeviceError:
    """Return the error for a run that the device has not the memory for.

    Args:
        device: By our name.
        shape: Of the ids.
        detail: What the runtime said.
        or_else: What else may mend it, after a comma.
    """
    return DeviceError(
        f"{device} must have the memory for {_run(shape)}",
        received=detail,
        fix=f"run fewer or shorter rows at a time{or_else}",
    )


def went_down(device: str, shape: Sequence[int], detail: str, *, fix: str) -> DeviceError:
    """Return the error for a run that a device did not outlive, or did not begin.

    Args:
        device: By our name.
        shape: Of the ids.
        detail: What the runtime said.
        fix: What mends it.
    """
    return DeviceError(f"{device} must stay up during {_run(shape)}", received=detail, fix=fix)


def cannot_compute(file: str, shape: Sequence[int], detail: str) -> BundleError:
    """Return the error for an artifact that cannot compute what its inputs allow.

    Args:
        file: Its name.
        shape: Of the ids.
        detail: What the runtime said.
    """
    return BundleError(f"{file} must compute {_run(shape)}", received=detail, fix="export it again")


def _run(shape: Sequence[int]) -> str:
    return f"a run of {'x'.join(map(str, shape))} ids"
