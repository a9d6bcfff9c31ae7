"""StableHLO artifacts in JAX: programs kept on the disk, buckets, and what files and devices that do not fit get."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from jax import export

from albert_export.bundle import Bundle
from albert_export.checkpoints.safetensors_file import numpy_tensors
from albert_export.checkpoints.writing import write_safetensors
from albert_export.errors import BundleError, DeviceError, InputError
from albert_export.exporting import export as export_bundle
from albert_export.runtimes import load, stablehlo_weights
from albert_export.runtimes.buckets import bucket_lengths
from albert_export.runtimes.devices import parse_device
from albert_export.runtimes.jax_versions import check_versions
from albert_export.runtimes.stablehlo_runtime import StableHloRuntime
from albert_export.targets import TARGETS

Exported = Callable[..., Path]

IDS = [[2, 7, 9, 3], [2, 8, 3, 0]]
MASK = [[1, 1, 1, 1], [1, 1, 1, 0]]


@pytest.fixture
def bundle(exported: Exported) -> Bundle:
    return Bundle.open(exported("qa", "stablehlo"))


@pytest.fixture
def files(bundle: Bundle, tmp_path: Path) -> Path:
    """A copy of the artifact's files, to be changed."""
    copy = Path(shutil.copytree(bundle.path / "stablehlo", tmp_path / "stablehlo"))
    return copy / "model.jax"


def opened(bundle: Bundle, path: Path, **options: Any) -> StableHloRuntime:
    given = {"weights": path.with_name("weights.safetensors"), "device": "cpu", **options}
    return StableHloRuntime.open_file(path, task=bundle.task, config=bundle.config, **given)


# --- programs on the disk

STARTS = """
import sys
import jax
counts = {"hits": 0, "misses": 0}
def listen(name, **_):
    for kind in counts:
        counts[kind] += name == f"/jax/compilation_cache/cache_{kind}"
jax.monitoring.register_event_listener(listen)
import albert_export as ax
with ax.load(sys.argv[1], target="stablehlo", device="cpu") as session:
    total = sum(session.run(input_ids=ids)["start_logits"].sum() for ids in ([[2, 7, 3]], [[2, 7, 9, 3]] * 2))
    print(counts["hits"], counts["misses"], total, session.cache)
"""


def started(directory: Path, **environment: str) -> list[str]:
    chosen = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
    done = subprocess.run(
        [sys.executable, "-c", STARTS, str(directory)],
        capture_output=True,
        text=True,
        check=True,
        env={**chosen, **environment},
    )
    assert done.stderr == ""
    return done.stdout.split()


def test_the_second_start_compiles_nothing(exported: Exported, tmp_path: Path) -> None:
    own = {"ALBERT_EXPORT_CACHE": str(tmp_path / "cache")}
    first, second = (started(exported("qa", "stablehlo"), **own) for _ in range(2))
    assert (int(first[0]), int(second[1])) == (0, 0)
    assert int(first[1]) == int(second[0]) >= 2
    assert first[2:] == second[2:]
    assert Path(first[3]).is_relative_to(tmp_path / "cache")


def test_a_program_that_was_not_written_whole_is_kept_anew(exported: Exported, tmp_path: Path) -> None:
    own = {"ALBERT_EXPORT_CACHE": str(tmp_path / "cache")}
    whole = started(exported("qa", "stablehlo"), **own)
    kept = [path for path in (tmp_path / "cache" / "jax").iterdir() if path.name.startswith("jit_call-")]
    assert kept
    for path in kept:
        path.write_bytes(path.read_bytes()[:100])
    again = [started(exported("qa", "stablehlo"), **own) for _ in range(3)]
    assert [each[2:] for each in again] == [whole[2:]] * 3
    assert int(again[0][1]) > 0
    assert int(again[2][1]) == 0


