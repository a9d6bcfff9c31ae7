"""Where an engine runs: NVIDIA's rules, the refusal, and the command that builds it anew."""

from __future__ import annotations

from dataclasses import replace

import pytest

from albert_export.engines.facts import EngineFacts, Place, check_runs_here, read_facts, why_not
from albert_export.errors import BundleError, DeviceError

H200 = Place("NVIDIA H200", "9.0", "580.95.05", "11.4.0.106", "Linux x86_64")
ENGINE = EngineFacts(H200, version_compatible=False, hardware_compatible=None)


@pytest.mark.parametrize(
    ("here", "version", "hardware", "reason"),
    [
        ({}, False, None, None),
        ({"driver": "590.1"}, False, None, None),  # CUDA's drivers are compatible backwards
        ({"gpu": "NVIDIA H100"}, False, None, "built on NVIDIA H200, and this is NVIDIA H100"),
        ({"gpu": "NVIDIA H100"}, False, "same", None),
        ({"gpu": "NVIDIA L4", "compute_capability": "8.9"}, False, "same", "runs on compute capability 9.0"),
        ({"gpu": "NVIDIA L4", "compute_capability": "8.9"}, False, "ampere+", None),
        ({"gpu": "NVIDIA B200", "compute_capability": "10.0"}, False, "ampere+", None),
        (
            {"gpu": "Tesla T4", "compute_capability": "7.5"},
            False,
            "ampere+",
            "8.0 and newer, and this Tesla T4 has 7.5",
        ),
        ({"tensorrt": "11.4.1.3"}, False, None, "built with TensorRT 11.4.0.106, and this is 11.4.1.3"),
        ({"tensorrt": "11.5.0.1"}, True, None, None),
        ({"tensorrt": "11.3.9.9"}, True, None, "11.4.0.106 or a later one, and this is 11.3.9.9"),
        ({"tensorrt": "12.0.0.1"}, True, None, "12.0.0.1"),
        ({"system": "Windows AMD64"}, True, "ampere+", "built on Linux x86_64, and this is Windows AMD64"),
    ],
)
def test_where_an_engine_runs(here: dict[str, str], version: bool, hardware: str | None, reason: str | None) -> None:
    found = why_not(EngineFacts(H200, version, hardware), replace(H200, **here))
    if reason is None:
        assert found is None
    else:
        assert found is not None
        assert reason in found


def test_only_10_goes_over_into_11() -> None:
    old = EngineFacts(replace(H200, tensorrt="10.13.2.6"), version_compatible=True, hardware_compatible=None)
    assert why_not(old, H200) is None
    older = EngineFacts(replace(H200, tensorrt="8.6.1.6"), version_compatible=True, hardware_compatible=None)
    assert why_not(older, H200) is not None


def test_the_refusal_ends_with_the_command() -> None:
    check_runs_here(ENGINE, H200, file="tensorrt/model.engine", rebuild="albert-export …")
    with pytest.raises(DeviceError) as caught:
        check_runs_here(ENGINE, replace(H200, gpu="NVIDIA L4"), file="tensorrt/model.engine", rebuild="albert-export …")
    assert str(caught.value) == (
        "the engine tensorrt/model.engine must be built for this machine; received it was built on NVIDIA H200, "
        "and this is NVIDIA L4; fix: albert-export …"
    )


def test_facts_go_through_a_manifest_and_damaged_ones_are_told() -> None:
    assert read_facts({"engine": ENGINE.to_dict()}, "x") == ENGINE
    for damaged in (
        {},
        {"engine": None},
        {"engine": {"built": {}}},
        {"engine": {**ENGINE.to_dict(), "hardware_compatible": "all"}},
    ):
        with pytest.raises(BundleError, match="the manifest must tell where the engine x was built"):
            read_facts(damaged, "x")
