"""Steps that leave other things alone."""

import pytest
import torch
from small_eye import people, small_eye

from iplkit.edit.held import change_gram, least_change, others_held
from iplkit.edit.relevance import reverse_matrix
from iplkit.errors import UserError

RNG = torch.Generator().manual_seed(0)
SLOPES, OTHERS = torch.randn(40, generator=RNG), torch.randn(3, 40, generator=RNG)


def test_what_other_texts_share_is_taken_out_and_the_text_still_moves():
    step = others_held(SLOPES, OTHERS, soft=0)
    assert float((OTHERS @ step).abs().max()) < 1e-4
    assert float(SLOPES @ step) > 0
    soft = others_held(SLOPES, OTHERS, soft=0.1)
    assert 0 < float((OTHERS @ soft).norm()) < float((OTHERS @ SLOPES).norm())
    assert torch.equal(others_held(SLOPES, OTHERS[:0]), SLOPES)


def test_two_texts_that_coincide_do_not_divide_by_nothing():
    assert others_held(SLOPES, OTHERS[[0, 0]]).isfinite().all()


def test_the_least_change_moves_the_feature_less_at_the_same_way_along_the_text():
    spread = torch.randn(60, 40, generator=RNG) * torch.linspace(0.1, 3, 40)
    gram = spread.T @ spread
    step = least_change(SLOPES, gram, 1e-3)
    change = lambda d: float(d @ gram @ d) / float(SLOPES @ d) ** 2  # noqa: E731
    assert change(step) < 0.5 * change(SLOPES)
    assert float(torch.cosine_similarity(least_change(SLOPES, gram, 1e6), SLOPES, dim=0)) > 0.9999


def test_the_table_of_changes_is_that_of_one_persons_jacobian():
    eye = small_eye()
    codes, statistics = people(eye, 1)
    jacobian = reverse_matrix(eye, codes, statistics.std).slopes  # [K, E], of one person the mean is itself
    found = change_gram(eye, codes, statistics.std, eye.space.convolutions)
    assert torch.allclose(found, jacobian @ jacobian.T, rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("wrong", [lambda: others_held(SLOPES, OTHERS[:, :5]), lambda: least_change(SLOPES, torch.eye(3), 1.0), lambda: least_change(SLOPES, torch.eye(40), 0.0)])
def test_what_does_not_fit_is_refused(wrong):
    with pytest.raises(UserError, match="got"):
        wrong()
