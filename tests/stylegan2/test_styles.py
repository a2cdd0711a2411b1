import pytest
import torch

from iplkit.errors import UserError
from iplkit.stylegan2.generator import Generator, GeneratorConfig
from iplkit.stylegan2.styles import layer_names, layers_of_rows, parameters_of_rows, row_table, upstream_row_table


@pytest.fixture(scope="module")
def small():
    return Generator(GeneratorConfig(16, (6, 5, 4), z_dim=8, w_dim=8, n_mlp=2))


def test_the_true_table_at_32_pixels():
    assert row_table(8) == (
        ("conv4",), ("up8", "rgb4"), ("conv8",), ("up16", "rgb8"), ("conv16",), ("up32", "rgb16"), ("conv32",), ("rgb32",)
    )  # fmt: skip


@pytest.mark.parametrize("num_ws", [4, 6, 10, 14, 18])
def test_every_layer_has_exactly_one_row(num_ws):
    table = row_table(num_ws)
    assert len(table) == num_ws
    assert sorted(name for row in table for name in row) == sorted(layer_names(num_ws))


def test_the_table_tells_which_images_change(small, generator):
    ws = torch.randn(1, 6, 8, generator=generator)
    before = small.synthesis.styles(ws)
    for row, names in enumerate(row_table(6)):
        moved = ws.clone()
        moved[:, row] += 1
        after = small.synthesis.styles(moved)
        assert {name for name in after if not torch.equal(before[name], after[name])} == set(names)


def test_upstream_is_off_by_one_at_all_rows_but_the_first_two():
    true, upstream = row_table(18), upstream_row_table(18)
    assert len(upstream) == 18 and upstream[:3] == (("conv4",), ("rgb4",), ("up8",))
    assert upstream[17] == ("conv1024",) and true[17] == ("rgb1024",)
    wrong = [row for row in range(18) if upstream[row][0] not in true[row]]
    assert wrong == list(range(2, 18))


def test_parameters_of_a_row_are_those_of_its_layers(small):
    layers = small.synthesis.layers
    got = parameters_of_rows(small, [3])
    assert {id(p) for p in got} == {id(p) for name in ("up16", "rgb8") for p in layers[name].parameters()}
    without = parameters_of_rows(small, [3], include_to_rgb=False)
    assert {id(p) for p in without} == {id(p) for p in layers["up16"].parameters()}
    assert {id(p) for p in parameters_of_rows(small, [3], table="upstream")} == {id(p) for p in layers["conv8"].parameters()}


def test_a_row_named_twice_counts_once(small):
    assert len(parameters_of_rows(small, [2, 2])) == len(parameters_of_rows(small, [2]))


def test_all_rows_give_everything_but_the_constant_and_the_mapping(small):
    got = {id(p) for p in parameters_of_rows(small, range(6))}
    rest = {name for name, p in small.named_parameters() if id(p) not in got}
    assert rest == {"synthesis.const"} | {f"mapping.layers.{i}.{part}" for i in (0, 1) for part in ("weight", "bias")}


def test_rows_and_tables_that_do_not_exist_are_refused(small):
    with pytest.raises(UserError, match="0 to 5"):
        parameters_of_rows(small, [6])
    with pytest.raises(UserError, match="table must be"):
        layers_of_rows(6, [1], table="wrong")
    with pytest.raises(UserError, match="even number"):
        row_table(5)
