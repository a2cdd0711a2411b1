import torch

from iplkit.world.domains.catalog import style
from iplkit.world.factors import NUM_FACTORS, index, sample_factors
from iplkit.world.geometry import EYE_LINE, Tweaks, bump, edge, line, pixel_grid, pose_of, project, surface, to_head


def photo_pose(factors):
    tweaks = Tweaks()
    return pose_of(factors, tweaks.toward(tweaks, torch.zeros(len(factors))))


def test_projecting_undoes_the_surface():
    factors = sample_factors(6, torch.Generator().manual_seed(0))
    pose = photo_pose(factors)
    u = torch.tensor([-0.5, -0.2, 0.0, 0.3, 0.5]).expand(6, 5)
    v = torch.tensor([0.3, -0.2, 1.0, 0.8, -0.1]).expand(6, 5)
    x, y = project(u, v, torch.zeros(5), pose)
    found = surface(*to_head(x.view(6, 1, 1, 5), y.view(6, 1, 1, 5), pose), pose)
    same_side = (found.v.view(6, 5) > 0) == (v > 0)  # above and below the eye line lengths differ, so a nod bends there
    close = ((found.u.view(6, 5) - u).abs() < 0.08) & ((found.v.view(6, 5) - v).abs() < 0.08)
    assert (close | ~same_side).all() and same_side.float().mean() > 0.8


def test_a_frontal_head_is_symmetric():
    factors = torch.full((1, NUM_FACTORS), 0.5)
    pose = photo_pose(factors)
    s = surface(*to_head(*pixel_grid(64, "cpu"), pose), pose)
    torch.testing.assert_close(s.rim, s.rim.flip(-1))
    torch.testing.assert_close(s.u, -s.u.flip(-1), atol=1e-5, rtol=0)


def test_turning_moves_a_nose_to_the_side_and_nodding_moves_it_down():
    factors = torch.full((3, NUM_FACTORS), 0.5)
    factors[1, index("yaw")], factors[2, index("pitch")] = 1.0, 1.0
    x, y = project(torch.zeros(3, 1), torch.full((3, 1), 0.6), torch.tensor([0.2]), photo_pose(factors))
    assert x[1] > x[0] + 0.05 and y[2] > y[0] + 0.02


def test_the_origin_of_a_frontal_head_lies_on_the_eye_line():
    pose = photo_pose(torch.full((1, NUM_FACTORS), 0.5))
    x, y = project(torch.zeros(1, 1), torch.zeros(1, 1), torch.zeros(1), pose)
    torch.testing.assert_close(torch.cat([x, y]), torch.tensor([[0.0], [EYE_LINE]]))


def test_a_near_head_is_larger():
    factors = torch.full((2, NUM_FACTORS), 0.5)
    factors[1, index("size")] = 1.0
    scale = photo_pose(factors).scale.flatten()
    assert scale[1] > 1.05 * scale[0]


def test_pixel_centers_are_symmetric_and_half_a_pixel_inside():
    xs, ys = pixel_grid(4, "cpu")
    assert xs[0, 0, 0].tolist() == ys[0, 0, :, 0].tolist() == [-0.75, -0.25, 0.25, 0.75]


def test_coverage_is_none_outside_half_at_the_border_and_full_inside():
    assert edge(torch.tensor([-1.0, 0.0, 1.0]), 0.1).tolist() == [0.0, 0.5, 1.0]
    assert line(torch.tensor([-1.0, 0.0, 1.0]), 0.2, 0.1).tolist() == [0.0, 1.0, 0.0]


def test_a_line_thinner_than_a_pixel_fades_but_does_not_break():
    d = torch.linspace(-1, 1, 201)
    wide, thin = line(d, 0.01, 0.2), line(d, 0.005, 0.2)
    assert 0 < thin.max() < wide.max() < 1
    torch.testing.assert_close(wide.sum(), 2 * thin.sum(), rtol=0.01, atol=0)  # as much ink as the stroke is wide


def test_a_bump_is_one_at_its_middle():
    assert bump(torch.tensor(0.3), torch.tensor(0.1), 0.3, 0.1, 0.2, 0.2) == 1


def test_tweaks_half_way_are_the_mean_of_both():
    a, b = Tweaks(), style("disney").TWEAKS
    half = a.toward(b, torch.tensor([0.0, 0.5, 1.0]))["eye_size"].flatten()
    torch.testing.assert_close(half, torch.tensor([1.0, (1 + b.eye_size) / 2, b.eye_size]))
