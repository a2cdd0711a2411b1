"""Inputs of the golden cases: numpy's default generator and an integer hash, both without a global seed."""

import numpy as np
import torch


def normal(seed: int, *shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


def hash_uniform(seed: int, *shape: int) -> torch.Tensor:
    """splitmix64 of the position: needs no library to agree on a stream."""
    with np.errstate(over="ignore"):
        k = np.arange(np.prod(shape), dtype=np.uint64) + (np.uint64(seed) << np.uint64(32))
        z = (k + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return torch.from_numpy(((z >> np.uint64(11)).astype(np.float64) * 2.0**-53).reshape(shape))