def test_the_user_s_own_choice_of_cache_stays(exported: Exported, tmp_path: Path) -> None:
    own = {"ALBERT_EXPORT_CACHE": str(tmp_path / "cache"), "JAX_COMPILATION_CACHE_DIR": str(tmp_path / "mine")}
    assert started(exported("qa", "stablehlo"), **own)[3] == str(tmp_path / "mine")
    off = {"ALBERT_EXPORT_CACHE": str(tmp_path / "cache"), "JAX_ENABLE_COMPILATION_CACHE": "false"}
    hits, misses, _, cache = started(exported("qa", "stablehlo"), **off)
    assert (hits, misses, cache) == ("0", "0", "None")
    assert not (tmp_path / "cache").exists()


def test_a_cache_that_cannot_be_written_hinders_nothing(exported: Exported, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert started(exported("qa", "stablehlo"), ALBERT_EXPORT_CACHE=str(tmp_path / "file"))[3] == "None"


# --- shapes


def test_a_shape_is_compiled_once_however_many_threads_ask(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    with load(bundle, device="cpu") as runtime:
        assert isinstance(runtime, StableHloRuntime)
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda _: runtime.run(input_ids=[[2, 7, 3]])["start_logits"], range(8)))
        assert len(runtime._programs) == 1
        for each in found:
            np.testing.assert_array_equal(each, found[0])
        runtime.run(input_ids=[[2, 7, 9, 3]])
        assert len(runtime._programs) == 2


@pytest.mark.parametrize("task", ["qa", "multiple-choice", "feature-extraction"])
def test_buckets_pad_and_cut_back(task: str, exported: Exported) -> None:
    directory = exported(task, "stablehlo")
    with load(directory, device="cpu") as plain, load(directory, device="cpu", buckets=[8, 16]) as bucketed:
        assert isinstance(bucketed, StableHloRuntime)
        choices = (3,) if task == "multiple-choice" else ()
        for sequence in (5, 7):
            ids = np.random.default_rng(0).integers(5, 100, (2, *choices, sequence))
            mask = np.ones_like(ids)
            mask[0, ..., 3:] = 0
            feed = {"input_ids": ids, "attention_mask": mask}
            expected, found = plain.run(**feed), bucketed.run(**feed)
            wrong = bucketed.run(input_ids=ids)
            for name, array in expected.items():
                assert found[name].shape == array.shape
                np.testing.assert_allclose(found[name], array, atol=1e-5)
                assert found[name].flags.writeable
                assert found[name].flags.owndata
                assert np.abs(wrong[name] - array).max() > 1e-3
        assert list(bucketed._programs) == [(2, *choices, 8)]
        assert bucketed.buckets == (8, 16, bucketed.config.max_position_embeddings)
        assert bucketed.describe()["buckets"] == list(bucketed.buckets)


def test_rows_without_a_real_token_are_not_padded(exported: Exported) -> None:
    directory = exported("qa", "stablehlo")
    with load(directory, device="cpu") as plain, load(directory, device="cpu", buckets=[8]) as bucketed:
        assert isinstance(bucketed, StableHloRuntime)
        feed = {"input_ids": IDS, "attention_mask": [[1, 1, 1, 1], [0, 0, 0, 0]]}
        expected, found = plain.run(**feed), bucketed.run(**feed)
        for name, array in expected.items():
            np.testing.assert_allclose(found[name], array, atol=1e-5)
        padded = plain.run(**{name: np.pad(value, [(0, 0), (0, 4)]) for name, value in feed.items()})
        assert np.abs(padded["start_logits"][1, :4] - expected["start_logits"][1]).max() > 1e-3


def test_the_lengths_of_buckets() -> None:
    assert bucket_lengths("powers", longest=512, fixed=None) == (16, 32, 64, 128, 256, 512)
    assert bucket_lengths("powers", longest=100, fixed=None) == (16, 32, 64, 100)
    assert bucket_lengths("powers", longest=12, fixed=None) == (12,)
    assert bucket_lengths([64, 16, 64], longest=100, fixed=None) == (16, 64, 100)
    for buckets in ([], [0], [101], [1.5], "power", [True], 64):
        with pytest.raises(InputError, match="buckets must be"):
            bucket_lengths(buckets, longest=100, fixed=None)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="exported with 12"):
        bucket_lengths([8], longest=100, fixed=12)


