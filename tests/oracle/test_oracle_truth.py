import torch

from iplkit.oracle.truth import known_only, landmark_shift, mask_overlap
from iplkit.world.factors import index


def test_equal_people_share_all_their_structure(people):
    torch.testing.assert_close(mask_overlap(people, people), torch.ones(len(people)))
    assert landmark_shift(people, people).abs().max() == 0


def test_a_turned_head_loses_structure_and_another_skin_does_not(people):
    turned, painted = people.clone(), people.clone()
    turned[:, index("yaw")] = 1 - people[:, index("yaw")]
    painted[:, index("skin_tone")] = 1 - people[:, index("skin_tone")]
    far = (turned - people).abs()[:, index("yaw")] > 0.3
    assert mask_overlap(people, turned)[far].max() < 0.8
    torch.testing.assert_close(mask_overlap(people, painted), torch.ones(len(people)))
    assert landmark_shift(people, turned)[far].min() > 0.02


def test_unknown_factors_make_no_difference(people):
    other = people.flip(0)
    mixed = known_only(other, people, ["yaw", "smile"])
    assert torch.equal(mixed[:, index("yaw")], other[:, index("yaw")])
    assert torch.equal(mixed[:, index("age")], people[:, index("age")])
