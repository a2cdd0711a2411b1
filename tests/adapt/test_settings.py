import pytest

from iplkit.adapt import METHODS, PAPER, AdaptSettings
from iplkit.errors import UserError


def test_an_unknown_quirk_is_answered_with_the_known_ones():
    with pytest.raises(UserError, match=r"quirks must be among \['adam_ages_unchosen'.*got \['typo'\]"):
        AdaptSettings(quirks={"typo"})


@pytest.mark.parametrize("change", [{"steps": 0}, {"ema": 1.0}, {"rows_share": 0}, {"noise": "loud"}, {"views": -1}, {"floor": 0}])
def test_a_value_out_of_range_is_refused(change):
    with pytest.raises(UserError, match=next(iter(change))):
        AdaptSettings(**change)


def test_settings_survive_their_record():
    for settings in (AdaptSettings.at("world", "full"), PAPER["ipl"]):
        assert AdaptSettings.from_record(settings.record()) == settings


def test_a_record_with_a_strange_name_is_refused():
    with pytest.raises(UserError, match="settings must be among"):
        AdaptSettings.from_record({"learning_rate": 1})


@pytest.mark.parametrize("profile", ["world", "paper"])
@pytest.mark.parametrize("tier", ["smoke", "laptop", "full"])
def test_every_profile_has_every_tier(profile, tier):
    assert AdaptSettings.at(profile, tier).steps == (5 if tier == "smoke" else 300)


def test_unknown_profile_and_tier_are_refused():
    with pytest.raises(UserError, match="profile must be one of"):
        AdaptSettings.at("moon")
    with pytest.raises(UserError, match="tier must be one of"):
        AdaptSettings.at("world", "huge")


def test_every_method_has_its_papers_settings_and_the_default_has_no_quirk():
    assert set(PAPER) == set(METHODS)
    assert AdaptSettings().quirks == AdaptSettings.at("world").quirks == frozenset()