@pytest.mark.parametrize(
    "target", [row.name for row in TARGETS if not (row.own_runtime.compiles_shapes or row.built_on_device)]
)
def test_other_targets_take_no_buckets(target: str, exported: Exported) -> None:
    with pytest.raises(InputError, match="run every length as it is"):
        load(exported("qa", target), device="cpu", buckets=[8])


# --- forms of the artifact


def test_lower_precisions_and_embedded_weights_beside_each_other(bundle: Bundle, tmp_path: Path) -> None:
    out = Path(shutil.copytree(bundle.path, tmp_path / "qa"))
    options: dict[str, dict[str, Any]] = {"bf16": {"precision": "bf16"}, "embedded": {"embed_weights": True}}
    weights = (out / "stablehlo" / "weights.safetensors").stat().st_ino
    for each in options.values():
        written = export_bundle("stablehlo", model="albert-seeded", task="qa", out=out, parity=False, **each)
    feed = {"input_ids": IDS, "attention_mask": MASK}
    with load(bundle, device="cpu") as runtime:
        expected = runtime.run(**feed)["start_logits"]
    with load(written, file="stablehlo/model_embedded.jax", device="cpu") as runtime:
        np.testing.assert_allclose(runtime.run(**feed)["start_logits"], expected, atol=1e-6)
    with load(written, precision="bf16", device="cpu") as runtime:
        found = runtime.run(**feed)["start_logits"]
        assert found.dtype == np.float32
        assert 1e-5 < np.abs(found - expected).max() < 0.5
    assert (out / "stablehlo" / "weights.safetensors").stat().st_ino == weights, "it is the file that was there"
    export_bundle("stablehlo", model="albert-seeded", task="qa", out=out, parity=False, layers="unrolled")
    assert (out / "stablehlo" / "weights.safetensors").stat().st_ino == weights


def test_threads_are_not_settable(bundle: Bundle) -> None:
    with pytest.raises(InputError, match="JAX takes no number of threads"):
        load(bundle, device="cpu", threads=2)
    with pytest.raises(InputError, match="threads must be"):
        load(bundle, device="cpu", threads=0)


# --- devices


def test_a_device_that_is_not_there(bundle: Bundle) -> None:
    with pytest.raises(DeviceError, match="device cuda needs an NVIDIA GPU that JAX sees"):
        load(bundle, device="cuda")
    with pytest.raises(DeviceError, match=r"device tpu needs a TPU that JAX sees.*albert-export\[tpu\]"):
        load(bundle, device="tpu")


def test_the_names_of_devices() -> None:
    kinds = ("cpu", "cuda", "tpu")
    assert parse_device("tpu:1", kinds) == ("tpu", 1)
    assert parse_device("auto", kinds) == ("auto", 0)
    with pytest.raises(InputError, match="device must be auto, cpu, cuda, cuda:N, tpu or tpu:N"):
        parse_device("tpus", kinds)
    with pytest.raises(InputError, match="device must be auto, cpu, cuda or cuda:N"):
        parse_device("tpus")
    with pytest.raises(DeviceError, match="artifacts of this target run on cpu or cuda; received tpu"):
        parse_device("tpu")


def test_a_platform_it_was_not_lowered_for(bundle: Bundle, files: Path) -> None:
    exported = export.deserialize(bytearray(files.read_bytes()))
    files.write_bytes(dataclasses.replace(exported, platforms=("cuda", "tpu")).serialize())
    with pytest.raises(BundleError, match="cpu, where it was lowered for cuda, tpu"):
        opened(bundle, files)
    with pytest.raises(BundleError, match="must be lowered for a device that is here; received cuda, tpu"):
        opened(bundle, files, device="auto")


# --- files that do not fit


