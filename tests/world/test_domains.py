from dataclasses import asdict

import pytest
import torch

from iplkit.errors import UserError
from iplkit.world.domains.catalog import DOMAINS, TARGETS, check_domain, style, table
from iplkit.world.factors import sample_factors
from iplkit.world.geometry import Tweaks
from iplkit.world.truth import landmarks


def test_there_are_photo_and_thirteen_targets():
    assert len(DOMAINS) == 14 and DOMAINS[0] == "photo" and TARGETS == DOMAINS[1:]


def test_an_unknown_domain_is_refused_with_the_nearest_names():
    with pytest.raises(UserError, match="no domain is called 'disny'; the nearest known: disney"):
        check_domain("disny")
    with pytest.raises(UserError, match="no domain is called 'qqqqqq'; the nearest known: photo, disney"):
        style("qqqqqq")


def test_the_table_has_one_row_a_domain_and_says_what_each_changes():
    rows = table()
    assert tuple(row["domain"] for row in rows) == DOMAINS
    assert rows[0]["changes"] == "nothing" and {row["changes"] for row in rows[1:]} == {"appearance", "both"}
    assert all(row["what"].endswith(".") and row["what"].count(".") == 1 and len(row["what"]) < 130 for row in rows)
    assert len({row["what"] for row in rows}) == len(DOMAINS)


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_domain_says_geometry_exactly_where_landmarks_move_or_the_picture_breaks(domain):
    factors = sample_factors(32, torch.Generator().manual_seed(0))
    photo = landmarks(factors, "photo", 64)
    eyes = (photo[:, 36] - photo[:, 45]).norm(dim=-1)
    moved = float(((landmarks(factors, domain, 64) - photo).norm(dim=-1) / eyes[:, None]).mean(0).max())
    bends = moved > 0.05 or hasattr(style(domain), "warp")
    assert style(domain).CHANGES == ("both" if bends else "nothing" if domain == "photo" else "appearance"), moved


def test_the_photo_domain_bends_nothing():
    assert asdict(style("photo").TWEAKS) == asdict(Tweaks())
