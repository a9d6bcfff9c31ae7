"""What CUDA's messages mean: texts as ONNX Runtime 1.31, cuBLAS, TensorRT, torch and XLA print them."""

from __future__ import annotations

import pytest

from albert_export.runtimes.cuda_failures import is_deadly, lacks_memory, missing_library, read_failure
from albert_export.runtimes.onnxruntime_devices import cuda_failed, told
from albert_export.runtimes.onnxruntime_sessions import failed_open, failed_run

#: Printed by onnxruntime-gpu 1.31.1 on a machine without CUDA.
WITHOUT_LIBRARIES = (
    "\x1b[0;93m2026-11-28 18:25:40.502107757 [W:onnxruntime:Default, onnxruntime_pybind_state.cc:856 operator()] No "
    "registered plugin EP device found for 'CUDAExecutionProvider' with device_id=0\x1b[m\n"
    "\x1b[1;31m2026-11-28 18:25:40.502444125 [E:onnxruntime:Default, provider_bridge_ort.cc:2458 operator()] "
    "/onnxruntime_src/onnxruntime/core/session/provider_bridge_ort.cc:2043 onnxruntime::Provider& "
    "onnxruntime::ProviderLibrary::Get() [ONNXRuntimeError] : 1 : FAIL : Failed to load library "
    "/srv/app/lib/python3.11/site-packages/onnxruntime/capi/libonnxruntime_providers_cuda.so with error: "
    "libcublasLt.so.13: cannot open shared object file: No such file or directory\n\x1b[m\n"
    "\x1b[0;93m2026-11-28 18:25:40.502454648 [W:onnxruntime:Default, onnxruntime_pybind_state.cc:1295 "
    "CreateExecutionProviderFactoryInstance] Failed to create CUDAExecutionProvider. Require cuDNN 9.* and CUDA 13.*. "
    "Please install all dependencies as mentioned in the GPU requirements page\x1b[m\n"
)
NO_GPU = (
    "CUDA failure 100: no CUDA-capable device is detected ; GPU=-1 ; hostname=h ; file=/onnxruntime_src/onnxruntime/"
    "core/providers/cuda/cuda_execution_provider.cc ; line=281 ; expr=cudaSetDevice(info_.device_id);"
)


@pytest.mark.parametrize(
    ("text", "rule", "fix"),
    [
        (WITHOUT_LIBRARIES, "libcublasLt.so.13 must be there", "onnxruntime-gpu[cuda,cudnn]"),
        ("libcuda.so.1: cannot open shared object file", "libcuda.so.1 must be there", "install NVIDIA's driver"),
        (
            "libnvinfer.so.11: cannot open shared object file: No such",
            "libnvinfer.so.11",
            "pip install tensorrt brings TensorRT",
        ),
        (NO_GPU, "an NVIDIA GPU must be there", "CUDA_VISIBLE_DEVICES"),
        ("CUDA failure 35: CUDA driver version is insufficient", "as new as the CUDA libraries", "upgrade the driver"),
        ("CUDA failure 101: invalid device ordinal ; GPU=3", "GPU of that number", "nvidia-smi -L"),
        ("CUDA failure 2: out of memory ; GPU=0", "the GPU must have the memory", "fewer or shorter rows"),
        ("CUDA failure 700: an illegal memory access was encountered", "must not fail", "start the process again"),
        ("CUBLAS failure 13: CUBLAS_STATUS_EXECUTION_FAILED ; GPU=0", "must not fail", "start the process again"),
        ("CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED ; GPU=0", "must have the memory", "fewer or shorter rows"),
        ("Require cuDNN 9.* and CUDA 13.*. Please install", "cuDNN 9.* and CUDA 13.* must be there", "[cuda,cudnn]"),
        # TensorRT's logger, torch and XLA give CUDA's words or its name, and no number.
        ("Error Code 1: Cuda Runtime (an illegal memory access was encountered)", "must not fail", "process again"),
        ("CUDA error: an illegal memory access was encountered", "must not fail", "process again"),
        (
            "INTERNAL: CUDA error: Failed call to cuEventRecord: CUDA_ERROR_ILLEGAL_ADDRESS: an illegal",
            "must not fail",
            "process again",
        ),
        (
            "INTERNAL: Failed call: CUDA_ERROR_LAUNCH_FAILED: unspecified launch failure",
            "must not fail",
            "process again",
        ),
        ("CUDA error: device-side assert triggered", "must not fail", "process again"),
        ("CUDA failure 214: uncorrectable ECC error encountered ; GPU=0", "must not fail", "process again"),
        ("CUDA error: no kernel image is available for execution on the device", "machine code", "newer build"),
        (
            "failed call to cuInit: CUDA_ERROR_NO_DEVICE: no CUDA-capable device is detected",
            "must be there",
            "nvidia-smi",
        ),
        ("CUDA failure 804: forward compatibility was attempted on non supported HW", "package", "LD_LIBRARY_PATH"),
        ("CUDA_ERROR_UNSUPPORTED_PTX_VERSION: the provided PTX was compiled with", "compile", "upgrade the driver"),
    ],
)
def test_a_message_is_read(text: str, rule: str, fix: str) -> None:
    failure = read_failure(text)
    assert failure is not None
    assert rule in failure.rule and fix in failure.fix
    assert failure.deadly == ("must not fail" in rule)
    told_of = failure.error("x")
    assert "\n" not in str(told_of) and failure.fix in str(told_of)


