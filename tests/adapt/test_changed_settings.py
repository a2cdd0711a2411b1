import pytest

from iplkit.adapt import AdaptSettings
from iplkit.adapt.products import changed_settings, product_settings
from iplkit.errors import UserError


def changed(*changes, method="nada"):
    return changed_settings(method, "world", "smoke", changes)


def test_no_change_leaves_the_choice_to_the_product():
    assert changed() is None


def test_numbers_words_lists_and_quirks_can_be_set_from_a_terminal():
    settings = changed("lr=0.01", "noise=none", "clamp=false", "selector=oracle", "rows=[1,2]", "quirks=no_guard,base_full_stop")
    assert (settings.lr, settings.noise, settings.clamp, settings.rows) == (0.01, "none", False, (1, 2))
    assert settings.quirks == {"no_guard", "base_full_stop"}
    assert settings.steps == product_settings("nada", "world", "smoke").steps
    assert changed("selector=manual", "schedule=[[0,[1]],[3,[2]]]").schedule == ((0, (1,)), (3, (2,)))
    assert changed("lr=1").lr == 1 and changed("second=anime painting", method="mix").second == "anime painting"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("lr", "needs to be NAME=VALUE"),
        ("learning_rate=1", "with a name among"),
        ("lr=fast", "lr needs a value like"),
        ("steps=1.5", "steps needs a value like 300; got '1.5'"),
        ("steps=true", "steps needs a value like"),
        ("rows=3", "rows needs a value like"),
        ("steps=0", "steps must be at least 1"),
        ("quirks=typo", "quirks must be among"),
    ],
)
def test_a_change_that_does_not_fit_is_refused_in_a_sentence(change, sentence):
    with pytest.raises(UserError, match=sentence):
        changed(change)


def test_an_unknown_method_is_refused_first():
    with pytest.raises(UserError, match="method must be one of"):
        changed("lr=1", method="svl")


def test_every_setting_can_be_listed():
    assert set(AdaptSettings().record()) | set(AdaptSettings.later()) == set(AdaptSettings.__dataclass_fields__)