@pytest.mark.parametrize("kept", [0, 100, 10_000])
def test_an_artifact_that_is_cut_off(kept: int, bundle: Bundle, files: Path) -> None:
    files.write_bytes(files.read_bytes()[:kept])
    with pytest.raises(BundleError, match=r"model\.jax must be a model that jax .* loads"):
        opened(bundle, files)


def test_a_file_of_something_else(bundle: Bundle, files: Path) -> None:
    files.write_bytes(b"no export of anything, but long enough " * 20)
    with pytest.raises(BundleError, match=r"model\.jax must be a model that jax .* loads"):
        opened(bundle, files)
    files.unlink()
    with pytest.raises(BundleError, match="copy the bundle again"):
        opened(bundle, files)


def test_another_function(bundle: Bundle, files: Path) -> None:
    spec = jax.ShapeDtypeStruct((2,), np.float32)
    files.write_bytes(export.export(jax.jit(lambda x, y: x + y), platforms=["cpu"])(spec, spec).serialize())
    with pytest.raises(BundleError, match="other arguments than inputs and weights"):
        opened(bundle, files)
    named = export.export(jax.jit(lambda x, y: {"end_logits": x["a"]}), platforms=["cpu"])({"a": spec}, {})
    files.write_bytes(named.serialize())
    with pytest.raises(BundleError, match="inputs a where the task has input_ids"):
        opened(bundle, files, weights=None)


@pytest.mark.parametrize("version", [1, 99])
def test_a_calling_convention_outside_the_window(version: int, bundle: Bundle, files: Path) -> None:
    exported = export.deserialize(bytearray(files.read_bytes()))
    files.write_bytes(dataclasses.replace(exported, calling_convention_version=version).serialize())
    whose = "an older" if version == 1 else "a newer"
    with pytest.raises(BundleError, match=f"must have a calling convention that jax .* received {version}, of {whose}"):
        opened(bundle, files)


def test_a_module_outside_the_window(bundle: Bundle, files: Path) -> None:
    fits: dict[str, Any] = {"jax_version": "0", "calling_convention": 9, "supported": (9, 10), "current": "1.17.0"}
    check_versions("it", module=b"ML\xefR\rStableHLO_v1.17.0\0", **fits)
    with pytest.raises(BundleError, match=r"up to 1\.17\.0; received 1\.18\.0"):
        check_versions("it", module=b"ML\xefR\rStableHLO_v1.18.0\0", **fits)
    exported = export.deserialize(bytearray(files.read_bytes()))
    files.write_bytes(dataclasses.replace(exported, mlir_module_serialized=b"something").serialize())
    with pytest.raises(BundleError, match="must hold a StableHLO module"):
        opened(bundle, files)


def test_weights_that_are_damaged_or_others(bundle: Bundle, files: Path) -> None:
    path = files.with_name("weights.safetensors")
    stored = dict(numpy_tensors([path]))
    whole = path.read_bytes()
    opened(bundle, files).close()
    path.write_bytes(whole[:-4])
    with pytest.raises(BundleError, match=r"weights\.safetensors must hold the weights of model\.jax"):
        opened(bundle, files)
    write_safetensors(path, {**stored, "qa_outputs.bias": np.zeros(3, np.float32)})
    with pytest.raises(BundleError, match=r"of another shape: qa_outputs\.bias"):
        opened(bundle, files)
    write_safetensors(path, {**stored, "more": np.zeros(3, np.float32)})
    with pytest.raises(BundleError, match="others, or of another shape: more"):
        opened(bundle, files)
    path.unlink()
    with pytest.raises(BundleError, match="must hold the weights"):
        opened(bundle, files)
    with pytest.raises(BundleError, match="without their file"):
        opened(bundle, files, weights=None)


