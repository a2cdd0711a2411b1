import pytest
import torch
from small_inversion import a_generator, a_perceptual, an_encoder, some_pictures
from torch.testing import assert_close

from iplkit.errors import UserError
from iplkit.invert import descent
from iplkit.invert.descent import Schedule
from iplkit.invert.methods import METHODS, invert
from iplkit.invert.optimize import PAPER, OptimizeSettings, optimize
from iplkit.invert.plus import PlusSettings, gram, plus, style_distance
from iplkit.invert.project import ProjectSettings, project, width_of_w
from iplkit.invert.result import decibels

SHORT = {
    "optimize": OptimizeSettings(Schedule(30, 0.1, save_every=4)),
    "project": ProjectSettings(Schedule(30, 0.1, save_every=4), noise_weight=1e3),
    "plus": PlusSettings(Schedule(15, 0.1, save_every=4), Schedule(15, 0.02, save_every=4)),
    "encode": None,
    "encode+refine": OptimizeSettings(Schedule(30, 0.1, walker="lbfgs", save_every=4)),
}


@pytest.fixture(scope="module")
def g():
    return a_generator()


def run(g, images, method, **changes):
    settings = changes.pop("settings", SHORT[method])
    return invert(images, g, method, settings=settings, encoder=an_encoder(g), perceptual=a_perceptual(), progress=False, **changes)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_gives_codes_that_draw_its_pictures(g, method):
    images = some_pictures(g)
    found = run(g, images, method)
    with torch.no_grad():
        drawn = g.synthesis.from_styles(found.styles, "none")
    assert found.images.shape == images.shape and found.ws.shape == (3, 6, 512) and found.db.shape == (3,)
    assert_close(found.db, decibels(found.images, images), atol=1e-4, rtol=0)
    if found.noises is None:
        assert_close(found.images, drawn, atol=1e-5, rtol=0)
    if method != "encode":
        assert found.losses.shape == (30, 3)
        assert bool((found.losses[-1] < 0.8 * found.losses[0]).all()), "it goes down for each picture"


@pytest.mark.parametrize("space", ["z", "w", "w+", "s"])
def test_every_space_can_be_searched_and_s_has_no_rows(g, space):
    found = run(g, some_pictures(g, 2), "optimize", space=space)
    assert bool((found.losses[-1] < found.losses[0]).all()) and (found.ws is None) == (space == "s")
    if space in ("z", "w"):
        assert float((found.ws - found.ws[:, :1]).abs().max()) == 0


@pytest.mark.parametrize("method", ["optimize", "project", "encode+refine"])
def test_a_picture_is_found_alike_in_any_company(g, method):
    images = some_pictures(g)
    kw = {"space": "w+", "start": "uniform"} if method == "optimize" else {}
    whole, alone = run(g, images, method, **kw), run(g, images, method, batch=2, **kw)
    assert_close(whole.losses[:6], alone.losses[:6], rtol=1e-3, atol=1e-5)
    assert_close(whole.db, alone.db, atol=0.2, rtol=0)


def test_the_seed_decides_and_the_generator_is_left_alone(g):
    before = {name: t.clone() for name, t in g.state_dict().items()}
    images = some_pictures(g, 2)
    one, again, other = (run(g, images, "optimize", start="uniform", seed=s) for s in (1, 1, 2))
    assert torch.equal(one.ws, again.ws) and not torch.equal(one.ws, other.ws)
    assert all(torch.equal(t, before[name]) for name, t in g.state_dict().items())


