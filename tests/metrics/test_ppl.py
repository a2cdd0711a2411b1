import numpy as np
import pytest
import torch
from goldens import normal

from iplkit.errors import UserError
from iplkit.metrics.ppl import percentile_filter, ppl, ppl_of_distances


def test_is_the_squared_step_over_eps_squared():
    start = normal(0, 50, 9)
    score = ppl(start, start + 1e-4 * 2, low=0, high=100)
    assert score.value == pytest.approx(4 * 9, rel=1e-9) and score.settings["kept"] == 50


def test_does_not_depend_on_the_size_of_a_small_step():
    start, pace = normal(0, 60, 9), normal(1, 60, 9)
    assert ppl(start, start + 1e-4 * pace).value == pytest.approx(ppl(start, start + 1e-3 * pace, eps=1e-3).value, rel=1e-6)


@pytest.mark.parametrize("n", [2, 100, 101, 997])
def test_the_limits_are_numpys(n):
    values = normal(3, n).abs()
    kept, low, high = percentile_filter(values)
    assert (low, high) == (np.percentile(values, 1, method="lower"), np.percentile(values, 99, method="higher"))
    assert len(kept) == int(((values >= low) & (values <= high)).sum())


def test_one_leap_is_cut_off():
    values = torch.ones(200, dtype=torch.float64)
    values[7] = 1e9
    assert ppl_of_distances(values).value == 1


def test_steps_and_distances_that_are_none_are_refused():
    with pytest.raises(UserError, match="positive step; got 0"):
        ppl(normal(0, 3, 2), normal(1, 3, 2), eps=0)
    with pytest.raises(UserError, match="at least 2 finite distances"):
        ppl_of_distances(torch.tensor([1.0]))
    with pytest.raises(UserError, match="not negative"):
        ppl_of_distances(torch.tensor([1.0, -1.0]))
    with pytest.raises(UserError, match=r"got \(3, 2\) and \(4, 2\)"):
        ppl(normal(0, 3, 2), normal(1, 4, 2))
