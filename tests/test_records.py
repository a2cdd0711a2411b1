"""What `iplkit.records` promises: a result beside its origin, the same bytes again, and plain refusals."""

import json
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
import small_book
import torch

from iplkit import records
from iplkit.errors import UserError
from iplkit.files import sha256
from iplkit.plotting import image_grid, new_figure
from iplkit.records import Origin, markdown_table, plain, read_numbers, save_figure, save_table

TABLE = pd.DataFrame({"method": ["NADA", "IPL"], "FID": [12.345678, 9.5], "n": [100, 100]})


@pytest.fixture
def origin(tmp_path):
    return Origin("notebooks/99_none.ipynb", "world", "smoke", str(tmp_path / "figures"))


def draw(origin, name="fig-line", **more):
    fig, ax = new_figure()
    ax.plot([1, 2, 3])
    return save_figure(fig, name, origin, **more)


def record(origin, name):
    return json.loads((origin.folder / f"{name}.json").read_text())


def test_a_figure_stands_beside_what_made_it(origin):
    draw(origin, config={"points": 3}, seeds=[7], numbers={"end": torch.tensor(3.0)})
    found = record(origin, "fig-line")
    assert found["notebook"] == "notebooks/99_none.ipynb" and found["tier"] == "smoke" and found["profile"] == "world"
    assert found["config"] == {"points": 3} and found["seeds"] == [7] and found["numbers"] == {"end": 3.0}
    assert found["files"] == {"fig-line.svg": sha256(origin.folder / "fig-line.svg")}


def test_what_may_differ_is_kept_apart(origin):
    draw(origin, seconds={"training": 1.25})
    run = json.loads((origin.folder / "fig-line.run.json").read_text())
    assert {"commit", "versions", "device", "time", "seconds", "code", "record"} == set(run)
    assert run["seconds"]["training"] == 1.25 and "torch" in run["versions"]
    assert not {"time", "seconds", "versions"} & set(record(origin, "fig-line"))


@pytest.mark.parametrize("ending", ["svg", "json"])
def test_the_same_figure_gives_the_same_bytes(origin, ending):
    draw(origin)
    first = (origin.folder / f"fig-line.{ending}").read_bytes()
    draw(origin)
    assert (origin.folder / f"fig-line.{ending}").read_bytes() == first


def test_a_grid_is_stored_and_shown_pixel_by_pixel(origin):
    from PIL import Image

    images = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    shown = save_figure(image_grid(images, [""]), "fig-grid", origin)
    with Image.open(origin.folder / "fig-grid.png") as stored:
        assert stored.size == (8 + 4 + 8, 8)
    assert set(shown._repr_mimebundle_()) == {"image/png", "text/plain"}


def test_the_page_shows_the_stored_file_itself(origin):
    shown = draw(origin)
    assert shown._repr_mimebundle_()["image/svg+xml"] == (origin.folder / "fig-line.svg").read_text()


def test_a_table_is_stored_for_machines_and_for_readers(origin):
    save_table(TABLE, "tab-scores", origin)
    pd.testing.assert_frame_equal(pd.read_csv(origin.folder / "tab-scores.csv"), TABLE)
    assert "| NADA | 12.3 | 100 |" in (origin.folder / "tab-scores.md").read_text()
    assert record(origin, "tab-scores")["numbers"]["NADA"] == {"FID": 12.3457, "n": 100}
    assert read_numbers("tab-scores", origin)["IPL"]["FID"] == 9.5


def test_a_table_prints_missing_values_and_truth_in_words():
    table = pd.DataFrame({"a": ["x|y", "z"], "b": [float("nan"), 0.00123], "c": [True, False]})
    assert markdown_table(table).splitlines()[2:] == ["| x\\|y | – | yes |", "| z | 0.00123 | no |"]


def test_settings_and_results_become_plain_json():
    @dataclass
    class Config:
        lr: float = 0.1
        shape: tuple = (1, 2)

    assert plain(Config()) == {"lr": 0.1, "shape": [1, 2]}
    assert plain({"a": np.float32(1.5), "b": float("nan"), "c": torch.arange(2), 3: None}) == {"a": 1.5, "b": None, "c": [0, 1], "3": None}
    with pytest.raises(UserError, match="object"):
        plain(object())


def test_shipped_weights_and_files_are_named_by_their_hash(origin, tmp_path, monkeypatch):
    monkeypatch.setattr(records, "shipped_hashes", lambda: {"generator": "abc"})
    file = tmp_path / "input.bin"
    file.write_bytes(b"1")
    draw(origin, inputs=["generator", file])
    assert record(origin, "fig-line")["inputs"] == {"generator": "abc", "input.bin": sha256(file)}
    with pytest.raises(UserError, match="it got 'unknown'"):
        draw(origin, inputs=["unknown"])


@pytest.mark.parametrize("name", ["line", "fig-", "fig-Line", "fig-a b", "tab-line", "fig-../x"])
def test_a_figure_needs_a_proper_name(origin, name):
    with pytest.raises(UserError, match="fig-small-words"):
        draw(origin, name)


def test_an_unknown_tier_or_profile_is_refused():
    with pytest.raises(UserError, match="smoke, laptop, full; it is 'huge'"):
        Origin("notebooks/x.ipynb", tier="huge")
    with pytest.raises(UserError, match="world, paper; it is 'mars'"):
        Origin("notebooks/x.ipynb", profile="mars")


def test_rows_that_begin_alike_are_refused(origin):
    with pytest.raises(UserError, match="two rows begin alike"):
        save_table(pd.DataFrame({"a": ["x", "x"], "b": [1.0, 2.0]}), "tab-twice", origin)


def test_a_record_is_sealed_so_that_a_change_by_hand_is_found(origin):
    draw(origin)
    sealed = json.loads((origin.folder / "fig-line.run.json").read_text())["record"]
    assert sealed == sha256(origin.folder / "fig-line.json")


def test_a_folder_of_inputs_is_recorded_file_by_file(origin, tmp_path, monkeypatch):
    monkeypatch.setattr("iplkit.paths.root", lambda: tmp_path)
    (tmp_path / "cells").mkdir()
    (tmp_path / "cells" / "a.json").write_text("1")
    draw(origin, inputs=["cells"])
    assert record(origin, "fig-line")["inputs"] == {"cells/": "every file in it", "cells/a.json": sha256(tmp_path / "cells" / "a.json")}


def test_a_record_keeps_the_words_that_its_page_shows(tmp_path, monkeypatch):
    folder = small_book.make(tmp_path / "book", {"00_one": small_book.chapter_with_figure("fig-line", caption="**One.**", alt="A line.")})
    monkeypatch.chdir(folder)
    origin = Origin("notebooks/00_one.ipynb", out="figures")
    draw(origin)
    assert (record(origin, "fig-line")["caption"], record(origin, "fig-line")["alt"]) == ("**One.**", "A line.")
    draw(origin, "fig-other")
    assert record(origin, "fig-other")["caption"] is None, "no page shows it"


def test_a_full_disk_leaves_nothing_half_written(origin, monkeypatch):
    draw(origin)
    before = {path.name: path.read_bytes() for path in origin.folder.iterdir()}

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", full)
    with pytest.raises(OSError, match="No space left"):
        draw(origin)
    assert {path.name: path.read_bytes() for path in origin.folder.iterdir()} == before


def test_a_missing_record_says_how_to_make_it(origin):
    with pytest.raises(UserError, match="iplkit regenerate tab-lost --tier smoke"):
        read_numbers("tab-lost", origin)
