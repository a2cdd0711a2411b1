"""The measurements that the book prints: written whole, read back, asked by their words."""

import pytest

from iplkit.errors import UserError
from iplkit.invert.studies import measured


@pytest.fixture
def kept(tmp_path, monkeypatch):
    monkeypatch.setattr(measured, "folder", lambda: tmp_path)
    return tmp_path


def test_what_is_written_is_read_with_the_weights_it_stands_on(kept):
    rows = [{"quantity": "a, dB", "value": 30.25, "asked": ">= 20", "met": True}]
    measured.write_measured(measured.measured_path("inversion"), rows, {"seed": 7})
    found = measured.read_measured("inversion")
    assert found["rows"] == rows and found["about"] == {"seed": 7}
    assert set(found["weights"]) == set(measured.WEIGHTS) and all(found["weights"].values())
    assert measured.row_of(found, "a, dB")["value"] == 30.25


@pytest.mark.parametrize("ask, words", [
    (lambda: measured.measured_path("speed"), "one of inversion, align"),
    (lambda: measured.read_measured("align"), "python bench/bench_align.py --out"),
    (lambda: measured.row_of({"rows": [{"quantity": "a"}]}, "b"), "there are: a"),
])  # fmt: skip
def test_what_is_not_there_is_said_with_the_way_to_it(kept, ask, words):
    with pytest.raises(UserError, match=words):
        ask()
