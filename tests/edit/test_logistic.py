"""The baseline: the normal of the border between people with and without a label."""

import pytest
import torch

from iplkit.edit.logistic import logistic_direction
from iplkit.errors import UserError


def test_the_direction_of_labels_made_along_an_axis_is_that_axis(generator):
    w = torch.randn(400, 6, generator=generator)
    found = logistic_direction(w, w[:, 2] > 0.3)
    assert float(found.norm()) == pytest.approx(1)
    assert float(found[2]) > 0.95


def test_people_of_one_kind_have_no_border():
    with pytest.raises(UserError, match="and 4 with it"):
        logistic_direction(torch.ones(4, 2), torch.ones(4))
