"""Engines: built, written down, refused elsewhere, run within their profiles. TensorRT is a stand-in."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import albert_export
from albert_export._nvidia import Gpu
from albert_export._tensorrt import load_tensorrt
from albert_export.bench.entries import Entry
from albert_export.bench.shapes import parse_shapes
from albert_export.bundle import Bundle
from albert_export.engines.options import EngineOptions
from albert_export.errors import BundleError, DeviceError, ExportError, InputError, MissingDependencyError
from albert_export.exporting import export
from tests.fake_tensorrt import H200, L4, NO_ENGINE, NOT_LOADED, NOT_RUN, OUT_OF_MEMORY, FakeTensorRt, install

PROFILES = ("1x4,2x16,4x24", "1x4,1x8,2x8")


def built(out: Path, **options: object) -> Bundle:
    options = {"model": "albert-seeded", "task": "qa", "parity": False, **options}
    return export("tensorrt", out=out, **options)  # type: ignore[arg-type]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeTensorRt:
    return install(monkeypatch)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    with pytest.MonkeyPatch.context() as patch:
        install(patch)
        engine = EngineOptions(profiles=PROFILES)
        return built(tmp_path_factory.mktemp("engine") / "qa", engine=engine)


def test_an_export_is_proven_and_tells_where_it_was_built(fake: FakeTensorRt, tmp_path: Path) -> None:
    engine = EngineOptions(
        profiles=("1x4,2x16,4x24",),
        workspace="1G",
        timing_cache=tmp_path / "cache.bin",
        version_compatible=True,
        hardware_compatible="ampere+",
    )
    bundle = built(tmp_path / "qa", parity=True, engine=engine)
    (artifact,) = bundle.manifest.artifacts
    assert (artifact.file, artifact.layers, artifact.opset) == ("tensorrt/model.engine", "rolled", None)
    assert artifact.parity is not None
    assert artifact.parity["ok"]
    assert artifact.facts["engine"] == {
        "built": {
            "gpu": "NVIDIA H200",
            "compute_capability": "9.0",
            "driver": "580.95.05",
            "tensorrt": "11.4.0.106",
            "system": artifact.facts["engine"]["built"]["system"],
        },
        "version_compatible": True,
        "hardware_compatible": "ampere+",
    }
    assert artifact.facts["profiles"] == [
        {"axes": ["batch", "sequence"], "min": [1, 4], "opt": [2, 16], "max": [4, 24]}
    ]
    assert artifact.versions["tensorrt"] == "11.4.0.106"
    assert artifact.versions["polygraphy"] == "0.53.6"
    assert fake.config["memory_pool_limits"] == {"workspace": 1 << 30}
    assert fake.config["tf32"] is False
    assert fake.config["version_compatible"] is True
    assert fake.config["hardware_compatibility_level"] == "AMPERE_PLUS"
    assert fake.config["load_timing_cache"] is None, "it is not there yet"
    assert fake.saved_cache == str(tmp_path / "cache.bin")
    assert fake.network == {}, "from 11 on every network is typed"
    assert fake.profiles == [
        dict.fromkeys(("input_ids", "attention_mask", "token_type_ids"), ((1, 4), (2, 16), (4, 24)))
    ]


def test_10_is_told_that_the_network_is_typed_and_fixed_shapes_take_no_profile(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake = install(monkeypatch, "10.13.2.6")
    (tmp_path / "cache.bin").write_bytes(b"measured")
    engine = EngineOptions(timing_cache=tmp_path / "cache.bin")
    built(tmp_path / "qa", precision="fp16", batch=2, sequence=12, engine=engine)
    assert fake.network == {"strongly_typed": True}
    assert fake.config["profiles"] is None
    assert fake.config["load_timing_cache"] == str(tmp_path / "cache.bin")
    assert Bundle.open(tmp_path / "qa").manifest.artifacts[0].file == "tensorrt/model_fp16_b2_s12.engine"


def test_int8_is_calibrated_and_unrolled_unless_told_otherwise(fake: FakeTensorRt, tmp_path: Path) -> None:
    (artifact,) = built(tmp_path / "qa", precision="int8").manifest.artifacts
    assert artifact.file == "tensorrt/model_int8_static_unrolled.engine"
    assert artifact.layers == "unrolled"
    assert artifact.facts["calibration_texts"] > 10
    assert artifact.facts["calibrated_on"] == "builtin"
    assert fake.profiles
    own = tmp_path / "folder" / "ours.txt"
    own.parent.mkdir()
    own.write_text("One sentence of mine.\nAnd another one.\n")
    (artifact,) = built(tmp_path / "own", precision="int8", calibrate=own).manifest.artifacts
    assert artifact.facts["calibrated_on"] == "ours.txt", "without the folders of this machine"


def test_a_run_is_the_models_within_a_profile_and_padded_below_it(bundle: Bundle, fake: FakeTensorRt) -> None:
    onnx = export("onnx", model="albert-seeded", task="qa", out=bundle.path.parent / "onnx", parity=False)
    with albert_export.load(bundle) as engine, albert_export.load(onnx, device="cpu") as reference:
        fake.profiles = [
            dict.fromkeys(("input_ids", "attention_mask", "token_type_ids"), profile.shapes)
            for profile in engine.profiles  # type: ignore[attr-defined]
        ]
        assert (engine.device, engine.longest, engine.most_rows) == ("cuda", 24, 2)
        assert "NVIDIA H200" in engine.reason
        assert engine.describe()["profiles"] == list(PROFILES)
        for batch, length in ((1, 1), (2, 8), (4, 24), (3, 3), (1, 24)):
            ids = np.random.default_rng(length).integers(5, 100, (batch, length))
            mask = np.ones_like(ids)
            mask[0, length // 2 + 1 :] = 0
            got = engine.run(input_ids=ids, attention_mask=mask)
            expected = reference.run(input_ids=ids, attention_mask=mask)
            for name, array in expected.items():
                assert got[name].shape == array.shape
                np.testing.assert_allclose(got[name], array, atol=1e-4)
        assert fake.chosen == [1, 0], "the tightest profile, changed only where it is another"
        with pytest.raises(InputError, match=r"from 1x4 to 4x24 or 1x4 to 2x8; received 5x4; fix: run fewer"):
            engine.run(input_ids=np.ones((5, 4), dtype=np.int64))
        fake.fail(NOT_RUN, OUT_OF_MEMORY)
        told = r"cuda must finish a run of 1x4 ids; received Error Code 2: OutOfMemory \(Req.*fix: run fewer or shorter"
        with pytest.raises(DeviceError, match=told):
            engine.run(input_ids=[[2, 3, 4, 5]])
        assert engine.run(input_ids=[[2, 3, 4, 5]])["start_logits"].shape == (1, 4), "the process stays usable"


def test_bench_times_what_a_profile_takes(bundle: Bundle) -> None:
    entry = Entry("engine", bundle, bundle.manifest.artifacts[0])
    assert [entry.takes(shape) for shape in parse_shapes("1x1,4x24,2x8")] == [True] * 3
    assert [entry.takes(shape) for shape in parse_shapes("5x1,1x25")] == [False] * 2
    assert entry.limits == "shapes up to 4x24 or 2x8"


def test_a_pipeline_keeps_to_the_profiles(bundle: Bundle, fake: FakeTensorRt) -> None:
    with albert_export.pipeline(bundle) as qa:
        assert qa.max_length == 24
        qa(question="Who wrote them?", context="Ada Lovelace wrote the notes in London. " * 12)


@pytest.mark.parametrize(
    ("version", "gpus", "told"),
    [
        ("11.4.0.106", (L4,), "it was built on NVIDIA H200, and this is NVIDIA L4"),
        ("11.5.0.1", (H200,), "it was built with TensorRT 11.4.0.106, and this is 11.5.0.1"),
    ],
)
def test_an_engine_opened_elsewhere_is_refused_with_the_command(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, version: str, gpus: tuple[Gpu, ...], told: str
) -> None:
    install(monkeypatch, version, gpus)
    with pytest.raises(DeviceError) as caught:
        albert_export.load(bundle)
    line = str(caught.value)
    assert told in line
    assert "\n" not in line
    command = line.partition("fix: ")[2].split()
    head = ["albert-export", "tensorrt", "--task", "question-answering", "--model", "albert-seeded", "--out"]
    assert command[:8] == [*head, str(bundle.path)]
    assert command[8:] == [
        "--precision",
        "fp32",
        "--layers",
        "rolled",
        "--profile",
        PROFILES[0],
        "--profile",
        PROFILES[1],
    ]


def test_the_command_of_the_refusal_is_one_that_the_program_takes(bundle: Bundle) -> None:
    from albert_export.cli import program
    from albert_export.engines.facts import rebuild_command

    artifact = bundle.manifest.artifacts[0]
    facts = {**artifact.facts, "calibrated_on": "ours.txt", "fresh_weights": ["qa_outputs.weight"]}
    facts["engine"] = {**facts["engine"], "version_compatible": True, "hardware_compatible": "same"}
    shapes = {"batch": 2, "sequence": None}
    words = rebuild_command(bundle, replace(artifact, facts=facts, shapes=shapes)).split()[1:]
    command = program.commands[words[0]]
    with command.make_context("tensorrt", words[1:]) as context:
        assert context.params["profiles"] == PROFILES
        assert context.params["batch"] == 2
        assert str(context.params["calibrate"]) == "ours.txt"
        assert context.params["allow_random_head"]
        assert (context.params["version_compatible"], context.params["hardware_compatible"]) == (True, "same")


def test_what_is_missing_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bundle: Bundle) -> None:
    fake = install(monkeypatch, gpus=())
    with pytest.raises(DeviceError, match=r"needs an NVIDIA GPU with a driver; received none: libcuda.*--plan tells"):
        built(tmp_path / "qa")
    with pytest.raises(DeviceError, match="running TensorRT engines needs an NVIDIA GPU"):
        albert_export.load(bundle)
    for name in fake.modules:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingDependencyError, match=r"needs the package polygraphy.*albert-export\[onnx,tensorrt\]"):
        built(tmp_path / "qa")
    with pytest.raises(MissingDependencyError, match="running TensorRT engines needs the package polygraphy"):
        albert_export.load(bundle)
    assert not (tmp_path / "qa").exists()


def test_bindings_without_libraries_and_versions_without_a_row(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("tensorrt", "tensorrt_bindings"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    (tmp_path / "tensorrt.py").write_text(
        'raise ImportError("libnvinfer.so.11: cannot open shared object file: No such file or directory")\n'
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(DeviceError, match=r"libraries beside its Python bindings; received libnvinfer.so.11.*fix: pip"):
        load_tensorrt("a test")
    (tmp_path / "tensorrt.py").write_text("from tensorrt_bindings import Logger\n")
    with pytest.raises(MissingDependencyError, match=r"the package tensorrt, which.*pip install tensorrt, or put"):
        load_tensorrt("a test")
    old = ModuleType("tensorrt")
    old.__version__ = "8.6.1"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tensorrt", old)
    with pytest.raises(DeviceError, match=r"a test needs TensorRT 10.x or 11.x; received tensorrt 8.6.1"):
        load_tensorrt("a test")


def test_a_build_that_fails_leaves_nothing_and_tells_tensorrts_reason(
    fake: FakeTensorRt, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lacking = "[optimizer.cpp::computeCosts::4116] Error Code 10: Internal Error (no implementation for node {Loop})"
    fake.fail(NO_ENGINE, lacking)
    told = r"TensorRT 11.4.0.106 must build the network; received Error Code 10: Internal Error \(no .*{Loop}\); fix"
    with pytest.raises(ExportError, match=told):
        built(tmp_path / "qa")
    fake.fail("something else, of which nothing is logged")
    with pytest.raises(ExportError, match="received something else"):
        built(tmp_path / "qa")
    fake.fail(NO_ENGINE, OUT_OF_MEMORY)
    with pytest.raises(DeviceError, match=r"NVIDIA H200 must have the memory.*fix: end the profile with a smaller"):
        built(tmp_path / "qa")
    fake.fail("factory function returned nullptr", "CUDA initialization failure with error: 35.")
    with pytest.raises(DeviceError, match=r"NVIDIA H200 must build the engine; received CUDA.*error: 35.*nvidia-smi"):
        built(tmp_path / "qa")
    assert list(tmp_path.iterdir()) == []
    said = capsys.readouterr()
    assert "[E]" not in said.out + said.err, "what TensorRT logs is in the error, and nowhere else"


def test_what_cannot_be_opened(bundle: Bundle, fake: FakeTensorRt) -> None:
    fake.fail(NOT_LOADED, "IRuntime::deserializeCudaEngine: Error Code 1: Serialization (magicTag does not match.)")
    with pytest.raises(
        BundleError, match=r"must be an engine that TensorRT 11.4.0.106 loads; received IRuntime.*magicTag.*fix: albert"
    ):
        albert_export.load(bundle)
    fake.fails = OSError("libcudart.so.13: cannot open shared object file: No such file or directory")
    with pytest.raises(DeviceError, match=r"NVIDIA H200 must load tensorrt/model.engine; received libcudart.*LD_LIB"):
        albert_export.load(bundle)
    fake.fail(NOT_LOADED, OUT_OF_MEMORY)
    with pytest.raises(DeviceError, match=r"must load tensorrt/model.engine; received Error Code 2: OutOf"):
        albert_export.load(bundle)
    with pytest.raises(InputError, match="TensorRT takes no number of threads"):
        albert_export.load(bundle, threads=2)
    with pytest.raises(DeviceError, match=r"TensorRT engines needs GPU 1; received NVIDIA H200; fix: name cuda:0"):
        albert_export.load(bundle, device="cuda:1")
    with pytest.raises(DeviceError, match="run on cuda"):
        albert_export.load(bundle, device="cpu")
    with albert_export.load(bundle) as engine:
        engine.close()
        with pytest.raises(Exception, match="must be open"):
            engine.run(input_ids=[[1, 2, 3, 4]])


@pytest.mark.parametrize(
    ("engine", "told"),
    [
        (EngineOptions(profiles=("4x1,1x1,1x1",)), "batch 4, 1, 1"),
        (EngineOptions(profiles=("1x1,1x1,1x9999",)), "max_position_embeddings"),
        (EngineOptions(workspace="lots"), "workspace must be"),
        (EngineOptions(timing_cache="nowhere/at/all/cache.bin"), "timing_cache must be a file in a folder that can be"),
        (EngineOptions(timing_cache="."), "timing_cache must be a file in a folder that can be"),
        (EngineOptions(hardware_compatible="ampere"), r"did you mean ampere\+"),
    ],
)
def test_bad_options_are_told_before_anything_is_looked_for(engine: EngineOptions, told: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=told):
        built(tmp_path / "qa", engine=engine)
    with pytest.raises(InputError, match="ONNX artifacts are no engines"):
        export("onnx", task="qa", out=tmp_path / "qa", engine=engine)


# --- what the types compute


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_a_narrow_precision_passes_parity_with_its_types_obeyed(
    precision: str, fake: FakeTensorRt, tmp_path: Path
) -> None:
    engine = EngineOptions(profiles=("1x1,2x16,16x96",))
    made = built(tmp_path / "qa", model="albert-mini", precision=precision, parity=True, engine=engine)
    parity = made.manifest.artifacts[0].parity
    assert parity is not None
    assert parity["ok"]


def test_int8_leaves_out_what_costs_too_much_and_the_command_that_rebuilds_it_says_so(
    fake: FakeTensorRt, tmp_path: Path
) -> None:
    from albert_export.engines.facts import rebuild_command

    engine = EngineOptions(profiles=("1x1,2x16,16x96",))
    # No drop at all: what int8 costs the trained model is little, and how little depends on its weights.
    made = built(tmp_path / "qa", model="albert-mini", precision="int8", parity=True, engine=engine, max_drop=0.0)
    (artifact,) = made.manifest.artifacts
    assert artifact.parity is not None
    assert artifact.parity["ok"]
    left = artifact.facts["left_in_fp32"]
    assert left["kept_in"] == "fp16"
    assert left["parts"]
    assert set(left["parts"]).isdisjoint(artifact.facts["quantized"])
    assert f"--quantize {','.join(artifact.facts['quantized'])} " in rebuild_command(made, artifact)


def test_parity_of_multiple_choice_keeps_to_the_choices_of_a_profile(fake: FakeTensorRt, tmp_path: Path) -> None:
    engine = EngineOptions(profiles=("1x2x16,2x2x24,8x2x64",))
    made = built(tmp_path / "choice", task="choice", parity=True, engine=engine)
    parity = made.manifest.artifacts[0].parity
    assert parity is not None
    assert parity["ok"]
    assert {shape[1] for shape in fake.fed} == {2}


# --- what is refused


def test_what_a_release_or_a_gpu_does_not_have_is_told_before_the_build(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake = install(monkeypatch, "10.3.0.26")
    del fake.trt.HardwareCompatibilityLevel.SAME_COMPUTE_CAPABILITY
    with pytest.raises(DeviceError, match=r"hardware_compatible=same needs TensorRT 10.9.*received TensorRT 10.3"):
        built(tmp_path / "qa", engine=EngineOptions(hardware_compatible="same"))
    install(monkeypatch, gpus=(Gpu("Tesla T4", "7.5", "580.95.05", 15360),))
    with pytest.raises(DeviceError, match=r"bf16 needs a GPU of compute cap.*received Tesla T4, 7.5; fix: choose fp16"):
        built(tmp_path / "qa", precision="bf16")
    with pytest.raises(DeviceError, match=r"ampere\+ needs a GPU of compute capability 8.0 or more; received Tesla T4"):
        built(tmp_path / "qa", engine=EngineOptions(hardware_compatible="ampere+"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"profiles": []}, "must tell the profiles of the engine tensorrt/model.engine; received none; fix: albert"),
        ({"profiles": [{"axes": ["batch"]}]}, "must tell the profiles that an engine was built with"),
        ({"engine": {}}, "must tell where the engine tensorrt/model.engine was built"),
    ],
)
def test_a_manifest_that_does_not_tell(bundle: Bundle, fake: FakeTensorRt, facts: dict[str, object], told: str) -> None:
    from albert_export.runtimes.tensorrt_runtime import TensorRtRuntime

    artifact = bundle.manifest.artifacts[0]
    with pytest.raises(BundleError, match=told):
        TensorRtRuntime.open(bundle, replace(artifact, facts={**artifact.facts, **facts}))
