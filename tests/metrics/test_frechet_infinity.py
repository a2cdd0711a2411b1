import pytest
from goldens import normal

from iplkit.errors import UserError
from iplkit.metrics.frechet import fid
from iplkit.metrics.frechet_infinity import fid_infinity


def test_removes_most_of_the_bias_where_there_are_many_images():
    real, fake = normal(0, 2000, 8), normal(1, 1000, 8)  # one law: the truth is 0
    assert abs(fid_infinity(real, fake).value) < fid(real, fake).value


def test_too_few_images_are_refused_because_the_line_would_be_wrong():
    with pytest.raises(UserError, match="needs 512 images in each set for 64 features; got 600 real and 200 fake; use KID"):
        fid_infinity(normal(0, 600, 64), normal(1, 200, 64))


def test_a_line_needs_three_sizes():
    with pytest.raises(UserError, match=r"3 different sizes from 2 to 100; got \[50, 100\]"):
        fid_infinity(normal(0, 100, 4), normal(1, 100, 4), sizes=[50, 100])
