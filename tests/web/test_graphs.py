"""The graphs: together they are the synthesis network, and apart they can be kept."""

import numpy as np
import pytest
import torch

from iplkit import zoo
from iplkit.edit.draw import blended
from iplkit.errors import UserError
from iplkit.images import to_uint8
from iplkit.latents import z_from_seeds
from iplkit.web.graphs import block, layers_of, rows_of_size, sizes

pytest.importorskip("onnx", reason="the graphs are written with the package onnx")
pytest.importorskip("onnxruntime", reason="the graphs are run with the package onnxruntime")
LEVELS = 2  # of 255: what the page may differ from torch


def levels_apart(ours: np.ndarray, theirs: torch.Tensor) -> int:
    return int((to_uint8(torch.from_numpy(ours)).int() - to_uint8(theirs).int()).abs().max())


@pytest.fixture(scope="module")
def page(exported):
    from page_model import PageModel

    return PageModel(exported)


def test_the_graphs_together_hold_every_layer_once_and_every_row(small):
    config = small.config
    names = [name for size in sizes(config) for name in layers_of(config, size)]
    assert names == list(small.synthesis.layers)
    assert sorted({row for size in sizes(config) for row in rows_of_size(config, size)}) == list(range(config.num_ws))


def test_the_weights_are_inputs_under_the_names_that_torch_gives_them(small):
    names = {i.name: [d.dim_value for d in i.type.tensor_type.shape.dim] for size in sizes(small.config) for i in block(small.config, size).graph.input}
    state = small.synthesis.state_dict()
    assert set(names) - {"x", "image", "ws"} == set(state)
    assert all(names[name] == list(value.shape) for name, value in state.items())


@pytest.mark.parametrize("seed", [0, 7, 19, 52, 1000])
@pytest.mark.parametrize("psi", [0.0, 0.7, 1.2])
def test_the_picture_is_torchs_for_any_person_and_truncation(page, shipped, seed, psi):
    ws = shipped.mapping(z_from_seeds([seed]), psi)
    assert levels_apart(page.whole(ws.numpy()), shipped.synthesis(ws, noise_mode="const")) <= LEVELS


@pytest.mark.parametrize("row", range(10))
def test_the_picture_is_torchs_when_one_row_moves(page, shipped, directions, row):
    ws = shipped.mapping(z_from_seeds([3]), 0.8)
    ws[:, row] += 2 * directions[0]
    assert levels_apart(page.whole(ws.numpy()), shipped.synthesis(ws, noise_mode="const")) <= LEVELS


@pytest.mark.parametrize(("row", "ran"), [(0, [4, 8, 16, 32, 64]), (3, [8, 16, 32, 64]), (6, [32, 64]), (8, [64]), (9, [64])])
def test_a_moved_row_runs_only_the_graphs_from_its_own_on_and_draws_the_same(page, shipped, directions, row, ran):
    ws = shipped.mapping(z_from_seeds([11]), 0.8).numpy()
    page.whole(ws)
    ws[:, row] += directions[1].numpy()
    reused = page.draw(ws)
    assert page.ran == ran
    assert np.array_equal(reused, page.whole(ws))


@pytest.mark.parametrize("name", zoo.adapted_names())
@pytest.mark.parametrize("share", [0.5, 1.0])
def test_a_blend_with_an_adapted_generator_is_torchs(page, shipped, name, share):
    target = zoo.adapted(name)
    ws = shipped.mapping(z_from_seeds([5]), 0.8)
    weights = blended(shipped.synthesis, target.synthesis, share)
    want = torch.func.functional_call(shipped.synthesis, weights, (ws,), {"noise_mode": "const"})
    own, page.weights = page.weights, {key: value.numpy() for key, value in weights.items()}
    try:
        assert levels_apart(page.whole(ws.numpy()), want) <= LEVELS
        assert levels_apart(page.whole(ws.numpy()), shipped.synthesis(ws, noise_mode="const")) > 10, "the domain shows"
    finally:
        page.weights = own


def test_a_size_that_the_generator_lacks_is_refused(small):
    with pytest.raises(UserError, match="one of 4, 8, 16; got 32"):
        block(small.config, 32)
