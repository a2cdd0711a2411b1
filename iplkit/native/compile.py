"""Compile the native operations into a folder; `iplkit.native.build` runs this as a process of its own.

    python -m iplkit.native.compile FOLDER cpu|cuda
"""

import platform
import sys
import tempfile
from pathlib import Path

from torch.utils.cpp_extension import load

HERE = Path(__file__).parent
NAME = "iplkit_native"


def main(folder: str, kind: str) -> None:
    """Build in a fresh folder, then move the library into place."""
    sources = [str(HERE / "ops.cpp")] + [str(HERE / "ops.cu")] * (kind == "cuda")
    flags = ["-O3", "-fopenmp-simd", "-fno-math-errno", "-fno-trapping-math"] + ["-march=native"] * (platform.machine() == "x86_64") + ["-DWITH_CUDA"] * (kind == "cuda")
    with tempfile.TemporaryDirectory(dir=folder) as work:
        load(NAME, sources, extra_cflags=flags, build_directory=work, with_cuda=kind == "cuda", is_python_module=False)
        (Path(work) / f"{NAME}.so").replace(Path(folder) / f"{NAME}.so")


if __name__ == "__main__":
    main(*sys.argv[1:])
