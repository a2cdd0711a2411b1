"""Losses on features: angles one can draw, and slow definitions."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from iplkit.errors import UserError
from iplkit.losses import (
    alignment_loss,
    clip_similarity_loss,
    contrastive_loss,
    direction,
    directional_loss,
    domain_loss,
    ipl_stage1_loss,
    template_direction,
    thesis_directional_loss,
)

E1, E2, E3 = torch.eye(4)[:3]


@pytest.fixture
def features(generator):
    """Four sets of features, ``[4, N, E]``."""
    return torch.randn(4, 6, 16, generator=generator)


def unit(x):
    return x / x.norm(dim=-1, keepdim=True)


# -- direction -----------------------------------------------------------------------------------


def test_a_direction_is_the_unit_chord_between_unit_features():
    want = (E2 - E1) / 2**0.5
    assert_close(direction(3 * E1, 7 * E2), want, atol=1e-6, rtol=0)


def test_equal_features_have_no_direction_and_without_eps_no_number():
    assert_close(direction(E1, 2 * E1), torch.zeros(4))
    assert direction(E1, E1, eps=0.0).isnan().all()


def test_the_template_direction_is_the_mean_move(features):
    source, target = features[:2]
    want = unit(torch.stack([unit(t) - unit(s) for s, t in zip(source, target)]).mean(0))
    assert_close(template_direction(source, target)[0], want, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("moved_to, want", [(E2, 0.0), (E3, 0.5), (-E2, 1.0)])
def test_agreement_is_the_angle_between_the_two_moves(moved_to, want):
    got = directional_loss(E1[None], moved_to[None], E1[None], E2[None])
    assert_close(got, torch.tensor(want), atol=1e-5, rtol=0)


def test_opposite_moves_cost_two():
    got = directional_loss(E1[None], E2[None], E2[None], E1[None])
    assert_close(got, torch.tensor(2.0), atol=1e-5, rtol=0)


def test_directional_loss_equals_the_published_cosine_of_differences(features):
    i0, i1, t0, t1 = map(unit, features)
    want = torch.stack([1 - torch.cosine_similarity(i1[n] - i0[n], t1[n] - t0[n], dim=0) for n in range(6)]).mean()
    assert_close(directional_loss(*features), want, atol=1e-5, rtol=1e-5)


def test_the_length_of_a_feature_does_not_matter(features):
    scaled = [scale * x for scale, x in zip((0.1, 1.0, 30.0, 7.0), features)]
    assert_close(directional_loss(*scaled), directional_loss(*features))


def test_one_shared_sentence_is_the_same_as_repeating_it(features):
    i0, i1, t0, t1 = features
    shared = directional_loss(i0, i1, t0[:1], t1[:1])
    assert_close(shared, directional_loss(i0, i1, t0[:1].repeat(6, 1), t1[:1].repeat(6, 1)))
    assert_close(shared, alignment_loss(i0, i1, direction(t0[:1], t1[:1])))


def first_gradient(features, **options):
    i0, _, t0, t1 = features
    i1 = i0.clone().requires_grad_()
    loss = directional_loss(i0, i1, t0, t1, **options)
    loss.backward()
    return loss.detach(), i1.grad


def test_equal_images_explode_the_gradient_as_documented(features):
    loss, grad = first_gradient(features)
    assert_close(loss, torch.tensor(1.0))
    assert grad.norm() > 1e5


def test_the_published_formula_breaks_on_equal_images(features):
    loss, _ = first_gradient(features, eps=0.0)
    assert loss.isnan()


def test_the_guard_turns_equal_images_into_no_gradient_and_leaves_others_alone(features):
    loss, grad = first_gradient(features, guard=1e-3)
    assert_close(loss, torch.tensor(1.0))
    assert (grad == 0).all()
    assert_close(directional_loss(*features, guard=1e-3), directional_loss(*features))


# -- similarity and contrast ---------------------------------------------------------------------


def test_similarity_is_zero_one_two_for_same_right_angle_opposite():
    for image, want in [(5 * E1, 0.0), (E2, 1.0), (-E1, 2.0)]:
        assert_close(clip_similarity_loss(image[None], E1[None]), torch.tensor(want), atol=1e-6, rtol=0)


def slow_infonce(a, b, scale):
    """Both cross-entropies, written with sums over single pairs."""
    n, total = len(a), 0.0
    sim = [[scale * float(torch.dot(unit(a[i]), unit(b[j]))) for j in range(n)] for i in range(n)]
    for i in range(n):
        rows = math.log(sum(math.exp(sim[i][j]) for j in range(n)))
        columns = math.log(sum(math.exp(sim[j][i]) for j in range(n)))
        total += (rows - sim[i][i] + columns - sim[i][i]) / 2
    return total / n


def test_contrast_equals_its_sums(features):
    a, b = features[:2]
    assert_close(contrastive_loss(a, b, 10.0), torch.tensor(slow_infonce(a, b, 10.0)), atol=1e-5, rtol=1e-5)


def test_contrast_is_symmetric_and_blind_to_order_and_length(features):
    a, b = features[:2]
    want, order = contrastive_loss(a, b, 100.0), torch.tensor([3, 1, 5, 0, 2, 4])
    assert_close(contrastive_loss(b, a, 100.0), want)
    assert_close(contrastive_loss(3 * a[order], 0.2 * b[order], torch.tensor(100.0)), want)


def test_contrast_is_log_n_for_equal_rows_and_zero_for_perfect_pairs():
    same = E1.repeat(5, 1)
    assert_close(contrastive_loss(same, same, 100.0), torch.tensor(math.log(5)))
    assert contrastive_loss(torch.eye(5), torch.eye(5), 100.0) < 1e-6


@pytest.mark.parametrize("shapes", [((1, 4), (1, 4)), ((3, 4), (1, 4)), ((3, 4), (3, 5))])
def test_contrast_without_pairs_to_compare_is_refused(shapes):
    with pytest.raises(UserError, match="N of 2 or more"):
        contrastive_loss(torch.ones(shapes[0]), torch.ones(shapes[1]), 1.0)


# -- IPL, stage 1 --------------------------------------------------------------------------------


@pytest.fixture
def stage1(generator):
    """Images, two learned sets, two bases, two anchors."""
    many, one = torch.randn(3, 6, 16, generator=generator), torch.randn(4, 1, 16, generator=generator)
    return [*many, *one]


def test_stage_1_equals_its_published_definition(stage1):
    images, source, target, base_s, base_t, anchor_s, anchor_t = stage1
    S, U = [unit(t + base_s[0]) for t in source], [unit(t + base_t[0]) for t in target]
    domain = sum(1 - float(unit(anchor_t[0]) @ u) for u in U) / 6
    source_domain = sum(1 - float(unit(anchor_s[0]) @ s) for s in S) / 6
    want = slow_infonce(images, torch.stack(S), 10.0) + 0.7 * (domain + 0.3 * source_domain)
    total, _ = ipl_stage1_loss(*stage1, scale=10.0, lambda_l=0.7, lambda_src=0.3)
    assert_close(total, torch.tensor(want), atol=1e-5, rtol=1e-5)


def test_lambda_src_acts_inside_lambda_l(stage1):
    for lambda_l, lambda_src in [(0.0, 5.0), (1.0, 0.0), (2.0, 3.0)]:
        total, parts = ipl_stage1_loss(*stage1, 100.0, lambda_l, lambda_src)
        want = parts["contrastive"] + lambda_l * parts["domain"] + lambda_l * lambda_src * parts["source"]
        assert_close(total, want)


def test_the_length_of_the_hand_written_feature_is_its_weight(stage1):
    images, source, target, base_s, base_t, anchor_s, anchor_t = stage1
    _, heavy = ipl_stage1_loss(images, source, target, 1e6 * base_s, 0 * base_t, anchor_s, anchor_t, 100.0)
    assert_close(heavy["source"], domain_loss(base_s, anchor_s), atol=1e-4, rtol=0)  # only the base is left
    assert_close(heavy["domain"], domain_loss(target, anchor_t))  # only the learned sentence is left


def test_stage_1_leaves_its_inputs_and_the_images_gradient_alone(stage1):
    before = [x.clone() for x in stage1]
    stage1[0].requires_grad_()
    stage1[1].requires_grad_()
    total, parts = ipl_stage1_loss(*stage1, 100.0)
    total.backward()
    assert stage1[0].grad is None and stage1[1].grad.norm() > 0
    assert not any(part.requires_grad for part in parts.values())
    assert_close([x.detach() for x in stage1], before)


def test_domain_loss_is_the_mean_angle_to_the_center(features):
    want = sum(1 - torch.cosine_similarity(row, features[1, 0], dim=0) for row in features[0]) / 6
    assert_close(domain_loss(features[0], features[1, :1]), want, atol=1e-6, rtol=1e-5)


def test_the_thesis_second_version_leads_away_from_a_long_manual_prompt(generator):
    start, text, base = torch.randn(3, 8, 16, generator=generator).unbind()
    base, center = 9 * F.normalize(base[:1], dim=-1), F.normalize(torch.randn(1, 16, generator=generator), dim=-1)
    away = F.normalize(start, dim=-1) - 0.3 * F.normalize(base, dim=-1)  # images that only leave the manual prompt
    aside = F.normalize(start, dim=-1) + 0.3 * F.normalize(base, dim=-1)
    thesis = [thesis_directional_loss(start, end, text, text, base, center, guard=1e-6) for end in (away, aside)]
    assert thesis[0] < 0.6 < 1.4 < thesis[1]
    same = directional_loss(start, away, text + base, text + base, guard=1e-6)
    assert float(same) == pytest.approx(1)  # IPL sees no direction in equal sentences
