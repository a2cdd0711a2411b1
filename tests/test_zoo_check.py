import json

import pandas as pd
import pytest

from iplkit import zoo_check
from iplkit.bars.row import rate_row, value_row
from iplkit.bars.sets import Scale
from iplkit.errors import UserError

TINY = Scale(n=12, frontal=2, paired=1, faces=2, people=2, shares=3, steered=8, size=32, batch=8, seed=1)


@pytest.fixture
def counted(monkeypatch):
    """Measurements that cost nothing and are counted."""
    calls = []

    def measure(bar, scale, models, figures):
        calls.append(bar)
        return [rate_row(bar, "rate", 9, 10, ">= 0.5"), value_row(bar, "detail", 1.0, 10)]

    monkeypatch.setattr(zoo_check, "measure", measure)
    return calls


def test_all_bars_end_in_one_table_with_its_record(counted, tmp_path, capsys):
    report = zoo_check.run_check(tmp_path, scale=TINY)
    assert counted == list(zoo_check.BARS) and report.met
    table = pd.read_csv(tmp_path / "tab-world-models.csv")
    assert list(table["bar"]) == list(zoo_check.BARS) and (table["low"] < table["value"]).all()
    record = json.loads((tmp_path / "tab-world-models.json").read_text())
    assert record["numbers"]["M1 rate"] == 0.9 and record["config"]["n"] == 12
    assert (tmp_path / "tab-world-models.md").is_file()
    assert len(pd.read_csv(tmp_path / "tab-world-models-details.csv")) == 2 * len(zoo_check.BARS)
    assert "M1  rate 0.9 (>= 0.5: yes)" in capsys.readouterr().err


def test_an_interrupted_measurement_goes_on_where_it_stopped(counted, tmp_path):
    zoo_check.run_check(tmp_path, scale=TINY, only=["M4", "W1"], progress=False)
    assert counted == ["W1", "M4"]
    report = zoo_check.run_check(tmp_path, scale=TINY, only=["M5"], progress=False)
    assert counted == ["W1", "M4", "M5"] and {row.bar for row in report.rows} == {"W1", "M4", "M5"}
    zoo_check.run_check(tmp_path, scale=TINY, only=["M5"], progress=False, force=True)
    assert counted[3:] == ["M5"]


def test_rows_of_another_scale_or_other_weights_are_not_reused(counted, tmp_path, monkeypatch):
    zoo_check.run_check(tmp_path, scale=TINY, only=["M4"], progress=False)
    zoo_check.run_check(tmp_path, n=99, only=["M4"], progress=False)
    monkeypatch.setattr(zoo_check.zoo, "hashes", lambda: {"clip.safetensors": "other"})
    zoo_check.run_check(tmp_path, n=99, only=["M4"], progress=False)
    assert counted == ["M4"] * 3


def test_a_number_that_is_none_survives_the_file(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(zoo_check, "measure", lambda *args: [value_row("W1", "error", float("nan"), 0, "<= 1")])
    for _ in range(2):
        (row,) = zoo_check.run_check(tmp_path, scale=TINY, only=["W1"]).rows
        assert row.met is False and row.value != row.value
    assert "M4  not measured on these models" in capsys.readouterr().err


def test_an_unknown_bar_is_refused(tmp_path):
    with pytest.raises(UserError, match="a bar is one of W1, .*got 'M9'"):
        zoo_check.run_check(tmp_path, only=["M9"])
    assert not list(tmp_path.iterdir())


def test_a_bar_that_is_not_cleared_shows(counted, tmp_path):
    report = zoo_check.Report([rate_row("M1", "rate", 1, 10, ">= 0.5")], {"M1": 0.0})
    assert not report.met
