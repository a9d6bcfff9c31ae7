"""The GPU that an engine runs on, and what it takes of it. TensorRT and CUDA are stand-ins."""

from __future__ import annotations

import gc
import threading
from pathlib import Path

import numpy as np
import pytest

import albert_export
from albert_export import _tensorrt
from albert_export._cuda import CudaGpu, Visible
from albert_export._nvidia import Gpu
from albert_export.bundle import Bundle
from albert_export.engines.options import EngineOptions
from albert_export.errors import DeviceError, InputError
from albert_export.exporting import export
from tests.fake_tensorrt import H200, ILLEGAL, L4, NOT_RUN, FakeTensorRt, install

PROFILES = ("1x4,2x16,4x24", "1x4,1x8,2x8")


def built(out: Path, *profiles: str) -> Bundle:
    engine = EngineOptions(profiles=profiles)
    return export("tensorrt", model="albert-seeded", task="qa", out=out, parity=False, engine=engine)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeTensorRt:
    return install(monkeypatch)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    with pytest.MonkeyPatch.context() as patch:
        install(patch)
        return built(tmp_path_factory.mktemp("engine") / "qa", *PROFILES)


# --- which GPU


def seen(monkeypatch: pytest.MonkeyPatch, *gpus: Gpu) -> None:
    """Let CUDA show GPUs in another order than nvidia-smi, or fewer."""
    visible = Visible(tuple(CudaGpu(gpu.name, gpu.compute_capability) for gpu in gpus), None if gpus else "hidden")
    monkeypatch.setattr(_tensorrt, "visible_gpus", lambda: visible)


def test_the_gpu_is_cudas_first_and_not_nvidia_smis(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As under CUDA_VISIBLE_DEVICES=1, or where the second is the faster."""
    install(monkeypatch, gpus=(H200, L4))
    seen(monkeypatch, L4)
    (artifact,) = built(tmp_path / "qa").manifest.artifacts
    assert artifact.facts["engine"]["built"]["gpu"] == "NVIDIA L4"
    assert artifact.facts["engine"]["built"]["compute_capability"] == "8.9"
    assert artifact.facts["engine"]["built"]["driver"] == "580.95.05"
    with albert_export.load(tmp_path / "qa") as engine:
        assert engine.reason == "the engine runs on NVIDIA L4"
    seen(monkeypatch, H200)
    with pytest.raises(DeviceError, match="it was built on NVIDIA L4, and this is NVIDIA H200"):
        albert_export.load(tmp_path / "qa")


def test_hidden_gpus_are_told(monkeypatch: pytest.MonkeyPatch, bundle: Bundle) -> None:
    install(monkeypatch, gpus=(H200,))
    seen(monkeypatch)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(DeviceError, match=r"received CUDA_VISIBLE_DEVICES='' and NVIDIA H200; fix: name the number"):
        albert_export.load(bundle)


def test_an_engine_runs_on_the_gpu_that_was_named_in_every_thread(
    monkeypatch: pytest.MonkeyPatch, bundle: Bundle
) -> None:
    fake = install(monkeypatch, gpus=(L4, H200, H200))
    with albert_export.load(bundle) as engine:
        assert engine.device == "cuda:1", "the first that the engine was built for"
    with pytest.raises(DeviceError, match="built on NVIDIA H200, and this is NVIDIA L4"):
        albert_export.load(bundle, device="cuda")
    with pytest.raises(DeviceError, match=r"needs GPU 3; received NVIDIA L4, NVIDIA H200, .*cuda:0 to cuda:2"):
        albert_export.load(bundle, device="cuda:3")
    with albert_export.load(bundle, device="cuda:2") as engine:
        assert getattr(fake.current, "index", 0) == 0, "given back"
        shapes = []

        def run() -> None:
            fake.current.index = 1  # as torch.cuda.set_device leaves it
            shapes.append(engine.run(input_ids=[[2, 3, 4, 5]])["start_logits"].shape)
            shapes.append(fake.current.index)

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        assert shapes == [(1, 4), 1]


# --- what it takes and gives back


def test_a_short_input_goes_to_a_profile_that_pads_it(fake: FakeTensorRt, tmp_path: Path) -> None:
    made = built(tmp_path / "qa", "4x12,4x16,8x24", "1x1,1x4,2x8")
    with albert_export.load(made) as engine:
        assert (engine.longest, engine.most_rows) == (24, 2)
        whole = engine.run(input_ids=np.full((4, 20), 7))
        alone = engine.run(input_ids=np.full((1, 20), 7))
        assert fake.fed == [(4, 20), (4, 20)]
        np.testing.assert_allclose(alone["start_logits"], whole["start_logits"][:1], atol=1e-5)
        engine.run(input_ids=np.full((2, 8), 7))
        assert fake.fed[-1] == (2, 8)
        assert fake.chosen == [1]


def test_a_limit_on_memory_leaves_profiles_out(bundle: Bundle, fake: FakeTensorRt) -> None:
    fake.context_bytes = lambda index: (64 << 20, 2 << 20)[index]
    with albert_export.load(bundle) as engine:
        assert fake.runner == {}, "without a limit the context takes what the largest needs"
        assert engine.describe()["device_memory"] is None
        everything = engine.describe()["takes_device_memory"]
    assert (64 << 20) < everything < (128 << 20)
    with albert_export.load(bundle, device_memory=everything) as engine:
        assert fake.runner == {"allocation_strategy": "profile"}
        assert engine.describe()["profiles"] == list(PROFILES)
    with albert_export.load(bundle, device_memory=everything - 1) as engine:
        assert fake.runner == {"allocation_strategy": "profile", "optimization_profile": 1}
        assert engine.describe()["profiles"] == [PROFILES[1]]
        assert (engine.longest, engine.most_rows) == (8, 2)
        assert engine.describe()["takes_device_memory"] < 64 << 20
        fake.chosen.clear()
        assert engine.run(input_ids=[[2, 3, 4, 5]])["start_logits"].shape == (1, 4)
        assert fake.chosen == [], "it was active from the start"
        with pytest.raises(InputError, match="from 1x4 to 2x8; received 1x12"):
            engine.run(input_ids=np.ones((1, 12), dtype=np.int64))
    with pytest.raises(DeviceError, match=r"must fit into device_memory, 1 MiB; received .* MiB for inputs up to 2x8"):
        albert_export.load(bundle, device_memory="1M")
    with pytest.raises(InputError, match="device_memory must be a number of bytes"):
        albert_export.load(bundle, device_memory="much")
    assert fake.active == 0


def test_what_was_taken_is_given_back_whatever_happened(bundle: Bundle, fake: FakeTensorRt) -> None:
    with albert_export.load(bundle) as engine:
        engine.run(input_ids=[[2, 3, 4, 5]])
        assert (fake.active, fake.held) == (1, 2)
    assert (fake.active, fake.held) == (0, 0), "Polygraphy forgets the buffers of outputs"
    left = albert_export.load(bundle)
    assert fake.active == 1
    del left
    gc.collect()
    assert fake.active == 0, "one that was not closed"
    with albert_export.load(bundle) as engine:
        fake.fail(NOT_RUN, ILLEGAL)
        with pytest.raises(DeviceError, match=r"illegal memory access was encountered.*fix: start the process again"):
            engine.run(input_ids=[[2, 3, 4, 5]])
        fake.fail("CUDA Error: 700. To figure out what this means")  # which freeing raises then
    assert engine.closed
