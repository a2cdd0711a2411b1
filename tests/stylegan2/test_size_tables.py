"""The tables of rows, affines and S, against the published sizes; no weights are needed."""

import pytest

from iplkit.errors import UserError
from iplkit.stylegan2.generator import Generator, GeneratorConfig
from iplkit.stylegan2.tables import BASES, SIZES, affine_table, affines, feature_maps, num_rows, size_table, sizes_of

# side: rows, affines, then conv and rgb channels for the full and for the half number of feature maps
PUBLISHED = {
    32: (8, 11, 3584, 2048, 3584, 2048), 64: (10, 14, 4608, 2560, 4352, 2304), 128: (12, 17, 5376, 2816, 4736, 2432),
    256: (14, 20, 5760, 2944, 4928, 2496), 512: (16, 23, 5952, 3008, 5024, 2528), 1024: (18, 26, 6048, 3040, 5072, 2544),
}  # fmt: skip
# width, row, first in S, first among convolutions (None: ToRGB), for each of the 26 affines of config-f at 1024 px
CONFIG_F = (
    (512, 0, 0, 0), (512, 1, 512, None), (512, 1, 1024, 512), (512, 2, 1536, 1024), (512, 3, 2048, None), (512, 3, 2560, 1536),
    (512, 4, 3072, 2048), (512, 5, 3584, None), (512, 5, 4096, 2560), (512, 6, 4608, 3072), (512, 7, 5120, None),
    (512, 7, 5632, 3584), (512, 8, 6144, 4096), (512, 9, 6656, None), (512, 9, 7168, 4608), (256, 10, 7680, 5120),
    (256, 11, 7936, None), (256, 11, 8192, 5376), (128, 12, 8448, 5632), (128, 13, 8576, None), (128, 13, 8704, 5760),
    (64, 14, 8832, 5888), (64, 15, 8896, None), (64, 15, 8960, 5952), (32, 16, 9024, 6016), (32, 17, 9056, None),
)  # fmt: skip


@pytest.mark.parametrize("size", SIZES)
def test_rows_affines_and_channels_of_every_size_are_the_published_ones(size):
    rows, count, *channels = PUBLISHED[size]
    found = [sizes_of(size, feature_maps(size, base)) for base in BASES.values()]
    assert [(f.rows, f.affines) for f in found] == [(rows, count)] * 2
    assert [n for f in found for n in (f.conv, f.rgb)] == channels
    assert [f.channels for f in found] == [channels[0] + channels[1], channels[2] + channels[3]]


def test_s_of_config_f_at_1024_px_has_26_affines_and_9088_channels():
    whole = sizes_of(1024)
    assert (whole.affines, whole.conv, whole.rgb, whole.channels) == (26, 6048, 3040, 9088)


def test_every_affine_of_config_f_stands_where_the_published_table_has_it():
    assert tuple((a.width, a.row, a.start, a.conv_start) for a in affines(1024)) == CONFIG_F
    assert [a.index for a in affines(1024) if a.to_rgb] == list(range(1, 26, 3))


def test_relevance_files_of_5376_rows_end_with_the_convolutions_of_128_px():
    conv = [a for a in affines(1024) if not a.to_rgb and a.grid <= 128]
    assert (len(conv), conv[-1].conv_start + conv[-1].width) == (11, 5376)


@pytest.mark.parametrize(("size", "channels"), [(8, (6, 5)), (16, (6, 5, 4)), (32, (3, 7, 2, 5))])
def test_the_table_is_that_of_a_generator_of_these_sizes(size, channels, generator):
    import torch

    small = Generator(GeneratorConfig(size, channels, z_dim=8, w_dim=8, n_mlp=1))
    styles = small.synthesis.styles(torch.randn(1, small.num_ws, 8, generator=generator))
    table = affines(size, channels)
    assert [(a.layer, a.width) for a in table] == [(name, s.shape[1]) for name, s in styles.items()]
    assert {a.layer: a.row for a in table} == small.synthesis.rows
    assert sizes_of(size, channels).channels == sum(s.shape[1] for s in styles.values())


def test_printed_tables_say_the_same():
    table = size_table()
    assert table["S, config-f"].iloc[-1] == "6048 + 3040 = 9088" and table["S, half"].iloc[3] == "4928 + 2496 = 7424"
    lines = affine_table(1024)
    assert len(lines) == 26 and lines["place in S"].iloc[25] == "9056 to 9087" and lines["among convolutions"].iloc[1] == "–"


@pytest.mark.parametrize("size", [0, 4, 48, 64.0, True])
def test_a_side_that_is_no_power_of_two_is_refused(size):
    with pytest.raises(UserError, match="power of 2"):
        num_rows(size)


def test_feature_maps_that_do_not_fit_are_refused():
    with pytest.raises(UserError, match="needs 5 numbers"):
        affines(64, (8, 8))
    with pytest.raises(UserError, match="base of at least 64"):
        feature_maps(64, 32)
