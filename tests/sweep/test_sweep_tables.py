"""The printed tables: what stands in them is what the cells say, complete or not."""

import math

import numpy as np
import pandas as pd
import pytest

from iplkit.records import plain
from iplkit.sweep.plans import TARGETS
from iplkit.sweep.published import PUBLISHED
from iplkit.sweep.summary import BETTER, mean_interval
from iplkit.sweep.tables import by_domain, contest, instruments, known, over_domains, p_value

METHODS = {"nada": "NADA", "ipl": "IPL"}
SCORES = ("FID", "SCS", "oracle diversity")


@pytest.fixture
def cells():
    """IPL has a lower FID than NADA in all of five domains, and less diversity."""
    rng, rows = np.random.default_rng(0), []
    for i, target in enumerate(TARGETS[:5]):
        rows.append(("source", target, 0, "", 40.0 + i, 1.0, 1.0))
        for seed in range(3):
            luck = rng.normal(0, 0.2)
            rows.append(("nada", target, seed, "", 20 + i + luck, 0.8, 0.9 + luck / 50))
            rows.append(("ipl", target, seed, "", 15 + i + luck + rng.normal(0, 0.05), 0.7 + 0.01 * i, 0.7 + luck / 40))
    return pd.DataFrame(rows, columns=["method", "target", "seed", "variant", *SCORES])


@pytest.fixture
def truths():
    return pd.DataFrame({"FID": 0.1, "oracle diversity": 1.0}, index=pd.Index(TARGETS[:5], name="target"))


def test_a_domain_shows_source_methods_and_truth(cells, truths):
    frame, numbers = by_domain(cells, truths, METHODS, SCORES, TARGETS[:5])
    assert list(frame["set"][:4]) == ["source", "NADA", "IPL", "true renders"] and list(frame.domain[:4]) == [TARGETS[0], "", "", ""]
    mine = cells[(cells.method == "ipl") & (cells.target == TARGETS[1])].FID
    assert numbers[TARGETS[1]]["IPL"]["FID"] == pytest.approx(mine.mean()) and frame.FID[6] == str(mean_interval(mine))
    assert frame["n"][1] == 3 and frame["SCS"][3] == "–" and numbers[TARGETS[0]]["true renders"]["SCS"] == "–"
    plain(numbers)


def test_what_is_not_there_gets_no_row(cells, truths):
    some = cells[~((cells.method == "ipl") & (cells.target == TARGETS[0]))]
    frame, numbers = by_domain(some, truths.iloc[1:], METHODS, SCORES, TARGETS[:6])
    assert list(numbers[TARGETS[0]]) == ["source", "NADA"] and TARGETS[5] not in numbers
    empty = by_domain(cells.iloc[:0], truths.iloc[:0], METHODS, SCORES, TARGETS)
    assert len(empty[0]) == 0 and empty[1] == {}


def test_each_domain_weighs_the_same_whatever_its_seeds(cells, truths):
    some = cells[(cells.method == "nada") & ((cells.target == TARGETS[0]) | ((cells.target == TARGETS[4]) & (cells.seed == 0)))]
    _, numbers = over_domains(some, truths, METHODS, SCORES, TARGETS)
    a, b = (some[some.target == t].FID.mean() for t in (TARGETS[0], TARGETS[4]))
    assert numbers["NADA"]["FID"] == pytest.approx((a + b) / 2) and numbers["NADA"]["domains"] == 2
    assert "IPL" not in numbers and numbers["true renders"]["FID"] == pytest.approx(0.1)


def test_a_contest_names_the_winner_by_the_scores_own_direction(cells, truths):
    frame, numbers = contest(cells, truths, "ipl", "nada", SCORES)
    assert numbers["FID"]["winner"] == 1 and numbers["diversity"]["winner"] == -1, "less diversity than the truth is worse"
    assert numbers["SCS"]["winner"] == 0 and frame.set_index("score").better["SCS"] == "–", "nobody knows what SCS should be"
    assert numbers["FID"]["better"] == 5 and numbers["FID"]["seeds"] == 3 and numbers["FID"]["difference"] == pytest.approx(-5, abs=0.1)
    other = contest(cells, truths, "nada", "ipl", SCORES)[1]
    assert other["FID"]["winner"] == -1 and other["FID"]["worse"] == 5
    plain(numbers)


def test_a_contest_without_an_opponent_is_empty_and_quotable(cells, truths):
    frame, numbers = contest(cells[cells.method != "ipl"], truths, "ipl", "nada", SCORES)
    assert numbers["FID"]["difference"] == "–" and numbers["FID"]["domains"] == 0 and len(frame) == 3
    assert all(value is not None for row in numbers.values() for value in row.values())


def test_instruments_that_agree_with_the_truth_are_seen_to(cells, truths):
    cells["IS"], cells["oracle target FID"] = -cells.FID, cells.FID + 1
    _, numbers = instruments(cells, truths, "ipl", "nada", ("IS", "SCS"), ("oracle target FID",), rounds=50)
    assert numbers["IS, target FID"]["all"] == pytest.approx(-1) and numbers["IS, target FID"]["differences"] == pytest.approx(-1)
    assert (numbers["IS, target FID"]["agree"], numbers["IS, target FID"]["domains"]) == (5, 5)
    assert numbers["SCS, target FID"]["agree"] == 0, "more SCS, as papers read it, is NADA here"
    nothing = instruments(cells.iloc[:0], truths, "ipl", "nada", ("IS",), ("oracle target FID",), rounds=50)[1]
    assert nothing["IS, target FID"] == {"all": "–", "differences": "–", "low": "–", "high": "–", "agree": 0, "domains": 0}


def test_missing_numbers_are_dashes():
    assert known(math.nan) == known(None) == "–" and known(0.5) == 0.5
    assert [p_value(p) for p in (math.nan, 0.0004, 0.25)] == ["–", "<\N{NO-BREAK SPACE}0.001", "0.250"]


def test_what_the_thesis_printed_names_domains_and_scores_of_ours():
    for row in PUBLISHED:
        assert row.target in TARGETS and row.score in BETTER and row.commit and row.measured