@pytest.mark.parametrize("method", ["optimize", "project", "plus", "encode+refine"])
def test_a_killed_inversion_goes_on_and_ends_with_the_same_bytes(g, method, tmp_path, monkeypatch):
    images = some_pictures(g)
    whole = run(g, images, method, batch=2, resume_dir=tmp_path / "whole")
    real, looks = descent._look, []

    def killed(*arguments):
        looks.append(1)
        if len(looks) == 41:  # in the second batch
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(descent, "_look", killed)
    with pytest.raises(KeyboardInterrupt):
        run(g, images, method, batch=2, resume_dir=tmp_path / "killed")
    looks.clear()
    found = run(g, images, method, batch=2, resume_dir=tmp_path / "killed")
    assert len(looks) < 30, "most of the work is not done again"
    assert torch.equal(found.ws, whole.ws) and torch.equal(found.losses, whole.losses) and torch.equal(found.images, whole.images)
    with pytest.raises(UserError, match="a checkpoint of this inversion"):
        run(g, images.flip(0), method, batch=2, resume_dir=tmp_path / "killed")


def test_refinement_begins_where_the_encoder_ends_and_keeps_its_passes(g):
    images = some_pictures(g, 2)
    encoded, refined = run(g, images, "encode", passes=3), run(g, images, "encode+refine", passes=3)
    assert torch.equal(refined.passes, encoded.passes) and refined.passes.shape == (3, 2, 6, 512)
    assert bool((refined.db > encoded.db).all()) and refined.about["method"] == "encode+refine"
    given = run(g, images, "optimize", start=encoded.ws, settings=SHORT["encode+refine"])
    assert torch.equal(given.ws, refined.ws)


def test_any_function_that_gives_rows_is_an_encoder(g):
    images = some_pictures(g, 2)
    middle = g.mapping.w_avg.expand(2, 6, -1)
    found = invert(images, g, "encode", encoder=lambda x: middle, progress=False)
    assert torch.equal(found.ws, middle)
    with pytest.raises(UserError, match=r"\[2, 6, 512\]; got \[2, 18, 512\]"):
        invert(images, g, "encode", encoder=lambda x: torch.zeros(2, 18, 512), progress=False)


def test_a_weight_of_0_leaves_a_term_out(g):
    images = some_pictures(g, 2)
    pixels = optimize(images, g, None, settings=OptimizeSettings(Schedule(1, 0.1), pixels=3.0, perceptual=0.0))
    with torch.no_grad():
        middle = g.synthesis(g.mapping.w_avg.expand(2, 6, -1), noise_mode="none")
    assert_close(pixels.losses[0], 3 * ((middle - images) / 2).square().mean((1, 2, 3)))
    seen = optimize(images, g, a_perceptual(), settings=OptimizeSettings(Schedule(1, 0.1), pixels=0.0, perceptual=2.0))
    assert_close(seen.losses[0], 2 * a_perceptual()(middle, images))
    assert (PAPER.schedule.steps, PAPER.schedule.lr, PAPER.schedule.rate(0), PAPER.schedule.betas) == (5000, 0.01, 0.01, (0.9, 0.999))


def test_the_projectors_maps_stay_noise_and_are_its_own(g):
    found = project(some_pictures(g, 2), g, a_perceptual(), settings=SHORT["project"])
    for m in found.noises.values():
        assert_close(m.square().mean((2, 3)), torch.ones(2, 1)), assert_close(m.mean((2, 3)), torch.zeros(2, 1), atol=1e-6, rtol=0)
    w = g.mapping.w(torch.randn(4000, 32, generator=torch.Generator().manual_seed(0)))
    assert width_of_w(g.mapping) == pytest.approx(float((w - w.mean(0)).norm(dim=1).square().mean().sqrt()), rel=0.02)
    quiet = project(some_pictures(g, 2), g, a_perceptual(), settings=ProjectSettings(Schedule(3, 0.1), noise_weight=0.0, pixels=1.0))
    assert quiet.noises is None


def test_noise_maps_bring_a_picture_nearer_than_any_code(g):
    images = some_pictures(g, 2, seed=8).roll(5, dims=3)  # no sample
    coded, noisy = run(g, images, "optimize"), run(g, images, "plus")
    assert bool((noisy.db > coded.db + 3).all()) and noisy.about["layers with noise"] == ["conv4", "up8", "conv8", "up16", "conv16"]


