"""What CUDA's own errors mean to a user: the rule that was broken, and what mends it.

ONNX Runtime, TensorRT and JAX pass CUDA's messages on. They name a number, or the library that could not be loaded;
neither says what to do.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from albert_export.errors import DeviceError, install_command

#: Brings the CUDA libraries that ONNX Runtime's CUDA provider loads.
BRING_CUDA = "pip install 'onnxruntime-gpu[cuda,cudnn]' brings the libraries"

#: After these the CUDA context of the process is gone: nothing more can run in it.
_DEAD = (700, 702, 710, 713, 714, 715, 716, 717, 718, 719, 720)

_RESTART = "start the process again; the GPU cannot be used any more in this one"

#: Number of a CUDA error -> what must hold, and what mends it.
_CODES: dict[int, tuple[str, str]] = {
    2: ("the GPU must have the memory", "run fewer or shorter rows at a time, or free memory of other processes"),
    35: ("the NVIDIA driver must be as new as the CUDA libraries ask for", "upgrade the driver, or take older ones"),
    36: ("the NVIDIA driver must be whole", "install the driver again"),
    46: ("the GPU must be free", "end the process that holds it alone, or let others in: nvidia-smi -c 0"),
    100: ("an NVIDIA GPU must be there", "check nvidia-smi and CUDA_VISIBLE_DEVICES; in a container, give it the GPU"),
    101: ("the GPU of that number must be there", "choose a lower number: nvidia-smi -L lists them"),
    209: ("this build must hold machine code for the GPU", "take a newer build, or another GPU"),
    304: ("the operating system must hand out the GPU", "check nvidia-smi; in a container, give it the GPU"),
    802: ("the GPUs of this machine must be ready", "start nvidia-fabricmanager, which ties them together"),
    803: ("the driver's parts must be of one version", "restart the machine: the driver was upgraded while it ran"),
    804: ("the driver must be as new as the CUDA libraries ask for", "upgrade the driver"),
    999: ("the GPU must answer", "check nvidia-smi; restart the machine if it does not answer either"),
}

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
    code = re.search(r"(?:CUDA failure|CUDA error|Cuda Runtime|error code|cudaError\w*\()\D{0,3}(\d+)", text)
    if code is not None:
        number = int(code[1])
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
        if lacks_memory(text):
            return CudaFailure(*_CODES[2])
        return CudaFailure("a product on the GPU must not fail", _RESTART, deadly="EXECUTION_FAILED" in text)
    return None


def missing_library(text: str) -> str | None:
    """Return the library that the system's loader did not find, or None."""
    found = re.search(r"\b(lib[\w.+-]+\.so[\w.]*): cannot open shared object file", text)
    return None if found is None else found[1]


def lacks_memory(text: str) -> bool:
    """Whether a message says that there was not enough memory."""
    return _OUT_OF_MEMORY.search(text) is not None


def _fix(library: str) -> str:
    """Return what brings a library."""
    if library.startswith("libcuda.so"):
        return "install NVIDIA's driver; in a container, give it the GPU"
    if library.startswith(("libnvinfer", "libnvonnxparser")):
        return f"{install_command('tensorrt')} brings TensorRT"
    return BRING_CUDA
