"""Findings as tables and as numbers."""

from iplkit.findings import Finding
from iplkit.invert.studies.shown import numbers_of, table_of
from iplkit.sweep.summary import Interval

ROWS = [{"space": "w", "start": "", "dB": Interval(28.21, 2.0, 1.5, 6), "from W": Interval(2e-6, 1e-7, 1e-7, 6)}, {"space": "s", "start": "", "dB": Interval(29.4, 2.0, 1.1, 6)}]
FINDING = Finding("which_space", ROWS, {"n": 6, "steps": 60})


def test_a_table_prints_means_with_intervals_and_calls_rounding_nothing():
    table = table_of(FINDING, {"space": "space", "dB": "PSNR", "from W": "spread"})
    assert table.to_dict("list") == {"space": ["w", "s"], "PSNR": ["28.2\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}1.5", "29.4\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}1.1"], "spread": ["0", "\N{EN DASH}"]}
    assert list(table_of(FINDING, {"space": "space"}, space="s")["space"]) == ["s"]
    exact = Finding("x", [{"a": Interval(1.00000001, 1e-7, 1e-7, 6)}, {"a": Interval(0.002, 0.1, 0.1, 6)}], {})
    assert list(table_of(exact, {"a": "a"})["a"]) == ["1", "0.00\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}0.10"]


def test_numbers_are_found_by_the_words_of_their_row():
    numbers = numbers_of(FINDING, "space", "start")
    assert numbers["w"]["-"]["dB"] == 28.21 and numbers["s"]["-"]["dB half"] == 1.1 and numbers["n"] == 6
