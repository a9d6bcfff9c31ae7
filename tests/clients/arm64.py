"""An arm64 Debian's Python with ONNX Runtime and LiteRT, unpacked and not installed, that qemu runs on this machine.

Nothing of the system is changed: apt resolves and fetches the packages of the other architecture with lists of its own,
dpkg unpacks them into a folder, and pip fetches the wheels. No chroot is needed: qemu looks into that folder first.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from zipfile import ZipFile

from tests.clients.environments import CACHE, REQUIREMENTS, is_made, made, needed_program, stamp

WHEELS = REQUIREMENTS / "arm64.txt"
#: The Python that Debian 12 has, and what wheels need of the system.
PACKAGES = ("python3.11-minimal", "libpython3.11-stdlib", "libstdc++6")
PYTHON = "3.11"
GLIBC = tuple(f"manylinux_2_{minor}_aarch64" for minor in (17, 27, 28, 34, 35))
LIBRARIES = ("usr/lib/aarch64-linux-gnu", "lib/aarch64-linux-gnu")

#: ONNX Runtime and LiteRT read there what the processor can do, and qemu 7 shows that of this machine. A Cortex-A76, as
#: phones of 2018 and later have it: with dot products of int8, without matrix products of int8.
PROCESSOR = "cortex-a76"
CPUINFO = """processor\t: 0
BogoMIPS\t: 50.00
Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x3
CPU part\t: 0xd0b
CPU revision\t: 1

"""


def arm64_python() -> list[str]:
    """Return the command of the Python, made where it is not there.

    Raises:
        ClientError: qemu, apt or dpkg is not there, or something could not be fetched.
    """
    directory = CACHE / "arm64"
    qemu = needed_program("qemu-aarch64", "qemu-aarch64-static")
    root, wheels = directory / "root", directory / "wheels"
    if not is_made(directory, WHEELS):
        shutil.rmtree(directory, ignore_errors=True)
        _unpack_packages(directory, root)
        _unpack_wheels(directory, wheels)
        (root / "proc").mkdir()
        stamp(directory, WHEELS)
    (root / "proc" / "cpuinfo").write_text(CPUINFO)
    variables = {
        "PYTHONHOME": root / "usr",
        "PYTHONPATH": wheels,
        "LD_LIBRARY_PATH": ":".join(str(root / folder) for folder in LIBRARIES),
    }
    settings = [word for name, value in variables.items() for word in ("-E", f"{name}={value}")]
    return [qemu, "-cpu", PROCESSOR, "-L", str(root), *settings, str(root / "usr/bin" / f"python{PYTHON}")]


def _unpack_packages(directory: Path, root: Path) -> None:
    apt = directory / "apt"
    for folder in ("lists/partial", "cache/archives/partial"):
        (apt / folder).mkdir(parents=True)
    (apt / "status").touch()  # nothing is installed: all that the packages need comes along
    options = {
        "APT::Architecture": "arm64",
        "APT::Architectures": "arm64",
        "Dir::State::lists": apt / "lists",
        "Dir::State::status": apt / "status",
        "Dir::Cache": apt / "cache",
        "Debug::NoLocking": "1",
    }
    command = [
        needed_program("apt-get"),
        *(word for name, value in options.items() for word in ("-o", f"{name}={value}")),
    ]
    made([*command, "update"])
    made([*command, "--yes", "--no-install-recommends", "--download-only", "install", *PACKAGES])
    for package in sorted((apt / "cache" / "archives").glob("*.deb")):
        made([needed_program("dpkg-deb"), "--extract", str(package), str(root)])
    shutil.rmtree(apt)


def _unpack_wheels(directory: Path, wheels: Path) -> None:
    fetched = directory / "fetched"
    platforms = [word for name in ("manylinux2014_aarch64", *GLIBC) for word in ("--platform", name)]
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    made([*pip, "--python-version", PYTHON, *platforms, "--dest", str(fetched), "--requirement", str(WHEELS)])
    for wheel in sorted(fetched.glob("*.whl")):
        with ZipFile(wheel) as archive:
            archive.extractall(wheels)
    shutil.rmtree(fetched)
