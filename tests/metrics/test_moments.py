import pytest
import torch
from goldens import normal

from iplkit.errors import UserError
from iplkit.metrics.moments import Moments


@pytest.mark.parametrize("batch", [1, 7, 64])
def test_a_stream_gives_the_moments_of_the_whole(batch):
    rows, seen = normal(3, 256, 16) * 1.2 + 0.1, Moments()
    for part in rows.split(batch):
        seen.update(part)
    assert seen.count == 256
    torch.testing.assert_close(seen.mean, rows.mean(0))
    torch.testing.assert_close(seen.covariance(), torch.cov(rows.T))


def test_parts_can_be_merged_in_any_order():
    a, b, c = (Moments.of(normal(seed, n, 5)) for seed, n in ((0, 10), (1, 30), (2, 1)))
    torch.testing.assert_close(((a + b) + c).covariance(), (c + (b + a)).covariance())
    torch.testing.assert_close((a + Moments()).scatter, a.scatter)


def test_a_large_common_value_costs_no_digits():
    rows = normal(0, 300, 4)
    seen = sum((Moments.of(part + 1e6) for part in rows.split(37)), Moments())
    torch.testing.assert_close(seen.covariance(), torch.cov(rows.T), rtol=1e-8, atol=1e-9)  # E x² - (E x)² keeps 4 digits


def test_covariances_divide_by_what_was_asked():
    seen = Moments.of(normal(0, 10, 3))
    torch.testing.assert_close(seen.covariance(0) * 10, seen.covariance(1) * 9)


def test_too_few_rows_other_widths_and_broken_values_are_refused():
    with pytest.raises(UserError, match="more than 1 rows of features; got 1"):
        Moments.of(normal(0, 1, 3)).covariance()
    with pytest.raises(UserError, match="got 3 and 4 features"):
        Moments.of(normal(0, 5, 3)).update(normal(0, 5, 4))
    with pytest.raises(UserError, match="at least one row"):
        Moments.of(torch.zeros(0, 3))
    with pytest.raises(UserError, match="1 of 2 batch rows"):
        Moments.of(torch.tensor([[0.0], [float("inf")]]))
