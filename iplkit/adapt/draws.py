"""Random numbers of a run: each draw has its own seed, made from the run's seed, a purpose and a step.

So a resumed run needs no stored state, and two methods with one seed see the same latents.
"""

import hashlib

import torch


def draw_seed(seed: int, purpose: str, step: int = 0) -> int:
    """A seed for one draw, in [0, 2**63): unrelated for any other purpose or step."""
    digest = hashlib.sha256(f"{seed}/{purpose}/{step}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def draw(seed: int, purpose: str, step: int = 0) -> torch.Generator:
    """A source of random numbers for one purpose at one step; on the CPU, so that every device sees the same."""
    return torch.Generator().manual_seed(draw_seed(seed, purpose, step))
