import torch

from iplkit.bars.people import ALIKE, ALIKE_WITHIN, m6, pair_auc, triples
from iplkit.world.factors import CIRCUMSTANCE, IDENTITY, indices
from iplkit.world.render import DOMAINS


def test_the_same_person_has_the_same_identity_in_other_circumstances(scale):
    anchor, same, _ = triples(scale, 200)
    assert torch.equal(anchor[:, indices(IDENTITY)], same[:, indices(IDENTITY)])
    assert not torch.allclose(anchor[:, indices(CIRCUMSTANCE)], same[:, indices(CIRCUMSTANCE)], atol=0.05)


def test_hard_pairs_are_other_people_of_like_skin_and_hair(scale):
    anchor, _, other = triples(scale, 200)
    gap = (anchor - other).abs()
    assert gap[:, indices(ALIKE)].max() <= ALIKE_WITHIN + 1e-6
    rest = [name for name in IDENTITY if name not in ALIKE]
    assert gap[:, indices(rest)].mean() > 0.25  # two uniform numbers differ by a third on average


def test_a_perfect_embedding_has_auc_one():
    points = torch.nn.functional.normalize(torch.randn(30, 8, generator=torch.Generator().manual_seed(0)), dim=1)
    assert pair_auc(points, points, points.roll(1, 0)).value == 1


def test_every_domain_is_compared_and_a_useless_network_is_marked(scale, models):
    rows = m6(scale, models["identity"])
    assert [row.quantity for row in rows[2:]] == [f"identity AUC, photo and {domain}" for domain in DOMAINS[1:]]
    assert all(("ID invalid" in row.note) == (row.value < 0.9) for row in rows[2:])
