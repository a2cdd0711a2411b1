"""People whose factors are known, a head that knows them but for noise, and a judge that knows nothing."""

import pytest
import torch

from iplkit.nets.judge import Judge
from iplkit.nets.readout import ClassifierConfig
from iplkit.world.factors import sample_factors
from iplkit.world.render import render

SIZE = 32


class Knowing:
    """A head that recognizes pictures by their pixels and answers with what it was told, plus a little noise."""

    def __init__(self, noise: float = 0.02):
        self.pictures, self.factors, self.noise = [], [], noise

    def teach(self, images, factors):
        self.pictures.append(images.flatten(1)), self.factors.append(factors)

    def __call__(self, images):
        known, factors = torch.cat(self.pictures), torch.cat(self.factors)
        nearest = torch.cdist(images.flatten(1), known).argmin(1)
        noise = torch.randn(len(images), factors.shape[1], generator=torch.Generator().manual_seed(len(images)))
        return (factors[nearest] + self.noise * noise).clamp(0, 1)


@pytest.fixture(scope="session")
def judge():
    """Untrained, small and frozen."""
    return Judge(ClassifierConfig(size=SIZE, width=8)).eval().requires_grad_(False)


@pytest.fixture(scope="session")
def people():
    return sample_factors(16, torch.Generator().manual_seed(5))


@pytest.fixture
def photos(people):
    return render(people, "photo", SIZE, seed=100)


def reader_renders(seed: int, n: int, domain: str):
    """The renders on which a reader measures its error, and their truth."""
    g = torch.Generator().manual_seed(seed)
    truth = sample_factors(n, g)
    return render(truth, domain, SIZE, seed=torch.randint(1, 2**31 - 1, (n,), generator=g)), truth


@pytest.fixture
def knowing(people, photos):
    """A head that knows the people in both domains, whatever their texture, and the renders that test it."""
    head = Knowing()
    head.teach(photos, people)
    for seed in (0, 16, 300):
        head.teach(render(people, "sketch", SIZE, seed=seed), people)
    for domain in ("photo", "sketch"):
        head.teach(*reader_renders(0, 12, domain))
    return head
