import pytest
import torch
from small_inversion import a_generator, an_encoder, some_pictures
from torch.testing import assert_close

from iplkit.errors import UserError
from iplkit.invert.encode import Code, encode
from iplkit.nets.encoder import EncoderConfig, load_encoder, save_encoder
from iplkit.stylegan2.generator import Generator, GeneratorConfig


@pytest.fixture(scope="module")
def g():
    return a_generator()


def test_each_pass_adds_what_the_encoder_says_of_the_running_render(g):
    images, net = some_pictures(g), an_encoder(g)
    w, offset = g.mapping.w_avg.expand(3, -1), torch.zeros(3, 6, 512)
    for found in encode(images, net, g, passes=3):
        with torch.no_grad():
            step = net(images, g.synthesis(w[:, None] + offset, noise_mode="none"))
        w, offset = w + step[0], offset + step[1]
        assert_close(found, w[:, None] + offset)


def test_one_number_leads_from_w_to_w_plus(g):
    images, net = some_pictures(g), an_encoder(g)
    plain, half, full = (encode(images, net, g, 1, reach=r)[0] for r in (0.0, 0.5, 1.0))
    assert float((plain - plain[:, :1]).abs().max()) == 0
    assert float((full - full[:, :1]).abs().max()) > 0
    assert_close(half, (plain + full) / 2)


def test_row_0_has_no_offset_and_an_untrained_encoder_stays_in_the_middle(g):
    base, offsets = an_encoder(g)(some_pictures(g), some_pictures(g, seed=9))
    assert base.shape == (3, 512) and offsets.shape == (3, 6, 512) and float(offsets[:, 0].abs().max()) == 0
    net = an_encoder(g)
    torch.nn.init.zeros_(net.answer.weight)
    assert torch.equal(encode(some_pictures(g), net, g, 2)[-1], Code.middle(g.mapping, 3).ws())


def test_the_basis_begins_with_the_widest_directions_of_w(g):
    net = an_encoder(g)
    net.fit_basis(g.mapping)
    w = g.mapping.w(torch.randn(4096, 32, generator=torch.Generator().manual_seed(7)))
    unit = torch.nn.functional.normalize(net.basis, dim=1)
    assert_close(unit @ unit.T, torch.eye(6), atol=1e-4, rtol=0)
    assert_close((w @ unit.T).std(0), net.basis.norm(dim=1), rtol=0.15, atol=0)
    assert bool((net.basis.norm(dim=1).diff() <= 1e-4).all())


def test_batches_do_not_matter(g):
    assert_close(encode(some_pictures(g), an_encoder(g), g, 2, batch=1), encode(some_pictures(g), an_encoder(g), g, 2))


def test_an_encoder_survives_its_file_and_no_other_file_is_taken_for_one(g, tmp_path):
    save_encoder(tmp_path / "e.safetensors", an_encoder(g))
    assert torch.equal(encode(some_pictures(g), load_encoder(tmp_path / "e.safetensors"), g), encode(some_pictures(g), an_encoder(g), g))


def test_an_encoder_of_another_generator_no_pass_and_impossible_sizes_are_refused(g):
    other = Generator(GeneratorConfig(32, (16, 12, 8, 8), z_dim=32, n_mlp=2))
    with pytest.raises(UserError, match="codes of 8 rows of 512; the encoder gives 6 rows"):
        encode(torch.zeros(1, 3, 32, 32), an_encoder(g), other)
    with pytest.raises(UserError, match="at least one pass"):
        encode(some_pictures(g), an_encoder(g), g, 0)
    with pytest.raises(UserError, match="multiple of 16"):
        EncoderConfig(size=40)
    with pytest.raises(UserError, match="width in eights"):
        EncoderConfig(width=12)