def test_outside_the_mask_the_other_picture_is_asked_for_or_nothing(g):
    one, two = some_pictures(g, 1), some_pictures(g, 1, seed=9)
    mask = torch.zeros(1, 1, 16, 16)
    mask[..., :8] = 1
    joined = plus(one, g, a_perceptual(), mask=mask, other=two, settings=SHORT["plus"])
    free = plus(one, g, a_perceptual(), mask=mask, settings=SHORT["plus"])

    def wrong(found, wanted, where):
        return float((where * (found.images - wanted)).square().mean())

    assert wrong(joined, two, 1 - mask) < 0.3 * wrong(free, two, 1 - mask)
    assert wrong(free, one, mask) < 0.05 and wrong(free, one, mask) < 0.2 * wrong(free, one, 1 - mask)


def test_a_style_term_makes_the_outside_statistics_agree(g):
    one, two = some_pictures(g, 1), some_pictures(g, 1, seed=9)
    mask = torch.zeros(1, 1, 16, 16)
    mask[..., :8] = 1
    losses = []
    for weight in (0.0, 5.0):
        settings = PlusSettings(Schedule(30, 0.1), Schedule(0, 0.01), outside=0.0, style=weight)
        found = plus(one, g, a_perceptual(), mask=mask, other=two, settings=settings)
        losses.append(float(style_distance((1 - mask) * found.images, (1 - mask) * two, a_perceptual())))
    assert losses[1] < 0.5 * losses[0]


def test_a_gram_matrix_does_not_know_where_things_are():
    x = torch.randn(1, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    assert_close(gram(x), gram(x.flip(3).roll(1, 2)))
    assert_close(gram(x)[0, 1, 2], (x[0, 1] * x[0, 2]).mean())


@pytest.mark.parametrize(
    ("images", "changes", "sentence"),
    [
        (torch.zeros(1, 3, 32, 32), {}, r"pictures \[N, 3, 16, 16\]; got \[1, 3, 32, 32\]"),
        (torch.zeros(3, 16, 16), {}, r"got \[3, 16, 16\]"),
        (torch.zeros(0, 3, 16, 16), {}, r"got \[0, 3, 16, 16\]"),
        (torch.full((1, 3, 16, 16), 200.0), {}, "other values"),
        (torch.full((1, 3, 16, 16), float("nan")), {}, "other values"),
        (torch.zeros(1, 3, 16, 16, dtype=torch.uint8), {}, "other values"),
        (torch.zeros(1, 3, 16, 16), {"method": "optimise"}, "nearest known are optimize"),
        (torch.zeros(1, 3, 16, 16), {"space": "x"}, "works in one of z, w, w\\+, s"),
        (torch.zeros(1, 3, 16, 16), {"method": "project", "space": "s"}, "works in w or w\\+"),
        (torch.zeros(1, 3, 16, 16), {"settings": ProjectSettings()}, "optimize needs OptimizeSettings; got ProjectSettings"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(g, images, changes, sentence):
    with pytest.raises(UserError, match=sentence):
        invert(images, g, **{"method": "optimize", "steps": 1} | changes, perceptual=a_perceptual(), progress=False)


def test_settings_and_masks_that_cannot_be_are_refused(g):
    with pytest.raises(UserError, match="not both 0"):
        OptimizeSettings(pixels=0, perceptual=0)
    with pytest.raises(UserError, match="none or const"):
        OptimizeSettings(noise_mode="random")
    with pytest.raises(UserError, match="only adam"):
        ProjectSettings(Schedule(5, 0.1, walker="lbfgs"))
    with pytest.raises(UserError, match="needs a perceptual network"):
        optimize(some_pictures(g, 1), g, None)
    for mask, sentence in ((torch.zeros(1, 1, 8, 8), "mask needs shape"), (torch.full((1, 1, 16, 16), 2.0), r"values in \[0, 1\]")):
        with pytest.raises(UserError, match=sentence):
            plus(some_pictures(g, 1), g, a_perceptual(), mask=mask, settings=SHORT["plus"])
