"""``torch.compile`` for the drawing of the adapted images: how a run is executed, and not what it is.

Compiled is the way from W+ and noise to the image, where the time goes; noise is drawn outside, since a compiler cannot look
into a random generator. Each set of layers that are trained needs a program of its own, so a method that chooses
layers often is compiled often; after some of them torch goes on without. Every way to fail ends in one sentence and plain torch.
"""

import re
import subprocess
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

from iplkit.native.build import end

LIMIT = 300  # seconds that the trial gets
TRIAL = """
import torch
x = torch.ones(64, device={device!r}, requires_grad=True)
torch.compile(lambda x: (x.sin() * 2).sum())(x).backward()
"""
Made = TypeVar("Made")


class Paint:
    """The compiled drawing of one generator.

    Args:
        synthesis: of the generator that is trained.
        backend: as `torch.compile` takes it.
    """

    def __init__(self, synthesis: nn.Module, backend: str | Callable = "inductor"):
        def draw(ws: Tensor, noise: dict[str, Tensor | None]) -> Tensor:
            return synthesis.paint(synthesis.styles(ws), noise)

        self.synthesis, self.function = synthesis, torch.compile(draw, backend=backend)

    def of(self, synthesis: nn.Module) -> Callable[[Tensor, dict[str, Tensor | None]], Tensor] | None:
        """W+ and noise to images, if this synthesis is ours and compiling went well."""
        return self.function if synthesis is self.synthesis else None

    def run(self, step: Callable[[], Made]) -> Made:
        """Take a step. If compiling fails on the way, it is taken again, and all later ones are, uncompiled; a warning says why.

        Args:
            step: changes nothing before its gradients are there.
        """
        try:
            return step()
        except (RuntimeError, torch._dynamo.exc.TorchDynamoException) as error:  # on the way back torch hands on what a backend raised
            if self.function is None or isinstance(error, torch.OutOfMemoryError):
                raise
            self.function = None
            warn_of(_reason(str(error)))
        return step()


def paint_of(synthesis: nn.Module, backend: str | Callable | None, limit: float = LIMIT) -> Paint | None:
    """The compiled drawing, or None where nobody asked, or where a small trial fails; a warning says why then."""
    if backend is None:
        return None
    if backend == "inductor" and (why := why_not(synthesis.const.device, limit)):
        warn_of(why)
        return None
    return Paint(synthesis, backend)


def why_not(device: torch.device, limit: float = LIMIT, command: Sequence[str] | None = None) -> str:
    """Why this machine cannot compile; empty if it can. A child process tries it, so that a compiler that hangs can be ended.

    Args:
        device: for which.
        limit: seconds it gets.
        command: the trial; None compiles one line, forward and back.
    """
    command = command or [sys.executable, "-c", TRIAL.format(device=str(device))]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=sys.platform != "win32")
    try:
        said, _ = child.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        end(child)
        return f"the compiler was not done after {limit:g} seconds"
    except BaseException:
        end(child)
        raise
    if not child.returncode:
        return ""
    lines = [line for line in said.splitlines() if re.match(r"[\w.]+: ", line)] or said.splitlines() or ["it said nothing"]
    return f"the compiler failed ({_reason(lines[-1])})"


def warn_of(why: str) -> None:
    """Say that the run goes on uncompiled."""
    warnings.warn(f"The run goes on uncompiled, with the same result: {why}.", stacklevel=3)


def _reason(text: str) -> str:
    return " ".join(text.strip().split("\n\n")[0].split())[:160].rstrip(".") or "no reason was given"
