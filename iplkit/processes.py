"""Several processes that work as one: each takes its blocks of the work, the first one gets everything in order.

Torch's own launcher starts them (``torchrun --nproc-per-node 2 -m iplkit.cli evaluate ...``) and tells each its number.
What is exchanged lies on the CPU and is small beside the work, so the one exchange (gloo) serves processes with and
without GPUs. Every exchange begins with a word of each process: if one failed, all stop, with its sentence.
"""

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch.distributed as dist

from iplkit.errors import UserError

PATIENCE = timedelta(hours=2)  # that processes wait for the slowest


@dataclass(frozen=True)
class Team:
    """This process among its like.

    Args:
        rank: its number, from 0.
        count: how many there are.
        local: its number on its machine, which is that of its GPU.
    """

    rank: int = 0
    count: int = 1
    local: int = 0

    @property
    def first(self) -> bool:
        """The one that puts the parts together, prints and writes."""
        return self.rank == 0

    def own(self, n: int, size: int) -> list[tuple[int, int]]:
        """This process's blocks of n things: (start, stop) of every `count`-th block of `size`."""
        return [(start, min(start + size, n)) for start in range(self.rank * size, n, self.count * size)]

    def device(self, name: str) -> str:
        """"cuda" means each its own GPU."""
        return f"cuda:{self.local}" if name == "cuda" and self.count > 1 else name

    def gather(self, value: Any) -> list | None:
        """The values of all processes for the first one, by rank; None for the others.

        Raises:
            UserError: if a process failed, died, or kept the others waiting for longer than the patience.
        """
        if self.count == 1:
            return [value]
        self._tell("")
        found: list | None = [None] * self.count if self.first else None
        with self._one_died():
            dist.gather_object(value, found)
        return found

    def _tell(self, failure: str) -> None:
        """One word each: how it goes. The first failure stops all."""
        words: list = [None] * self.count
        with self._one_died():
            dist.all_gather_object(words, failure)
        if any(words):
            rank = next(rank for rank, word in enumerate(words) if word)
            raise Failed(f"process {rank} of {self.count} stopped: {words[rank]}")

    @contextmanager
    def _one_died(self) -> Iterator[None]:
        try:
            yield
        except (RuntimeError, dist.DistError) as error:
            raise Failed(f"{self.count} processes need all of them to answer; one died, or was silent for too long ({_short(error)})") from error


class Failed(UserError):
    """Another process failed; this one has nothing more to tell."""


ALONE = Team()


@contextmanager
def team(patience: timedelta = PATIENCE) -> Iterator[Team]:
    """The processes that torch's launcher started together with this one; alone without it.

    A failure in here is told to the others, so that nobody waits for a process that stopped.

    Args:
        patience: how long an exchange may take.

    Raises:
        UserError: if the others cannot be reached; and what is raised inside.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield ALONE
        return
    own = Team(int(os.environ["RANK"]), count, int(os.environ.get("LOCAL_RANK", "0")))
    with own._one_died():
        dist.init_process_group("gloo", timeout=patience)
    try:
        yield own
        own._tell("")  # the first one still computes scores when the others are ready
    except Failed:
        raise
    except Exception as error:
        if not isinstance(error, UserError):
            traceback.print_exc(file=sys.stderr)
        own._tell(str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {_short(error)}")
    finally:
        dist.destroy_process_group()


def _short(error: Exception) -> str:
    """An error's first line without the place in the library."""
    text = str(error).strip().splitlines() or [type(error).__name__]
    return text[0].rpartition("] ")[2][:120]
