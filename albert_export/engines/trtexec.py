"""The trtexec command that builds the same engine from the same network."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from albert_export.engines.options import TRTEXEC_LEVELS, EngineOptions, workspace_bytes
from albert_export.engines.profiles import Profile
from albert_export.engines.support import Release


def trtexec_command(
    network: str,
    engine: str,
    *,
    inputs: Sequence[str],
    profiles: Sequence[Profile],
    options: EngineOptions,
    release: Release,
    dynamic: bool,
) -> str:
    """Return the command as one line for a shell.

    Args:
        network: Path of the ONNX file.
        engine: Path of the engine to write.
        inputs: Names of the network's inputs, all of one shape.
        profiles: Its profiles.
        options: How it is built.
        release: Of TensorRT: its flags differ.
        dynamic: Whether any axis is: a network of fixed shapes takes no profile.
    """
    words = ["trtexec", f"--onnx={network}", f"--saveEngine={engine}"]
    if release.typed_flag:
        words.append("--stronglyTyped")
    for index, profile in enumerate(profiles if dynamic else ()):
        if len(profiles) > 1:
            words.append(f"--profile={index}")
        for flag, shape in zip(("--minShapes", "--optShapes", "--maxShapes"), profile.shapes, strict=True):
            sizes = "x".join(map(str, shape))
            words.append(f"{flag}={','.join(f'{name}:{sizes}' for name in inputs)}")
    if options.workspace is not None:
        words.append(f"--memPoolSize=workspace:{workspace_bytes(options.workspace)}B")
    if options.timing_cache is not None:
        words.append(f"--timingCacheFile={options.timing_cache}")
    if options.version_compatible:
        words.append("--versionCompatible")
    if options.hardware_compatible is not None:
        words.append(f"--hardwareCompatibilityLevel={TRTEXEC_LEVELS[options.hardware_compatible]}")
    # TF32 keeps 10 bits of each factor, and is on by default; --skipInference: the engine is built, and not timed.
    return shlex.join([*words, "--noTF32", "--skipInference"])