@pytest.mark.parametrize("text", ["", "Load model failed: Protobuf parsing failed.", "bad shape (700)", "line 100: x"])
def test_what_is_no_message_of_cuda_is_none(text: str) -> None:
    assert read_failure(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "Available memory of 10485760 is smaller than requested bytes of 94371840",
        "Failed to allocate memory for requested buffer of size 94371840",
        "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 9223372036854775808 bytes.",
        "CUDA out of memory. Tried to allocate 20.00 GiB",
    ],
)
def test_want_of_memory_is_seen(text: str) -> None:
    assert lacks_memory(text)
    error = failed_run(text, device="cuda", shape=(64, 512), file="model.onnx", device_memory=2**30)
    assert str(error).startswith("cuda must have the memory for a run of 64x512 ids")
    assert str(error).endswith("run fewer or shorter rows at a time, or allow more device_memory")


@pytest.mark.parametrize(
    ("text", "deadly"),
    [
        ("CUDA failure 713: pointer does not correspond to a registered memory region", False),
        ("CUDA failure 720: too many blocks in cooperative launch", False),
        ("CUDA failure 2: out of memory", False),
        ("CUDA failure 709: context is destroyed", True),
        ("out of memory, after CUDA failure 700: an illegal memory access was encountered", True),
    ],
)
def test_only_what_ends_the_context_is_deadly(text: str, deadly: bool) -> None:
    assert is_deadly(text) is deadly
    assert not (deadly and lacks_memory(text)), "fewer rows bring back no context"


def test_no_place_for_inputs_is_told_apart_from_a_gpu_that_is_gone() -> None:
    full = str(failed_open("Failed to allocate memory for requested buffer", device="cuda", file="model.onnx"))
    assert full.startswith("cuda must have the memory for inputs and outputs of model.onnx") and "device_memory" in full
    gone = str(failed_open("CUDA failure 700: an illegal memory access", device="cuda", file="model.onnx"))
    assert gone.startswith("a program on the GPU must not fail") and "process again" in gone


def test_other_failures_are_told_apart() -> None:
    said = "CUDA failure 700: an illegal memory access was encountered ; GPU=1 ; expr=cudaStreamSynchronize(stream)"
    dead = failed_run(said, device="cuda:1", shape=(1, 8), file="model.onnx")
    assert str(dead).startswith("cuda:1 must stay up during a run of 1x8 ids") and "process again" in str(dead)
    cpu = failed_run("CUDA failure 700: a text in a model", device="cpu", shape=(1, 8), file="model.onnx")
    assert str(cpu).startswith("model.onnx must compute a run of 1x8 ids")


def test_the_library_that_lacks_is_told_without_where_it_was_looked_for() -> None:
    assert missing_library(WITHOUT_LIBRARIES) == "libcublasLt.so.13"
    line = told(WITHOUT_LIBRARIES)
    assert line == (
        "Failed to load library libonnxruntime_providers_cuda.so with error: libcublasLt.so.13: cannot open shared "
        "object file: No such file or directory"
    )
    error = str(cuda_failed(0, WITHOUT_LIBRARIES))
    assert "/srv/app" not in error and "\x1b" not in error and "onnxruntime-gpu[cuda,cudnn]" in error
    assert told("nothing known\nand more") == "nothing known; and more"
