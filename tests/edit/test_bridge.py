import pytest
import torch
import torch.nn.functional as F
from small_bridge import LinearClip, small_config, small_parts
from small_models import small_generator
from torch.testing import assert_close

from iplkit.edit import bridge_prior as prior
from iplkit.edit.bridge import Bridge, BridgeConfig, load_bridge, save_bridge
from iplkit.edit.bridge_pairs import Pairs, codes, features, fill, make_pairs, pictures, read_pairs
from iplkit.edit.bridge_refine import RefineSettings, refine
from iplkit.edit.bridge_report import FeatureToLatent, ReportSettings, train_report
from iplkit.edit.bridge_simple import best_ridge, nearest, solve
from iplkit.edit.bridge_whiten import Centre, Whitening, explained
from iplkit.errors import UserError
from iplkit.train import bridge as recipe
from iplkit.train.common import Phase, step_generator


@pytest.fixture(scope="module")
def parts():
    return small_parts()


@pytest.fixture(scope="module")
def bridge(parts):
    return recipe.build(parts, small_config()).eval()


def test_whitened_samples_have_mean_0_spread_1_and_no_correlation(generator):
    w = torch.randn(4000, 6, generator=generator) @ torch.randn(6, 6, generator=generator) + 3
    a = Whitening(6, 4).fit(w)(w)
    assert_close(a.mean(0), torch.zeros(4), atol=1e-4, rtol=0)
    assert_close(torch.cov(a.T), torch.eye(4), atol=1e-3, rtol=0)


def test_with_all_directions_the_way_back_loses_nothing(generator):
    w = torch.randn(60, 8, generator=generator) * torch.arange(1, 9) - 2
    white = Whitening(8, 8).fit(w)
    assert_close(white.back(white(w)), w, atol=1e-4, rtol=1e-4)


def test_the_kept_directions_are_those_of_largest_spread(generator):
    w = torch.randn(500, 5, generator=generator) * torch.tensor([1.0, 5.0, 1.0, 9.0, 1.0])
    lengths = Whitening(5, 2).fit(w).basis.norm(dim=1)
    assert 8 < lengths[0] < 10 and 4 < lengths[1] < 6


def test_the_mean_explains_nothing_and_the_truth_explains_all(generator):
    a = torch.randn(50, 4, generator=generator)
    assert explained(a, a) == 1 and abs(explained(a, a.mean(0).expand_as(a))) < 1e-6


def test_a_ridge_without_penalty_finds_the_line_that_made_the_data(generator):
    line = torch.randn(5, 3, generator=generator)
    x = torch.randn(200, 5, generator=generator)
    assert_close(solve(x, x @ line, 0.0), line, atol=1e-4, rtol=1e-4)


def test_a_strong_penalty_shrinks_and_the_held_out_pairs_choose(generator):
    x, held = torch.randn(30, 20, generator=generator), torch.randn(400, 20, generator=generator)
    line = torch.randn(20, 1, generator=generator)
    y = x @ line + 4 * torch.randn(30, 1, generator=generator)
    assert solve(x, y, 10.0).norm() < 0.2 * solve(x, y, 0.0).norm()
    _, strength = best_ridge(x, y, held, held @ line, (0.0, 0.3, 100.0))
    assert strength == 0.3


def test_retrieval_finds_a_sample_that_is_in_the_gallery(parts):
    assert torch.equal(nearest(parts.train, parts.train.e[[7, 3]]), parts.train.w[[7, 3]])


@pytest.mark.parametrize("embed_dim", [512, 1024])
def test_the_bridge_takes_any_width_of_clip(embed_dim):
    parts = small_parts(embed_dim)
    net = recipe.build(parts, small_config(embed_dim))
    assert net.w(parts.held.e, "ridge").shape == (64, 512)
    assert net.draw(parts.held.e[:3], 2, torch.Generator().manual_seed(0), steps=2).shape == (3, 2, 512)
    assert FeatureToLatent(embed_dim)(parts.held.e[:2]).shape == (2, 512)


def test_before_training_the_network_says_what_the_ridge_says(bridge, parts):
    assert torch.equal(bridge.w(parts.held.e, "network"), bridge.w(parts.held.e, "ridge"))


def test_the_ridge_beats_the_mean_where_clip_is_nearly_linear(bridge, parts):
    assert explained(bridge.white(parts.held.w), bridge.ridge(parts.held.e)) > 0.15


