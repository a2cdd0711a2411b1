"""Build, test and switch on the native operations; every way to fail ends in one sentence and plain torch."""

import functools
import importlib.util
import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import torch

from iplkit.native.functions import make, self_test
from iplkit.stylegan2 import passes

LIMIT = 300  # seconds a compiler gets
FOLDER = Path(__file__).parent
NAME = "iplkit_native"


def enable(limit: float = LIMIT) -> bool:
    """Switch the native operations on in this process, building them first if need be (about a minute, once).

    Args:
        limit: seconds that the compiler gets.

    Returns:
        True if they are on. Otherwise a warning says in one sentence why, and nothing has changed.
    """
    operations, why = available(limit)
    if operations is None:
        warnings.warn(f"Native operations are off, and torch's own do the work: {why}.", stacklevel=2)
        return False
    passes.native = operations
    return True


def disable() -> None:
    """Back to plain torch."""
    passes.native = None


@functools.cache
def available(limit: float = LIMIT):
    """The operations, and why not: one of the two is None."""
    try:
        library = build(limit)
        spec = importlib.util.spec_from_file_location(NAME, library)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        operations = make(module)
        for device in ["cpu"] + ["cuda"] * torch.cuda.is_available():
            if wrong := self_test(operations, device):
                return None, f"their self-test on {device} is {wrong}"
    except BuildFailed as error:
        return None, str(error)
    except (ImportError, OSError, RuntimeError) as error:
        return None, f"they were built and do not load ({' '.join(str(error).split())[:120]})"
    return operations, None


class BuildFailed(Exception):
    """No library; the text says why."""


def build(limit: float = LIMIT, folder: Path | None = None) -> Path:
    """The library's file. A child process builds it, so that a compiler that hangs can be ended.

    Args:
        limit: seconds it gets.
        folder: where to build; None is a folder under the user's cache, or under TORCH_EXTENSIONS_DIR.

    Raises:
        BuildFailed: with the reason.
    """
    from torch.utils.cpp_extension import get_default_build_root, is_ninja_available

    if not is_ninja_available():
        raise BuildFailed("the program ninja is missing")
    kind = "cuda" if torch.cuda.is_available() else "cpu"
    folder = folder or Path(get_default_build_root()) / f"{NAME}-{torch.__version__}-{kind}-{_source_hash()}"
    folder.mkdir(parents=True, exist_ok=True)
    library = folder / f"{NAME}.so"
    if library.is_file():
        return library
    command = [sys.executable, "-m", "iplkit.native.compile", str(folder), kind]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=os.name == "posix")
    try:
        said, _ = child.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        end(child)
        raise BuildFailed(f"the compiler was not done after {limit:g} seconds") from None
    if child.returncode != 0 or not library.is_file():
        errors = [line for line in said.splitlines() if "error" in line.lower()] or said.splitlines()[-1:] or ["it said nothing"]
        raise BuildFailed(f"the compiler failed ({errors[0].strip()[:160]})")
    return library


def end(child: subprocess.Popen) -> None:
    """Kill a child process and what it started, in a session of its own."""
    if os.name == "posix":
        os.killpg(child.pid, signal.SIGKILL)  # ninja and its compilers, too
    else:
        child.kill()
    child.communicate()


def _source_hash() -> str:
    import hashlib

    return hashlib.sha256(b"".join((FOLDER / name).read_bytes() for name in ("ops.cpp", "ops.cu", "compile.py"))).hexdigest()[:12]
