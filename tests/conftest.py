"""Shared by all tests: one thread, and randomness that is always passed in."""

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture
def generator() -> torch.Generator:
    """A source of random numbers that starts at the same place in every test."""
    return torch.Generator().manual_seed(0)