def test_pairs_on_disk_are_the_pairs_that_were_made(tmp_path, monkeypatch):
    monkeypatch.setattr("iplkit.edit.bridge_pairs.CHUNK", 8)
    generator, clip, lines = small_generator(), LinearClip(), []
    fill(tmp_path, generator, clip, [1], 5, {"clip": "x"}, lines.append)
    fill(tmp_path, generator, clip, [0, 1], 5, {"clip": "x"}, lines.append)
    assert len(lines) == 2  # one that was there is not made again
    read, made = read_pairs(tmp_path, generator.mapping, [1], 5, {"clip": "x"}), make_pairs(generator, clip, 8, 5, number=1)
    assert torch.equal(read.w, made.w)
    assert_close(read.e, made.e, atol=1e-3, rtol=0)
    with pytest.raises(UserError, match="needs pairs of seed 5 and of these models"):
        read_pairs(tmp_path, generator.mapping, [1], 5, {"clip": "y"})


def test_features_are_of_the_picture_that_the_code_draws(parts):
    assert_close(features(parts.clip, pictures(parts.generator, parts.held.w[:4])), parts.held.e[:4])
    assert torch.equal(codes(parts.generator.mapping, 6, 3)[:4], codes(parts.generator.mapping, 4, 3))


def test_noise_of_length_1_turns_a_feature_by_45_degrees(generator):
    e = F.normalize(torch.randn(300, 400, generator=generator), dim=-1)
    cosine = (prior.blurred(e, torch.randn(300, 400, generator=generator), 1.0) * e).sum(1)
    assert abs(float(cosine.mean()) - 0.5**0.5) < 0.01
    assert_close(prior.blurred(e, torch.randn(300, 400, generator=generator), 0.0), e)


def test_the_schedule_keeps_all_at_the_start_and_nothing_at_the_end():
    left = prior.kept(torch.linspace(0, 1, 11))
    assert left[0] > 0.999 and left[-1] < 1e-3 and bool((left.diff() < 0).all())


class Perfect(prior.Denoiser):
    """Knows that all codes are one."""

    def forward(self, a, time, x, amount):
        return torch.full_like(a, 0.7)


def test_a_prior_that_knows_the_code_draws_it(generator):
    drawn = prior.sample(Perfect(4, 3), torch.zeros(5, 3), 0.5, generator, steps=6)
    assert_close(drawn, torch.full((5, 4), 0.7))


def test_a_prior_learns_which_code_belongs_to_a_feature(generator):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = prior.Denoiser(2, 8, width=32, blocks=1)
    e = F.normalize(torch.eye(8)[:2].repeat(64, 1), dim=-1)
    a = torch.tensor([[1.5, 0.0], [-1.5, 0.0]]).repeat(64, 1) + 0.1 * torch.randn(128, 2, generator=generator)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    for _ in range(250):
        loss = prior.prior_loss(net, a, e, lambda x: x, generator)
        optimizer.zero_grad(), loss.backward(), optimizer.step()
    drawn = prior.sample(net, e[:40], 0.0, generator, steps=8)
    assert drawn[0::2, 0].mean() > 1 and drawn[1::2, 0].mean() < -1
    free = prior.sample(net, torch.zeros(200, 8), 0.0, generator, steps=8)[:, 0]
    assert 0.2 < (free > 0).float().mean() < 0.8  # without a feature, both


def test_draws_repeat_with_their_numbers_and_differ_among_themselves(bridge, parts):
    first, again = (bridge.draw(parts.held.e[:2], 3, torch.Generator().manual_seed(2), steps=3) for _ in range(2))
    assert torch.equal(first, again) and not torch.allclose(first[:, 0], first[:, 1])


def test_every_phase_changes_only_its_own_part(parts):
    for name, mine in (("network", "residual"), ("picture", "residual"), ("prior", "prior")):
        net = recipe.build(parts, small_config())
        loss, _ = recipe.begin(parts, net, Phase(name, steps=1, lr=1e-3, seed=1, batch=8), {})(0, step_generator(1, 0))
        loss.backward()
        reached = {n.split(".")[0] for n, p in net.named_parameters() if p.grad is not None}
        assert reached == {mine}


