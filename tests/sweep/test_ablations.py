"""The plan of the ablations: every change is one that the loop accepts, and is compared with what it changes."""

import pytest

from iplkit.adapt.products import changed_settings, product_settings
from iplkit.clip.text import token_list, words_of
from iplkit.sweep.ablations import ABLATIONS, SEEDS, TOPICS, TWO, Ablation, ablations
from iplkit.sweep.plans import plan, table
from iplkit.world.captions import vocabulary


def settings_of(ablation: Ablation):
    return changed_settings(ablation.method, "world", "full", ablation.changes)


@pytest.mark.parametrize("ablation", ABLATIONS, ids=lambda a: f"{a.method}: {a.name}")
def test_every_change_is_accepted_and_changes_something(ablation):
    assert settings_of(ablation) != product_settings(ablation.method, "world", "full")
    assert ablation.topic in TOPICS


def test_no_two_changes_of_a_method_are_the_same_or_called_the_same():
    assert len({(a.method, a.name) for a in ABLATIONS}) == len({(a.method, settings_of(a)) for a in ABLATIONS}) == len(ABLATIONS)
    assert {a.topic for a in ABLATIONS} == set(TOPICS)


def test_every_cell_has_its_own_file_and_a_base_run_to_be_compared_with():
    cells = plan(("ablations",))
    assert len({cell.name for cell in cells}) == len(cells) == len(ABLATIONS) * len(TWO) * len(SEEDS)
    assert {(c.method, c.target, c.seed) for c in cells} <= {(c.method, c.target, c.seed) for c in table()}


def test_the_first_seed_of_every_change_comes_before_the_second_of_any():
    assert [cell.seed for cell in ablations()] == sorted(cell.seed for cell in ablations())


def test_prompts_and_templates_are_in_words_that_the_worlds_clip_knows():
    known = set(vocabulary())
    for settings in map(settings_of, ABLATIONS):
        for sentence in (settings.prompt, *settings.templates):
            assert set(words_of(sentence)) <= known, sentence


@pytest.mark.parametrize("ablation", [a for a in ABLATIONS if a.topic in ("words", "vectors")], ids=lambda a: a.name)
def test_a_prompt_has_as_many_tokens_as_its_name_says(ablation):
    count = int(ablation.name.split()[0]) if ablation.topic == "vectors" else 4
    prompt = settings_of(ablation).prompt
    assert len(token_list(prompt)) == len(prompt.split()) == count
