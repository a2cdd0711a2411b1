"""The latent mapper: levels, the published normalisation, and files."""

from argparse import Namespace

import pytest
import torch
from torch.testing import assert_close

from iplkit.edit.mapper import STEP, LevelMapper, LevelsMapper, Mappers, load_mappers, load_published_mapper, save_mappers
from iplkit.errors import UserError


@pytest.fixture
def ws(generator):
    return torch.randn(2, 10, 32, generator=generator)


def test_a_level_that_is_off_moves_nothing_and_the_others_move(ws):
    moved = LevelsMapper(10, ("middle",), width=32)(ws).detach()
    assert float(moved[:, :4].abs().max()) == float(moved[:, 8:].abs().max()) == 0
    assert bool((moved[:, 4:8].abs().sum((0, 2)) > 0).all())


def test_the_edit_adds_a_tenth_of_the_answer(ws):
    mapper = LevelsMapper(10, width=32)
    assert_close(mapper.edit(ws, 2.0), ws + 2 * STEP * mapper(ws))


def test_rows_of_a_level_are_scaled_together_so_one_row_changes_the_answer_for_another(ws):
    mapper, other = LevelsMapper(10, width=32), ws.clone()
    other[:, 1] *= 3
    before, after = mapper(ws), mapper(other)
    assert not torch.allclose(before[:, 0], after[:, 0])
    assert_close(before[:, 4:], after[:, 4:])


def test_the_first_layer_sees_a_mean_square_of_1_over_the_rows_of_each_channel(ws):
    seen = []
    net = LevelMapper(32, 8, torch.Generator().manual_seed(0))
    net.mapping[0].register_forward_hook(lambda module, inside, out: seen.append(out))
    net(ws[:, :4])
    assert_close(seen[0].square().mean(1), torch.ones(2, 32), rtol=1e-4, atol=1e-4)


def test_levels_without_rows_and_codes_of_another_shape_are_refused(ws):
    with pytest.raises(UserError, match="some of the levels coarse, middle; got fine"):
        LevelsMapper(8, ("fine",))
    with pytest.raises(UserError, match=r"needs codes \[N, 10, 512\]"):
        LevelsMapper(10)(ws)


def test_mappers_come_back_from_their_file_and_go_by_name(tmp_path, ws):
    made = Mappers(10, {"happy": ("coarse",), "angry": ("middle", "fine")}, width=32, hidden=8)
    save_mappers(tmp_path / "m.safetensors", made)
    found = load_mappers(tmp_path / "m.safetensors")
    assert_close(found["angry"](ws), made["angry"](ws), rtol=0, atol=0)
    with pytest.raises(UserError, match="one of angry, happy; got 'sad'"):
        found["sad"]


def published(levels) -> dict:
    """A file in StyleCLIP's layout, width 32."""
    layers = {f"mapper.{name}.mapping.{k}.{part}": torch.randn((32, 32) if part == "weight" else 32) for name in levels for k in range(1, 5) for part in ("weight", "bias")}
    return {"state_dict": layers | {"decoder.input": torch.ones(1)}, "opts": {"lr": 0.5}}


def test_a_published_file_loads_with_its_levels_and_without_its_generator(tmp_path):
    torch.save(published(("course_mapping", "medium_mapping")), tmp_path / "afro.pt")
    found = load_published_mapper(tmp_path / "afro.pt")
    assert found.levels == ("coarse", "middle")
    assert float(found(torch.ones(1, 18, 32)).detach()[:, 8:].abs().max()) == 0


def test_rows_of_a_published_mapper_are_those_of_the_generator_beside_it(tmp_path):
    content = published(("course_mapping", "medium_mapping", "fine_mapping"))
    content["state_dict"] |= {f"decoder.noises.noise_{k}": torch.ones(1) for k in range(9)}
    content["opts"] = Namespace(no_fine_mapper=False, device="cuda:0")
    torch.save(content, tmp_path / "depp.pt")
    found = load_published_mapper(tmp_path / "depp.pt")
    assert (found.num_ws, found.levels) == (10, ("coarse", "middle", "fine"))
    assert found(torch.ones(1, 10, 32)).detach()[:, 8:].abs().max() > 0


def changed(**change) -> dict:
    content = published(("course_mapping", "medium_mapping"))
    content["state_dict"] = {k: t for k, t in (content["state_dict"] | change).items() if t is not None}
    return content


class Runs:
    """What a harmful file looks like."""

    def __reduce__(self):
        return (print, ("run",))


FIRST = "mapper.course_mapping.mapping.1.weight"


@pytest.mark.parametrize(("content", "said"), [
    ({"state_dict": {"decoder.x": torch.ones(1)}}, "there is none of them, it holds no mapper"), ({"m": 1}, "under 'state_dict'"), ([1], "under 'state_dict'"),
    ({"state_dict": [1]}, "under 'state_dict'"), ({"g_ema": {"input.input": torch.ones(1)}}, "under 'state_dict'"), ({"state_dict": Runs()}, "could run code"),
    ({"state_dict": {"mapper.mapping.mapping.1.weight": torch.ones(2, 2)}}, "a mapper of another kind, with mapping.mapping.1.weight"),
    (changed(**{FIRST: None}), "needs course_mapping.mapping.1.weight"), (changed(**{FIRST: torch.ones(32)}), "as a table"),
    (changed(**{FIRST.replace("1.weight", "4.bias"): None}), "1 of 16 tensors do not fit"), (changed(**{FIRST.replace("1", "2"): torch.ones(32, 31)}), "of shape"),
    (changed(**{FIRST: torch.full((32, 32), torch.nan)}), "finite"), (changed() | {"opts": {"no_fine_mapper": False}}, "needs the level fine"),
    (changed() | {"opts": 3}, "needs options"),
])  # fmt: skip
def test_another_file_is_no_published_mapper(tmp_path, capsys, content, said):
    torch.save(content, tmp_path / "x.pt")
    with pytest.raises(UserError, match=said):
        load_published_mapper(tmp_path / "x.pt")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("change", "said"), [
    (lambda whole: b"<html>quota", "a web page"), (lambda whole: b"", "empty"), (lambda whole: whole[: len(whole) // 2], "cut short"), (lambda whole: b"\x80\x02}q", "damaged"),
])  # fmt: skip
def test_what_a_download_can_be_instead_of_a_mapper_is_one_sentence(tmp_path, change, said):
    torch.save(published(("course_mapping",)), tmp_path / "x.pt")
    (tmp_path / "x.pt").write_bytes(change((tmp_path / "x.pt").read_bytes()))
    with pytest.raises(UserError, match=said) as refusal:
        load_published_mapper(tmp_path / "x.pt")
    assert "\n" not in str(refusal.value)
