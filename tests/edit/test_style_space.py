"""S as a table: sizes of the published generators, and the way to layers and back."""

import pytest
import torch
from small_models import small_generator
from torch.testing import assert_close

from iplkit.edit.statistics import RunningMoments, StyleStatistics, read_statistics, style_statistics, write_statistics
from iplkit.edit.style_space import StyleSpace, style_space
from iplkit.errors import UserError
from iplkit.stylegan2.generator import GeneratorConfig

FULL = GeneratorConfig(1024, tuple(min(32768 // 2**k, 512) for k in range(2, 11)))


def test_config_f_at_1024_px_has_26_layers_and_9088_channels_of_which_6048_are_convolutions():
    space = style_space(FULL)
    assert (len(space.layers), space.channels, len(space.convolutions)) == (26, 9088, 6048)


@pytest.mark.parametrize(("layer", "first", "last"), [("up8", 1024, 1535), ("rgb64", 6656, 7167), ("conv128", 7680, 7935), ("rgb1024", 9056, 9087)])
def test_layers_lie_where_published_statistics_have_them(layer, first, last):
    found = style_space(FULL).columns(layer)
    assert (found.start, found.stop - 1) == (first, last)


def test_a_table_by_layers_and_back_is_the_same_and_draws_the_same_picture():
    generator = small_generator()
    ws = generator.mapping(torch.randn(2, 32, generator=torch.Generator().manual_seed(0)))
    styles, space = generator.synthesis.styles(ws), style_space(generator.config)
    again = space.named(space.flat(styles))
    assert tuple(again) == tuple(styles)
    assert_close(generator.synthesis.from_styles(again, "const"), generator.synthesis(ws, "const"), rtol=0, atol=0)


def test_running_moments_are_those_of_all_rows_at_once():
    rows, moments = torch.randn(50, 4, generator=torch.Generator().manual_seed(1)) * 3 + 7, RunningMoments()
    for part in rows.split([1, 20, 29]):
        moments.add(part)
    assert_close(moments.mean, rows.double().mean(0))
    assert_close(moments.std, rows.double().std(0, correction=0))


def test_truncation_shrinks_the_spread_by_psi_and_a_cutoff_only_that_of_the_rows_below():
    whole, half, some = (style_statistics(small_generator(), 300, psi=psi, cutoff=cutoff) for psi, cutoff in ((1, None), (0.5, None), (0.5, 1)))
    assert_close(half.std, 0.5 * whole.std, rtol=1e-3, atol=1e-5)
    first, last = (whole.space.columns(layer) for layer in ("conv4", "conv16"))
    assert_close(some.std[first], half.std[first])
    assert_close(some.std[last], whole.std[last])


def test_statistics_come_back_from_their_file_and_are_refused_for_another_generator(tmp_path):
    made = style_statistics(small_generator(), 20)
    write_statistics(tmp_path / "s.safetensors", made)
    read = read_statistics(tmp_path / "s.safetensors", made.space)
    assert_close((read.mean, read.std), (made.mean, made.std), rtol=0, atol=0)
    with pytest.raises(UserError, match="26 layers and 9088 channels; it has .* of another generator"):
        read_statistics(tmp_path / "s.safetensors", style_space(FULL))


def test_a_file_of_something_else_is_no_statistics(tmp_path):
    from iplkit.weights import write_weights

    write_weights(tmp_path / "x.safetensors", {"mean": torch.ones(2)}, {"kind": "other"})
    with pytest.raises(UserError, match="needs to hold style statistics; it holds other"):
        read_statistics(tmp_path / "x.safetensors", StyleSpace(("conv4",), (2,)))
