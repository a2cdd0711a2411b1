"""What to do about a figure follows from who makes it."""

import pytest

from iplkit.checks.report import again


@pytest.mark.parametrize("record, printed, command", [
    ({"notebook": "notebooks/12_metrics.ipynb"}, True, "run iplkit regenerate 12_metrics --keep"),
    ({"notebook": "notebooks/12_metrics.ipynb", "tier": "full"}, False, "run iplkit regenerate 12_metrics --tier full"),
    ({"notebook": "bench/readme_grid.py"}, True, "run python bench/readme_grid.py"),
    ({"notebook": "iplkit zoo check"}, True, "run iplkit zoo check"),
    ({}, True, "run iplkit regenerate --keep"),
])  # fmt: skip
def test_a_result_is_made_again_by_what_made_it(record, printed, command):
    assert again(record, printed=printed) == command
