import pytest
import torch

from iplkit.bars import samples as room
from iplkit.errors import UserError
from iplkit.world.factors import NAMES
from iplkit.world.render import DOMAINS


def judged_as(scale, probs, factors=None):
    """A stand-in whose samples and photos are what the test says."""
    judged = room.Judged(scale, None, None)
    n = len(probs)
    draw = torch.Generator().manual_seed(0)
    factors = torch.rand(n, len(NAMES), generator=draw) if factors is None else factors
    real = torch.rand(4 * n, len(NAMES), generator=draw)
    judged.__dict__["samples"] = {"domain_probs": probs, "factors": factors}
    judged.__dict__["photos"] = {"domain_probs": probs, "factors": real}
    return judged


def test_none_of_them_is_a_failure_and_is_printed(scale):
    probs = torch.zeros(10, len(DOMAINS) + 1)
    probs[:, 0] = 1
    probs[:3, -1] = 2
    share, _, none = room.m1(judged_as(scale, probs))
    assert (share.value, none.value, share.met) == (0.7, 0.3, False)


def test_a_factor_that_leaves_its_law_is_seen(scale):
    factors = torch.rand(400, len(NAMES), generator=torch.Generator().manual_seed(5))
    factors[:, 3] = factors[:, 3] / 2
    rows = room.m3(judged_as(scale, torch.ones(400, len(DOMAINS) + 1), factors))
    assert rows[0].value == len(NAMES) - 1
    assert rows[4].quantity == f"KS, {NAMES[3]}" and rows[4].value > 0.4


def test_a_judge_of_other_factors_is_refused(scale):
    judged = judged_as(scale, torch.ones(5, len(DOMAINS) + 1), torch.rand(5, 3, generator=torch.Generator().manual_seed(0)))
    with pytest.raises(UserError, match="this one estimates 3"):
        room.m3(judged)


def test_distances_of_samples_are_measured_against_every_domain(scale, models, monkeypatch):
    monkeypatch.setattr(room, "face_rows", lambda *args: [])
    rows = room.m2(room.Judged(scale, models["generator"], models["judge"]))
    byname = {row.quantity: row for row in rows}
    looks = {domain: byname[f"FID, photo renders and {domain}, first look"].value for domain in DOMAINS[1:]}
    smallest = byname[f"FID, photo renders and {min(looks, key=looks.get)}"]
    ratio = byname["FID of samples over smallest FID of a domain"]
    assert smallest.n == scale.n > byname[f"FID, photo renders and {DOMAINS[1]}, first look"].n
    assert ratio.value == pytest.approx(byname["FID, samples and photo renders"].value / smallest.value)
    assert ratio.met is False and ratio.low < ratio.value  # an untrained generator draws no photos


def test_no_face_anywhere_fails_the_ratio(scale, models, monkeypatch):
    monkeypatch.setattr(room, "has_face", lambda image: False)
    assert room.face_rows(scale, models["generator"], )[-1].met is False