@pytest.mark.parametrize("named", ["../../secret.safetensors", "/secret", "..", "", 5, ["weights.safetensors"]])
def test_a_manifest_that_names_other_weights(named: Any, bundle: Bundle) -> None:
    (artifact,) = bundle.manifest.artifacts
    StableHloRuntime.open(bundle, artifact, device="cpu").close()
    changed = dataclasses.replace(artifact, facts={**artifact.facts, "weights": named})
    with pytest.raises(BundleError, match=r"names for model\.jax must be one of its files"):
        StableHloRuntime.open(bundle, changed, device="cpu")


def test_a_device_without_the_memory(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    with load(bundle, device="cpu") as runtime:
        assert isinstance(runtime, StableHloRuntime)

        def fail(text: str) -> None:
            def program(*_: Any) -> None:
                raise jax.errors.JaxRuntimeError(text)

            runtime._programs[(1, 3)] = program

        fail("RESOURCE_EXHAUSTED: Out of memory allocating 17 bytes.\nmore")
        with pytest.raises(DeviceError, match="cpu must have the memory for a run of 1x3 ids"):
            runtime.run(input_ids=[[2, 7, 3]])
        fail("INTERNAL: something broke")
        with pytest.raises(BundleError, match=r"model\.jax must compute a run of 1x3 ids"):
            runtime.run(input_ids=[[2, 7, 3]])


def test_runtimes_of_one_content_have_their_weights_once(bundle: Bundle) -> None:
    with load(bundle, device="cpu") as first, load(bundle, device="cpu") as second:
        assert isinstance(first, StableHloRuntime) and isinstance(second, StableHloRuntime)
        assert first.weights and all(first.weights[name] is second.weights[name] for name in first.weights)
        name = next(iter(first.weights))
        held = first.weights[name]
        first.close()
        assert second.weights[name] is held
        assert second.run(input_ids=IDS)["start_logits"].shape == (2, 4)
    assert len(stablehlo_weights._there) == 0
    with load(bundle, device="cpu") as third:
        assert isinstance(third, StableHloRuntime) and third.weights[name] is not held


def test_an_artifact_that_cannot_be_opened_leaves_no_weights_behind(bundle: Bundle) -> None:
    for buckets in ([0], [10**6], ["x"]):
        with pytest.raises(InputError):
            load(bundle, device="cpu", buckets=buckets)  # type: ignore[arg-type]
        assert len(stablehlo_weights._there) == 0


def test_a_closed_runtime_holds_no_weights(bundle: Bundle) -> None:
    with load(bundle, device="cpu") as runtime:
        assert isinstance(runtime, StableHloRuntime)
        held = weakref.ref(next(iter(runtime.weights.values())))
        assert held() is not None
    assert held() is None, "the memory is free, though the runtime is still there"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("RESOURCE_EXHAUSTED: Out of memory while trying to allocate", "must have the memory for the weights"),
        ("INTERNAL: CUDA_ERROR_ILLEGAL_ADDRESS: an illegal memory access was encountered", "start the process again"),
        ("INTERNAL: something broke", "must take the weights"),
    ],
)
def test_a_device_that_takes_no_weights(bundle: Bundle, monkeypatch: pytest.MonkeyPatch, said: str, told: str) -> None:
    def fail(*_: object) -> None:
        raise jax.errors.JaxRuntimeError(said)

    monkeypatch.setattr(jax, "device_put", fail)
    with pytest.raises(DeviceError, match=told) as caught:
        load(bundle, device="cpu")
    assert "\n" not in str(caught.value)
    assert len(stablehlo_weights._there) == 0


def test_a_limit_on_device_memory_is_no_matter_on_the_cpu(bundle: Bundle) -> None:
    with load(bundle, device="cpu", device_memory="1G") as runtime:
        assert runtime.run(input_ids=IDS)["start_logits"].shape == (2, 4)


def test_a_limit_on_device_memory_comes_too_late_for_a_process_in_which_jax_runs(bundle: Bundle) -> None:
    jax.devices()
    with pytest.raises(InputError, match=r"when a process first uses it.*open this artifact first"):
        load(bundle, device="cuda", device_memory="1G")
