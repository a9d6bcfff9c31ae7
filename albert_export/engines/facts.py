"""Where an engine was built, and where it runs.

An engine is machine code. Without further options it runs on GPUs of the model that it was built on, under the same
system and the very same release of TensorRT. What it was built with stands in the manifest, and is compared before
TensorRT, whose own message names neither, gets the file.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from albert_export.engines.options import HARDWARE_LEVELS
from albert_export.errors import BundleError, DeviceError

if TYPE_CHECKING:
    from albert_export.bundle import Artifact, Bundle

#: Where a manifest's facts hold them.
KEY = "engine"


@dataclass(frozen=True)
class Place:
    """A machine that engines are built or run on.

    Attributes:
        gpu: Name of the GPU, e.g. ``NVIDIA H200``.
        compute_capability: Of the GPU, e.g. ``9.0``.
        driver: Version of its driver.
        tensorrt: Version of TensorRT, four numbers.
        system: Operating system and architecture, e.g. ``Linux x86_64``: engines do not cross them.
    """

    gpu: str
    compute_capability: str
    driver: str
    tensorrt: str
    system: str


@dataclass(frozen=True)
class EngineFacts:
    """What an engine was built with.

    Attributes:
        built: Where.
        version_compatible: Whether later releases of TensorRT run it.
        hardware_compatible: ``ampere+``, ``same``, or None for the GPU's model alone.
    """

    built: Place
    version_compatible: bool
    hardware_compatible: str | None

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values for the manifest, which :func:`read_facts` reads."""
        return asdict(self)


def read_facts(facts: Mapping[str, Any], file: str) -> EngineFacts:
    """Return what a manifest tells of an engine.

    Raises:
        BundleError: It does not tell it.
    """
    entry = facts.get(KEY)
    try:
        assert entry is not None, "no entry"
        built = Place(**{field.name: str(entry["built"][field.name]) for field in fields(Place)})
        level = entry["hardware_compatible"]
        if level is not None and level not in HARDWARE_LEVELS:
            raise ValueError(level)
        return EngineFacts(built, bool(entry["version_compatible"]), level)
    except (AssertionError, KeyError, TypeError, ValueError) as error:
        raise BundleError(
            f"the manifest must tell where the engine {file} was built", received=repr(entry), fix="export it again"
        ) from error


def why_not(engine: EngineFacts, here: Place) -> str | None:
    """Return what keeps an engine from running here, in words, or None.

    The rules are NVIDIA's ("Engine Compatibility" and "Support Matrix" of the TensorRT documentation).
    """
    built = engine.built
    if built.system != here.system:
        return f"it was built on {built.system}, and this is {here.system}"
    if built.tensorrt != here.tensorrt and not (engine.version_compatible and _later(here.tensorrt, built.tensorrt)):
        later = " or a later one" if engine.version_compatible else ""
        return f"it was built with TensorRT {built.tensorrt}{later}, and this is {here.tensorrt}"
    level = engine.hardware_compatible
    if level == "ampere+":
        if _numbers(here.compute_capability) < (8, 0):
            return f"it runs on compute capability 8.0 and newer, and this {here.gpu} has {here.compute_capability}"
    elif level == "same":
        if built.compute_capability != here.compute_capability:
            return (
                f"it runs on compute capability {built.compute_capability}, and this {here.gpu} has "
                f"{here.compute_capability}"
            )
    elif (built.gpu, built.compute_capability) != (here.gpu, here.compute_capability):
        return f"it was built on {built.gpu}, and this is {here.gpu}"
    return None


def check_runs_here(engine: EngineFacts, here: Place, *, file: str, rebuild: str) -> None:
    """Refuse an engine that was built for another place.

    Args:
        engine: What it was built with.
        here: This machine.
        file: The engine's file, for the message.
        rebuild: The command that builds it here.

    Raises:
        DeviceError: It does not run here; the fix is ``rebuild``.
    """
    reason = why_not(engine, here)
    if reason is not None:
        raise DeviceError(f"the engine {file} must be built for this machine", received=reason, fix=rebuild)


def _later(here: str, built: str) -> bool:
    """Whether a version-compatible engine of ``built`` runs in ``here``: later, of the same major; or 10 in 11."""
    mine, theirs = _numbers(here), _numbers(built)
    return mine >= theirs and (mine[:1] == theirs[:1] or (theirs[:1], mine[:1]) == ((10,), (11,)))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


def rebuild_command(bundle: Bundle, artifact: Artifact) -> str:
    """Return the command that builds an artifact's engine again, on the machine where it is run.

    The checkpoint and the texts of a calibration are those that the manifest names; directories and files, of which it
    keeps the last name only, have to be there under it.
    """
    source = bundle.manifest.source
    words: list[str] = ["albert-export", artifact.target, "--task", bundle.task.name, "--model", source.name]
    if source.revision is not None:
        words += ["--revision", source.revision]
    words += ["--out", str(bundle.path), "--precision", artifact.precision, "--layers", artifact.layers]
    words += [word for axis, size in artifact.shapes.items() if size for word in (f"--{axis}", str(size))]
    words += _profile_words(artifact.facts.get("profiles", ()))
    if artifact.facts.get("quantized"):
        words += ["--quantize", ",".join(artifact.facts["quantized"])]
    if artifact.facts.get("calibrated_on"):
        words += ["--calibrate", str(artifact.facts["calibrated_on"])]
    if artifact.facts.get("fresh_weights"):
        words.append("--allow-random-head")
    facts = artifact.facts.get(KEY, {})
    if facts.get("version_compatible"):
        words.append("--version-compatible")
    if facts.get("hardware_compatible"):
        words += ["--hardware-compatible", facts["hardware_compatible"]]
    return shlex.join(words)


def _profile_words(profiles: Sequence[Mapping[str, Any]]) -> list[str]:
    words = []
    for entry in profiles:
        shapes = ("x".join(map(str, entry[name])) for name in ("min", "opt", "max"))
        words += ["--profile", ",".join(shapes)]
    return words
