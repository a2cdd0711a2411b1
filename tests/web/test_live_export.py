"""The exported files: small enough, whole, and decoded to what torch has."""

import json

import pytest
import torch
from safetensors.torch import load_file
from small_book import REPOSITORY
from torch.testing import assert_close

from iplkit.errors import UserError
from iplkit.latents import z_from_seeds
from iplkit.web.directions import thirds_direction

pytest.importorskip("onnx", reason="the graphs are written with the package onnx")


def test_the_first_picture_needs_less_than_ten_megabytes_and_a_domain_less_than_one_and_a_half(exported, controls):
    sizes = {path.name: path.stat().st_size for path in exported.iterdir()}
    domains = {f"{name}.safetensors" for name in controls.domains}
    assert max(sizes[name] for name in domains) <= 1.5e6
    runtime = sum(path.stat().st_size for path in (REPOSITORY / "book" / "_static" / "live").iterdir())
    assert runtime < 3_800_000, "what the limit of the exported files leaves"
    assert sum(size for name, size in sizes.items() if name not in domains) + runtime < 10e6


def test_the_stored_weights_are_the_shipped_ones_to_the_last_bit(exported, shipped):
    """The shipped file is in half precision already, so nothing is lost."""
    stored = load_file(exported / "synthesis.safetensors")
    for name, value in shipped.synthesis.state_dict().items():
        assert torch.equal(stored[name].float(), value), name


def test_a_seed_means_the_same_person_as_in_torch(exported, shipped):
    table = load_file(exported / "latents.safetensors")
    w = shipped.mapping.w(z_from_seeds([0, 3, 20]))
    assert_close(table["w"][[0, 3, 20]].float(), w, rtol=1e-3, atol=1e-3)  # half precision
    assert torch.equal(table["w_avg"], shipped.mapping.w_avg)


def test_an_export_is_the_same_bytes_again_and_leaves_no_old_file(exported, tmp_path, shipped, controls, directions):
    from iplkit.web.export import export

    (tmp_path / "old.safetensors").write_bytes(b"x")
    sizes = export(tmp_path, shipped, controls, directions)
    assert set(sizes) == {path.name for path in exported.iterdir()} == {path.name for path in tmp_path.iterdir()}
    assert all((tmp_path / name).read_bytes() == (exported / name).read_bytes() for name in sizes)


def test_the_definition_lists_the_graphs_with_their_rows(exported):
    record = json.loads((exported / "live.json").read_text())
    assert [(b["size"], b["rows"]) for b in record["blocks"]] == [(4, [0, 1]), (8, [1, 2, 3]), (16, [3, 4, 5]), (32, [5, 6, 7]), (64, [7, 8, 9])]


def test_a_direction_without_a_name_is_refused(tmp_path, shipped, controls, directions):
    from iplkit.web.export import export

    with pytest.raises(UserError, match="one direction a name; got 1 for one, two"):
        export(tmp_path, shipped, controls, directions[:1])


def test_more_than_a_page_may_ask_for_is_refused(tmp_path, monkeypatch, shipped, controls, directions):
    from iplkit.web import export

    monkeypatch.setattr(export, "SOURCE_BYTES", 1_000_000)
    with pytest.raises(UserError, match="may have 1 MB beside the runtime before the first picture; its files have"):
        export.export(tmp_path, shipped, controls, directions)


def test_an_edit_of_the_shipped_models_names_their_hashes_and_how_its_directions_were_made(known):
    from iplkit.records import shipped_hashes

    hashes = shipped_hashes()
    assert known.models["generator"] == hashes["generator"]
    assert all(known.models[name] == hashes[f"adapted/{name}"] for name in known.models if name != "generator")
    assert known.origin == {"by": "thirds of a factor", "judge": hashes["judge"][:16], "people": 60, "first": 10000}


def test_a_direction_leads_from_the_low_third_to_the_high_third():
    w = torch.tensor([[0.0, 1.0], [9.0, 9.0], [4.0, 5.0], [0.0, 3.0], [9.0, 9.0], [4.0, 7.0]])
    values = torch.tensor([0.1, 0.5, 0.9, 0.2, 0.6, 0.8])
    assert_close(thirds_direction(w, values), torch.tensor([4.0, 4.0]))


def test_too_few_people_have_no_direction():
    with pytest.raises(UserError, match="at least 3 people; got 2"):
        thirds_direction(torch.zeros(2, 4), torch.zeros(2))
