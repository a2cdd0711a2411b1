import pytest
import torch
import torch.nn.functional as F
from goldens import normal

from iplkit.errors import UserError
from iplkit.metrics.clip_direction import clip_direction, direction_agreement, text_margin

SOURCE, TARGET = normal(84, 64), normal(85, 64)


def unit(x):
    return F.normalize(x, dim=-1)


def test_images_that_move_as_the_captions_do_score_one():
    source = unit(normal(0, 5, 64)) * 3
    step = unit(TARGET) - unit(SOURCE)
    along = step - (step @ unit(source).T)[:, None] * unit(source)  # stay on the sphere to first order
    adapted = unit(unit(source) + 1e-5 * along)
    want = F.cosine_similarity(along, step[None], dim=1).mean().item()
    assert clip_direction(source, adapted, SOURCE, TARGET).value == pytest.approx(want, abs=1e-4)
    assert clip_direction(SOURCE[None] * 2, TARGET[None] * 9, SOURCE, TARGET).value == pytest.approx(1, abs=1e-12)


def test_swapping_the_captions_turns_the_sign():
    source, adapted = normal(1, 9, 64), normal(2, 9, 64)
    assert clip_direction(source, adapted, TARGET, SOURCE).value == pytest.approx(-clip_direction(source, adapted, SOURCE, TARGET).value)


def test_an_image_that_did_not_move_counts_zero_and_is_counted():
    source, adapted = normal(1, 4, 64), normal(2, 4, 64)
    adapted[0] = source[0] * 2
    score = clip_direction(source, adapted, SOURCE, TARGET)
    rest = clip_direction(source[1:], adapted[1:], SOURCE, TARGET)
    assert score.settings["num_still"] == 1 and score.value == pytest.approx(rest.value * 3 / 4)


def test_the_margin_is_the_difference_of_two_cosines():
    images = normal(3, 7, 64)
    want = F.cosine_similarity(images, TARGET[None]) - F.cosine_similarity(images, SOURCE[None])
    score = text_margin(images, SOURCE[None], TARGET)
    assert score.value == pytest.approx(want.mean().item()) and score.settings["max"] == pytest.approx(want.max().item())


def test_agreement_is_one_if_all_move_alike_and_near_zero_if_each_moves_alone():
    source = normal(0, 30, 64)
    base = unit(source)
    alike = base + 1e-6 * normal(4, 1, 64)
    assert direction_agreement(source, alike).value > 0.95
    assert abs(direction_agreement(source, base + 1e-6 * normal(5, 30, 64)).value) < 0.05


def test_agreement_is_the_mean_over_all_pairs():
    source, adapted = normal(6, 8, 16), normal(7, 8, 16)
    steps = unit(unit(adapted) - unit(source))
    want = (steps @ steps.T)[~torch.eye(8, dtype=torch.bool)].mean().item()
    assert direction_agreement(source, adapted).value == pytest.approx(want)


def test_captions_without_a_direction_and_images_that_stand_still_are_refused():
    with pytest.raises(UserError, match="two different captions"):
        clip_direction(normal(0, 3, 64), normal(1, 3, 64), SOURCE, SOURCE)
    with pytest.raises(UserError, match=r"target caption needs one finite embedding \[64\]; got \(8,\)"):
        text_margin(normal(0, 3, 64), SOURCE, TARGET[:8])
    with pytest.raises(UserError, match="at least 2 images that moved; 0 of 3 did"):
        direction_agreement(normal(0, 3, 64), normal(0, 3, 64))
    with pytest.raises(UserError, match="at least one image"):
        text_margin(torch.zeros(0, 64), SOURCE, TARGET)
