"""Numbers as text."""

import pytest

from iplkit.numbers import format_number


@pytest.mark.parametrize("value, text", [(12.3456, "12.3"), (0.98765, "0.988"), (1234.5, "1234"), (0.0, "0"), (-0.5, "-0.500"), (1e-7, "1.00e-07")])
def test_numbers_keep_three_digits(value, text):
    assert format_number(value) == text
