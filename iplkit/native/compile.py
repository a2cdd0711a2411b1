"""Compile the native operations into a folder; `iplkit.native.build` runs this as a process of its own.

    python -m iplkit.native.compile FOLDER cpu
    TORCH_CUDA_ARCH_LIST=9.0 python -m iplkit.native.compile FOLDER cuda

"cuda" needs nvcc, and no GPU: the variable names the cards to compile for.
"""

import platform
import sys
import tempfile
from pathlib import Path

import torch
from torch.utils.cpp_extension import load

HERE = Path(__file__).parent
NAME = "iplkit_native"
FLAGS = ("-O3", "-fopenmp-simd", "-fno-math-errno", "-fno-trapping-math")


def main(folder: str, kind: str) -> None:
    """Build in a fresh folder, then move the library into place."""
    cuda = kind == "cuda"
    sources = [str(HERE / "ops.cpp")] + [str(HERE / "ops.cu")] * cuda
    flags = [*FLAGS] + ["-march=native"] * (platform.machine() == "x86_64") + ["-DWITH_CUDA"] * cuda
    with tempfile.TemporaryDirectory(dir=folder) as work:
        links = cuda_runtime(Path(work)) if cuda else []
        load(NAME, sources, extra_cflags=flags, extra_ldflags=links, build_directory=work, with_cuda=cuda, is_python_module=False)
        (Path(work) / f"{NAME}.so").replace(Path(folder) / f"{NAME}.so")


def cuda_runtime(work: Path) -> list[str]:
    """Where the linker finds the CUDA runtime that came with torch, if one did: toolkits keep theirs in too many places."""
    for found in Path(torch.__file__).parents[1].glob("nvidia/*/lib/libcudart.so.*"):
        (work / "libcudart.so").symlink_to(found)
        return [f"-L{work}"]
    return []


if __name__ == "__main__":
    main(*sys.argv[1:])
