"""`iplkit verify` catches every lie that is told on a copy of the committed repository, and is content with honest work."""

import json

import pytest
from lies import LIES
from tree import RUN, Tree

from iplkit.records import Origin, write_records
from iplkit.verify import verify

COMMANDS = ("; restore", "; run ", "; take it", "; say ", "; put ", "; correct", "; give it", "; find out", "; include", "; undo", "; look", " or run ", "; open it")


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    return Tree(tmp_path_factory.mktemp("lies") / "copy")


@pytest.fixture
def tree(copied, monkeypatch):
    """The copy; whatever a test changes in it is taken back."""
    monkeypatch.chdir(copied.root)
    yield copied
    copied.undo()


@pytest.fixture(scope="module")
def before(copied):
    """What is said of the copy before anybody lies."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(copied.root)
        return frozenset(verify().wrong)


def test_the_committed_repository_has_nothing_wrong(before):
    assert not before


@pytest.mark.parametrize("tell", LIES, ids=lambda tell: tell.__name__)
def test_a_lie_is_caught_by_a_sentence_that_names_the_file_and_what_to_do(tell, tree, before):
    words = tell(tree)
    found = [sentence for sentence in verify().wrong if sentence not in before]
    named = [sentence for sentence in found if all(word in sentence for word in words)]
    assert named, f"{tell.__doc__} It says {found}"
    assert all(any(command in sentence for command in COMMANDS) for sentence in found)


def test_a_regeneration_that_came_out_the_same_has_nothing_wrong(tree, before):
    tree.recompute("02_latent_spaces", "12_metrics", "13_results")
    tree.build("notebooks/13_results", "tab-results-means")
    cell = tree.read("figures/full/cells/nada-sketch-seed0.json")
    tree.write(f"{RUN}/cells/nada-sketch-seed0.json", cell)
    assert set(verify().wrong) <= before


def test_a_caption_that_was_changed_and_printed_again_is_honest(tree, before):
    caption = json.dumps(tree.record("fig-metrics-few")["caption"], ensure_ascii=False)
    tree.replace("notebooks/12_metrics.ipynb", caption, f'{caption[:-1]} Printed again."')
    assert set(verify().wrong) - before
    record = tree.record("fig-metrics-few")
    for name in ("fig-metrics-few.json", "fig-metrics-few.run.json"):
        tree.write(f"figures/{name}", tree.read(f"figures/{name}"))  # so that it is put back afterwards
    write_records(
        "fig-metrics-few", Origin(record["notebook"], out="figures"), [tree.path("figures/fig-metrics-few.svg")], config=record["config"],
        seeds=record["seeds"], inputs=record["inputs"], numbers=record["numbers"], seconds=None, tolerance=record["tolerance"],
    )  # fmt: skip
    assert set(verify().wrong) <= before
    assert "Printed again." in tree.record("fig-metrics-few")["caption"]


def test_a_cell_that_was_added_makes_its_tables_aged_and_not_wrong(tree, before):
    cell = json.loads(tree.read("figures/full/cells/nada-sketch-seed0.json")) | {"seed": 77, "name": "nada-sketch-seed77"}
    tree.write("figures/full/cells/nada-sketch-seed77.json", json.dumps(cell))
    report = verify()
    assert set(report.wrong) <= before
    assert any("tab-results-cells.json: figures/full/cells/nada-sketch-seed77.json came since; run iplkit regenerate 13_results" in line for line in report.aged)
