import torch
import torch.nn.functional as F
from small_inversion import a_generator
from torch.testing import assert_close

from iplkit.invert.noise import draw_images, draw_noises, neighbor_correlation, normalize


def a_style(g, n=2):
    with torch.no_grad():
        return g.synthesis.styles(g.mapping(torch.randn(n, 32, generator=torch.Generator().manual_seed(0))))


def test_with_the_stored_maps_the_picture_is_the_generators_own():
    g = a_generator()
    stored = {name: layer.noise_const[None, None].expand(2, 1, -1, -1) for name, layer in g.synthesis.layers.items() if hasattr(layer, "noise_const")}
    with torch.no_grad():
        assert torch.equal(draw_images(g, a_style(g), stored), g.synthesis.from_styles(a_style(g), "const"))
        nothing = {name: 0 * m for name, m in stored.items()}
        assert torch.equal(draw_images(g, a_style(g), nothing), draw_images(g, a_style(g), None))


def test_every_picture_has_maps_of_its_own_and_keeps_them_in_any_company():
    g = a_generator()
    three, last = draw_noises(g.synthesis, 3, 4), draw_noises(g.synthesis, 1, 4, first=2)
    assert [m.shape for m in three.values()] == [(3, 1, s, s) for s in (4, 8, 8, 16, 16)]
    assert all(torch.equal(three[name][2:], last[name]) and not torch.equal(three[name][0], three[name][1]) for name in three)


def test_a_map_that_carries_a_picture_costs_more_than_noise():
    white = torch.randn(1, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    smooth = F.avg_pool2d(F.pad(white, (1, 1, 1, 1), mode="circular"), 3, 1)
    maps = {"a": torch.cat([white, smooth / smooth.std()])}
    cost = neighbor_correlation(maps)
    assert float(cost[0]) < 0.02 < 0.2 < float(cost[1])


def test_the_price_is_the_slow_sum_over_pixels():
    x = torch.randn(1, 1, 16, 16, generator=torch.Generator().manual_seed(1))
    slow = 0.0
    for m in (x[0, 0], F.avg_pool2d(x, 2)[0, 0] * 2):
        s = len(m)
        for dy, dx in ((0, 1), (1, 0)):
            slow += (sum(float(m[i, j] * m[(i - dy) % s, (j - dx) % s]) for i in range(s) for j in range(s)) / s**2) ** 2
    assert_close(neighbor_correlation({"m": x}), torch.tensor([slow]), rtol=1e-4, atol=1e-6)


def test_maps_are_brought_back_to_mean_0_and_spread_1_picture_by_picture():
    maps = {"a": torch.stack([torch.rand(1, 8, 8), 5 + 3 * torch.rand(1, 8, 8)])}
    normalize(maps)
    assert_close(maps["a"].mean((2, 3)), torch.zeros(2, 1), atol=1e-6, rtol=0)
    assert_close(maps["a"].square().mean((2, 3)), torch.ones(2, 1))
