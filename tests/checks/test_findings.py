"""The numbers of studies against the weights they were measured on."""

import json

import pytest

from iplkit.checks import findings
from iplkit.checks.findings import check_findings
from iplkit.checks.report import Report


@pytest.fixture
def finding(book, monkeypatch):
    monkeypatch.setattr(findings, "shipped_hashes", lambda: {"encoder": "new", "generator": "same"})
    folder = book / "figures" / "full" / "inversion"
    folder.mkdir(parents=True)

    def write(**changes):
        kept = {"study": "which_space", "about": {}, "weights": {"generator": "same", "encoder": "new"}, "rows": [{}]} | changes
        (folder / "which-space.json").write_text(json.dumps(kept))
        (folder / "which-space.run.json").write_text("{}")
        report = Report()
        check_findings(report)
        return report

    return write


def test_a_finding_of_the_weights_that_are_there_is_in_order(finding):
    report = finding()
    assert (report.checked, report.wrong, report.aged) == (1, [], [])


def test_a_finding_of_other_weights_is_aged_and_says_what_to_run(finding):
    report = finding(weights={"generator": "same", "encoder": "old"})
    assert report.wrong == []
    assert report.aged == ["figures/full/inversion/which-space.json: encoder changed since; run python -m iplkit.invert.studies.run which_space"]


@pytest.mark.parametrize("change", [{"rows": []}, {"study": "defects"}, {"weights": None}])
def test_a_finding_that_lacks_its_numbers_is_wrong(finding, change):
    assert "does not hold the numbers of which_space" in finding(**change).wrong[0]
