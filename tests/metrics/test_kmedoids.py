from itertools import combinations

import pytest
import torch
from goldens import normal

from iplkit.errors import UserError
from iplkit.metrics.distances import squared_distances
from iplkit.metrics.kmedoids import _swap_gains, k_medoids


def matrix(seed, n, d=2):
    x = normal(seed, n, d)
    return squared_distances(x, x)


def cost(distances, medoids):
    return distances[:, list(medoids)].min(dim=1).values.sum().item()


@pytest.mark.parametrize("seed", range(4))
def test_finds_the_best_medoids_of_small_sets(seed):
    distances = matrix(seed, 14)
    best = min(cost(distances, choice) for choice in combinations(range(14), 3))
    assert cost(distances, k_medoids(distances, 3, seed=seed)) == pytest.approx(best)


@pytest.mark.parametrize("k", [1, 3])
def test_the_price_of_a_swap_is_what_the_swap_costs(k):
    distances, medoids = matrix(0, 12), torch.tensor([2, 5, 9])[:k]
    gains = _swap_gains(distances, medoids)
    for place in range(k):
        for candidate in range(12):
            swapped = medoids.tolist()
            swapped[place] = candidate
            assert gains[candidate, place].item() == pytest.approx(cost(distances, swapped) - cost(distances, medoids.tolist()), abs=1e-12)


def test_separate_clusters_get_one_medoid_each():
    x = torch.cat([normal(seed, 15, 3) * 0.1 + 10 * seed for seed in range(4)])
    medoids = k_medoids(squared_distances(x, x), 4)
    assert (medoids // 15).tolist() == [0, 1, 2, 3]


def test_same_seed_same_medoids_and_copies_do_no_harm():
    distances = matrix(1, 60, 5)
    assert k_medoids(distances, 5, seed=3).equal(k_medoids(distances, 5, seed=3))
    assert len(k_medoids(torch.zeros(6, 6), 2)) == 2


def test_too_few_members_and_what_is_no_matrix_of_distances_are_refused():
    with pytest.raises(UserError, match="10 medoids need more than 10 members; got 10"):
        k_medoids(matrix(0, 10))
    with pytest.raises(UserError, match="square matrix"):
        k_medoids(torch.zeros(3, 4), 2)
    with pytest.raises(UserError, match="not negative"):
        k_medoids(-matrix(0, 10), 2)
