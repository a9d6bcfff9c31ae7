"""What CUDA's own errors mean to a user: the rule that was broken, and what mends it.

ONNX Runtime, TensorRT, JAX and torch pass CUDA's messages on. They have a number, CUDA's name of the error or its
words, or the library that could not be loaded; none of them says what to do.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from albert_export.errors import DeviceError
from albert_export.runtime_table import TENSORRT_INSTALL

#: Brings the CUDA libraries that ONNX Runtime's CUDA provider loads.
BRING_CUDA = "pip install 'onnxruntime-gpu[cuda,cudnn]' brings the libraries"

#: After these the CUDA context of the process is gone: nothing more can run in it.
_DEAD = (214, 220, 700, 702, 709, 710, 714, 715, 716, 717, 718, 719)

_RESTART = "start the process again; the GPU cannot be used any more in this one"
_NEWER_DRIVER = "upgrade the driver, or install builds for an older CUDA"

#: Number of a CUDA error -> what must hold, and what mends it.
_CODES: dict[int, tuple[str, str]] = {
    2: ("the GPU must have the memory", "run fewer or shorter rows at a time, or free memory of other processes"),
    34: ("NVIDIA's driver must be loaded, and not its stub", "take the folder of stubs out of LD_LIBRARY_PATH"),
    35: ("the NVIDIA driver must be as new as the CUDA libraries ask for", _NEWER_DRIVER),
    36: ("the NVIDIA driver must know what is called", _NEWER_DRIVER),
    46: ("the GPU must be free", "end the process that holds it alone, or let others in: nvidia-smi -c 0"),
    100: ("an NVIDIA GPU must be there", "check nvidia-smi and CUDA_VISIBLE_DEVICES; in a container, give it the GPU"),
    101: ("the GPU of that number must be there", "choose a lower number: nvidia-smi -L lists them"),
    209: ("this build must hold machine code for the GPU", "take a newer build, or another GPU"),
    222: ("the NVIDIA driver must compile what this build holds for newer ones", _NEWER_DRIVER),
    304: ("the operating system must hand out the GPU", "check nvidia-smi; in a container, give it the GPU"),
    802: ("the GPUs of this machine must be ready", "start nvidia-fabricmanager, which ties them together"),
    803: ("the driver's parts must be of one version", "restart the machine: the driver was upgraded while it ran"),
    804: (
        "the driver must be as new as the CUDA libraries ask for: CUDA's compatibility package does not serve this GPU",
        "upgrade the driver, or take the package's folder out of LD_LIBRARY_PATH",
    ),
    999: ("the GPU must answer", "check nvidia-smi; restart the machine if it does not answer either"),
}

#: Words of CUDA's own messages, and its names where only they are printed (JAX) -> the number of the error.
_WORDS: tuple[tuple[str, int], ...] = (
    (r"CUDA_ERROR_ILLEGAL_ADDRESS|cudaErrorIllegalAddress|illegal memory access", 700),
    (r"CUDA_ERROR_LAUNCH_FAILED|cudaErrorLaunchFailure|unspecified launch failure", 719),
    (r"CUDA_ERROR_MISALIGNED_ADDRESS|cudaErrorMisalignedAddress|misaligned address", 716),
    (r"CUDA_ERROR_ILLEGAL_INSTRUCTION|cudaErrorIllegalInstruction|illegal instruction was encountered", 715),
    (r"CUDA_ERROR_ASSERT|cudaErrorAssert|device-side assert", 710),
    (r"CUDA_ERROR_LAUNCH_TIMEOUT|cudaErrorLaunchTimeout|launch timed out", 702),
    (r"CUDA_ERROR_CONTEXT_IS_DESTROYED|context is destroyed", 709),
    (r"CUDA_ERROR_ECC_UNCORRECTABLE|uncorrectable ECC", 214),
    (r"CUDA_ERROR_NO_DEVICE|no CUDA-capable device", 100),
    (r"CUDA_ERROR_INVALID_DEVICE|invalid device ordinal", 101),
    (r"CUDA_ERROR_NO_BINARY_FOR_GPU|no kernel image is available", 209),
    (r"CUDA_ERROR_UNSUPPORTED_PTX_VERSION|unsupported toolchain", 222),
    (r"CUDA_ERROR_STUB_LIBRARY|loaded is a stub library", 34),
    (r"CUDA driver version is insufficient", 35),
    (r"CUDA_ERROR_DEVICE_UNAVAILABLE|devices? \(?s?\)?\s*(?:is/are|are|is) busy or unavailable", 46),
    (r"CUDA_ERROR_SYSTEM_NOT_READY|system not yet initialized", 802),
    (r"CUDA_ERROR_SYSTEM_DRIVER_MISMATCH|system has unsupported display driver", 803),
    (r"CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE|forward compatibility was attempted", 804),
    (r"CUDA_ERROR_OUT_OF_MEMORY", 2),
)

_OUT_OF_MEMORY = re.compile(
    r"out of memory|out_of_memory|Available memory of|Failed to allocate|bad_alloc|CUDA failure 2\b|"
    r"ALLOC_FAILED|RESOURCE_EXHAUSTED|could not allocate|cudaErrorMemoryAllocation",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class CudaFailure:
    """An error of CUDA.

    Attributes:
        rule: What must hold.
        fix: What mends it.
        deadly: Whether nothing more runs on the GPU in this process.
    """

    rule: str
    fix: str
    deadly: bool = False

    def error(self, received: str) -> DeviceError:
        """Return the error to raise; ``received`` is what was said."""
        return DeviceError(self.rule, received=received, fix=self.fix)


def read_failure(text: str) -> CudaFailure | None:
    """Return what a message of CUDA, cuBLAS, cuDNN or of a loader of libraries means, or None where it is none.

    Args:
        text: All that was said.
    """
    number = _number(text)
    if number in _DEAD:
        return CudaFailure("a program on the GPU must not fail", _RESTART, deadly=True)
    if number in _CODES:
        return CudaFailure(*_CODES[number])
    library = missing_library(text)
    if library is not None:
        return CudaFailure(f"the library {library} must be there", _fix(library))
    version = re.search(r"Require (cuDNN \d[\d.]*\*? and CUDA \d[\d.]*\*?)", text)
    if version is not None:
        return CudaFailure(f"{version[1]} must be there", BRING_CUDA)
    status = re.search(r"(?:CUBLAS|CUDNN|CUBLASLT)(?: failure \d+: |_STATUS_)(\w+)", text)
    if status is not None:
        if _OUT_OF_MEMORY.search(text):
            return CudaFailure(*_CODES[2])
        return CudaFailure("a product on the GPU must not fail", _RESTART, deadly="EXECUTION_FAILED" in text)
    return None


def _number(text: str) -> int | None:
    """Return the number of the CUDA error in a message, by its words where it has none, or None."""
    code = re.search(r"(?:CUDA failure|CUDA error|Cuda Runtime|error code|cudaError\w*\()\D{0,3}(\d+)", text)
    if code is not None and int(code[1]) in (*_DEAD, *_CODES):
        return int(code[1])
    return next((number for words, number in _WORDS if re.search(words, text, re.IGNORECASE)), None)


def missing_library(text: str) -> str | None:
    """Return the library that the system's loader did not find, or None."""
    found = re.search(r"\b(lib[\w.+-]+\.so[\w.]*): cannot open shared object file", text)
    return None if found is None else found[1]


def lacks_memory(text: str) -> bool:
    """Whether a message says that there was not enough memory, and the process can go on."""
    return _OUT_OF_MEMORY.search(text) is not None and not is_deadly(text)


def is_deadly(text: str) -> bool:
    """Whether a message says that nothing more runs on the GPU in this process."""
    failure = read_failure(text)
    return failure is not None and failure.deadly


def _fix(library: str) -> str:
    """Return what brings a library."""
    if library.startswith("libcuda.so"):
        return "install NVIDIA's driver; in a container, give it the GPU"
    if library.startswith(("libnvinfer", "libnvonnxparser")):
        return f"{TENSORRT_INSTALL} brings TensorRT"
    return BRING_CUDA