def test_the_true_code_costs_nothing_and_another_one_does(parts):
    net = recipe.build(parts, small_config())
    a = net.white(parts.train.w[:4])
    w = net.white.back(a)
    pairs = Pairs(w, features(parts.clip, parts.drawn(w)))
    costs = {}
    for name, guess in {"true": a, "other": a.roll(1, 0)}.items():
        object.__setattr__(net, "network", lambda e, guess=guess: guess)
        costs[name] = recipe._picture(parts, net, a, pairs)[1]
    assert max(costs["true"].values()) < 1e-5
    assert all(costs["other"][term] > 100 * max(costs["true"][term], 1e-9) for term in recipe.WEIGHTS)


def test_the_recipe_trains_checks_and_saves(parts, tmp_path, monkeypatch):
    monkeypatch.setattr(recipe, "gather", lambda cache, chunks: parts)
    path = recipe.RECIPE.train(tmp_path, steps=2)
    net = load_bridge(path)
    assert net.config.embed_dim == 24 and not any(p.requires_grad for p in net.parameters())
    assert (tmp_path / "bridge" / "card.json").is_file()


def test_a_saved_bridge_answers_as_before(bridge, parts, tmp_path):
    save_bridge(tmp_path / "b.safetensors", bridge)
    assert torch.equal(load_bridge(tmp_path / "b.safetensors").w(parts.held.e), bridge.w(parts.held.e))


def test_refinement_comes_nearer_to_the_feature_and_a_pull_holds_it(bridge, parts):
    e, start = parts.held.e[:3], bridge.w(parts.held.e[:3], "ridge")

    def alike(w):
        return float((features(parts.clip, pictures(parts.generator, w)) * e).sum(1).mean())

    models = parts.generator, parts.clip, bridge.white
    free, held = (refine(start, e, *models, RefineSettings(steps=15, pull=pull)) for pull in (0.0, 50.0))
    assert alike(free) > alike(start)
    assert (held - start).norm() < 0.5 * (free - start).norm()
    assert torch.equal(refine(start, e, *models, RefineSettings(steps=0)), start)


def test_no_weight_of_the_report_moves_farther_than_rate_times_steps():
    generator, clip = small_generator(), LinearClip()
    image = pictures(generator, codes(generator.mapping, 1, 9))
    done = train_report(image, features(clip, image), generator, ReportSettings(steps=8))
    assert 0 < done.moved < 1.2 * 8e-5 and len(done.losses) == 8


def test_one_photo_teaches_the_report_a_constant():
    generator, clip = small_generator(), LinearClip()
    images = pictures(generator, codes(generator.mapping, 2, 9))
    e = features(clip, images)
    fast = train_report(images[:1], e[:1], generator, ReportSettings(steps=60, rate=1e-3, noise_mode="none"))
    with torch.no_grad():
        mine, other = generator(fast.net(e), noise_mode="none").split(1)
    assert fast.losses[-1] < 0.5 * fast.losses[0]
    assert (mine - other).square().mean() < 0.5 * (mine - images[1:]).square().mean()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda net, p: net.w(torch.zeros(2, 7)), "CLIP features of width 24; got 7"),
        (lambda net, p: net.w(p.held.e, "prior"), "ridge or network"),
        (lambda net, p: net.draw(p.held.e, 1, torch.Generator(), amount=3.0), "blur from 0 to 1.2"),
        (lambda net, p: nearest(p.train, torch.zeros(1, 5)), "features of one CLIP"),
        (lambda net, p: refine(p.held.w[:2], p.held.e[:1], p.generator, p.clip, net.white), "one start a feature"),
        (lambda net, p: train_report(torch.zeros(1, 3, 8, 8), p.held.e[:1], p.generator), "one photo"),
        (lambda net, p: Pairs(p.held.w, p.held.e[:3]), "of one N"),
        (lambda net, p: Whitening(8, 9), "keeps 1 to 8"),
        (lambda net, p: Whitening(8, 2).fit(torch.zeros(9, 8)), "at least twice"),
        (lambda net, p: BridgeConfig(kept=600), "kept at most w_dim"),
        (lambda net, p: best_ridge(p.held.e, p.held.w, p.held.e, p.held.w, ()), "at least one strength"),
        (lambda net, p: Centre(4)(torch.zeros(2, 3)), "width 4"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(call, words, bridge, parts):
    with pytest.raises(UserError, match=words):
        call(bridge, parts)


def test_a_bridge_starts_from_its_seed_and_leaves_the_global_state():
    state = torch.random.get_rng_state()
    a, b, c = (Bridge(small_config(), seed=s).state_dict()["prior.enter.weight"] for s in (1, 1, 2))
    assert torch.equal(a, b) and not torch.equal(a, c) and torch.equal(state, torch.random.get_rng_state())
