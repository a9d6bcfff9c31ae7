"""What a build can be told, the releases, and the trtexec command that builds the same."""

from __future__ import annotations

import pytest

from albert_export.engines.options import HARDWARE_LEVELS, TRTEXEC_LEVELS, EngineOptions, workspace_bytes
from albert_export.engines.profiles import parse_profiles
from albert_export.engines.support import NEWEST, OPERATORS, RELEASES, TYPE_BYTES, TYPES, release_of
from albert_export.engines.trtexec import trtexec_command
from albert_export.errors import InputError
from albert_export.tasks import get_task


@pytest.mark.parametrize(
    ("text", "size"), [("1", 1), (4096, 4096), ("4G", 4 << 30), ("512m", 512 << 20), ("1KiB", 1024), ("2 GB", 2 << 30)]
)
def test_bytes(text: str | int, size: int) -> None:
    assert workspace_bytes(text) == size


@pytest.mark.parametrize("text", ["", "0", "-1", "4T", "much", True, 1.5])
def test_what_is_no_number_of_bytes(text: object) -> None:
    with pytest.raises(InputError, match=r"workspace must be a number of bytes.*fix: write 4G"):
        workspace_bytes(text)  # type: ignore[arg-type]


def test_releases() -> None:
    assert release_of("10.13.2.6").major == 10
    assert release_of("11") is NEWEST is RELEASES[-1]
    for other in ("8.6.1", "12.0", "", "new"):
        with pytest.raises(InputError, match=r"TensorRT must be 10\.x or 11\.x"):
            release_of(other)


def test_the_tables_name_each_other() -> None:
    assert set(HARDWARE_LEVELS) == set(TRTEXEC_LEVELS)
    assert set(TYPES.values()) == set(TYPE_BYTES)
    for row in OPERATORS.values():
        assert row.types | (row.results or frozenset()) <= set(TYPE_BYTES)


def command(major: str, *profiles: str, **options: object) -> list[str]:
    task = get_task("qa")
    return trtexec_command(
        "net.onnx",
        "out.engine",
        inputs=[spec.name for spec in task.inputs],
        profiles=parse_profiles(profiles, task, longest=512, sizes={}),
        options=EngineOptions(**options),  # type: ignore[arg-type]
        release=release_of(major),
        dynamic=bool(profiles),
    ).split()


def test_trtexec_builds_the_same() -> None:
    words = command(
        "10",
        "1x16,8x128,32x384",
        workspace="4G",
        timing_cache="cache.bin",
        version_compatible=True,
        hardware_compatible="same",
    )
    assert words[:3] == ["trtexec", "--onnx=net.onnx", "--saveEngine=out.engine"]
    assert "--minShapes=input_ids:1x16,attention_mask:1x16,token_type_ids:1x16" in words
    assert "--maxShapes=input_ids:32x384,attention_mask:32x384,token_type_ids:32x384" in words
    assert {"--stronglyTyped", "--versionCompatible", "--noTF32", "--timingCacheFile=cache.bin"} <= set(words)
    assert {"--memPoolSize=workspace:4294967296B", "--hardwareCompatibilityLevel=sameComputeCapability"} <= set(words)
    assert not {word for word in words if word.startswith(("--fp16", "--int8", "--profile"))}


def test_trtexec_of_11_is_always_typed_and_numbers_several_profiles() -> None:
    words = command("11", "1x1,1x8,1x16", "1x1,8x128,32x384")
    assert "--stronglyTyped" not in words
    assert [word for word in words if word.startswith("--profile")] == ["--profile=0", "--profile=1"]
    assert words.index("--profile=1") > words.index(
        "--maxShapes=input_ids:1x16,attention_mask:1x16,token_type_ids:1x16"
    )
    assert not [word for word in command("11") if "Shapes" in word], "fixed shapes take no profile"
