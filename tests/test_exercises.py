"""Exercises: every numbered chapter has some, with solutions that stay folded, and a cell that knows a right answer."""

import re

import pytest
import yaml
from small_book import REPOSITORY

from iplkit.errors import UserError
from iplkit.exercises import WrongAnswer, check
from iplkit.sources import read_notebook

TOC = yaml.safe_load((REPOSITORY / "_toc.yml").read_text())
NUMBERED = [entry["file"].removeprefix("notebooks/") for part in TOC["parts"] if part.get("numbered") for entry in part["chapters"]]
RIGHT = {  # chapter -> name: (right, wrong); worked out by hand, the chapter's own cell must agree
    "00_world": {"steepest": ("background", "age")},
    "01_prompts_and_tokens": {"tokens": (11, 8)},
    "02_latent_spaces": {"sharper": ("code", "pictures")},
    "03_layer_edits": {"rgb_rows": ([1, 3, 5, 7, 9], [0, 1, 2])},
    "03b_live_edits": {"kept": (6, 3)},
    "04_inversion": {"free_in_wplus": (5120, 512)},
    "04b_inversion_studies": {"same_cut": (9, 7)},
    "05_encoders_and_alignment": {"degrees": (30, 15)},
    "06_clip_to_latent": {"farthest": (0.002, 0.2)},
    "07_styleclip": {"work_of_a_prompt": (300, 1_209_600)},
    "08_directional_loss": {"steps_taken": (460, 100)},
    "09_mapper_training": {"guess_of_eight": (2.079, 0.125)},
    "10_layer_selection": {"left_out": (["rgb8", "rgb16", "rgb32", "rgb64", "rgb128", "up256"], ["rgb4"])},
    "11_adaptation": {"first_loss": (1.0, 0.0)},
    "12_metrics": {"score_of_forty": (40, 1), "score_of_copies": (1.0, 40)},
    "13_results": {"three_or_more": (0.323, 0.05)},
    "14_ablations": {"share_of_a": (-0.25, 0.25)},
    "15_your_photo": {"side": (1024, 512)},
}


def cells_of(chapter):
    return read_notebook(REPOSITORY / "notebooks" / f"{chapter}.ipynb")["cells"]


def tagged(chapter, tag):
    (cell,) = [cell for cell in cells_of(chapter) if tag in cell["metadata"].get("tags", [])]
    return cell


def answered(chapter, answers):
    """Run the two cells as a reader does who has run nothing else, with some answers filled in."""
    names = {}
    exec(tagged(chapter, "answer")["source"], names)
    assert set(answers) <= set(names) and all(names[name] is None for name in answers), "the page gives no answer away"
    exec(tagged(chapter, "answer-check")["source"], names | answers)


@pytest.mark.parametrize("chapter", NUMBERED)
def test_a_chapter_has_exercises_and_folded_solutions(chapter):
    text = "\n\n".join(cell["source"] for cell in cells_of(chapter) if cell["cell_type"] == "markdown")
    labels = re.findall(r"^:::\{exercise\}\n:label: (ex-[\w-]+)$", text, re.MULTILINE)
    solved = re.findall(r"^:::\{solution\} (ex-[\w-]+)\n(.*)$", text, re.MULTILINE)
    assert len(labels) >= 2 and solved
    assert {name for name, _ in solved} <= set(labels)
    assert all(option == ":class: dropdown" for _, option in solved)
    assert "hide-input" in tagged(chapter, "answer-check")["metadata"]["tags"], "the way to the answer stays folded, too"


@pytest.mark.parametrize("chapter", NUMBERED)
def test_the_check_of_a_chapter_passes_a_right_answer_and_no_wrong_one(chapter, capsys):
    answered(chapter, {})
    assert "No answer yet" in capsys.readouterr().out
    answered(chapter, {name: right for name, (right, _) in RIGHT[chapter].items()})
    assert capsys.readouterr().out.splitlines() == ["Right."] * len(RIGHT[chapter])
    for name, (right, wrong) in RIGHT[chapter].items():
        with pytest.raises(WrongAnswer, match=r"is not it\. [A-Z].{30,}") as problem:
            answered(chapter, {name: wrong})
        assert str(right) not in str(problem.value).split("is not it.")[1].split(), "a hint does not tell"


@pytest.mark.parametrize("answer, right", [(3, 3.04), ("Age ", "age"), (True, True), ({2, 1}, [1, 2]), (("a",), {"a"})])
def test_what_agrees_is_right(answer, right, capsys):
    check(answer, right, "A hint.", within=0.05)
    assert capsys.readouterr().out == "Right.\n"


@pytest.mark.parametrize("answer, right", [(3, 3.06), ("ages", "age"), (False, True), ([1], [1, 2])])
def test_what_does_not_agree_is_answered_with_the_hint(answer, right):
    with pytest.raises(WrongAnswer, match="is not it. A hint."):
        check(answer, right, "A hint.", within=0.05)


@pytest.mark.parametrize("answer, right, kind", [
    ("3", 3, "a number"), (True, 1, "a number"), (3, "age", "a word in quotes"), (1, True, "True or False"), ("age", ["age"], "several things"),
])  # fmt: skip
def test_an_answer_of_another_kind_is_refused_and_not_called_wrong(answer, right, kind):
    with pytest.raises(UserError, match=f"the answer needs to be {kind}"):
        check(answer, right, "A hint.")
