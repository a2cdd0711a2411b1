"""What the loop can do beside one CLIP and one term: more CLIPs, further terms, mixing, and a stop at NaN."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from iplkit.adapt import AdaptSettings, adapt
from iplkit.adapt.draws import draw
from iplkit.adapt.look import Look
from iplkit.adapt.loop import Eye, see
from iplkit.adapt.regularizers import Step
from iplkit.adapt.samples import mixed_ws, sample_ws
from iplkit.adapt.stop import NotFinite
from iplkit.adapt.task import Task
from iplkit.adapt.terms import PARTS, crops, global_term, manifold_term, patch_term
from iplkit.clip.model import Clip, ClipConfig, build_world_clip, freeze
from iplkit.errors import UserError

TEMPLATES = ("a photo of a {}.", "a sketch of the {}")


@pytest.fixture(scope="module")
def other_clip():
    """Another width of everything: nothing of the first CLIP would fit into it."""
    sizes = dict(image_size=16, patch_size=8, vision_width=64, vision_layers=1, text_width=64, text_layers=1, text_heads=1)
    return freeze(build_world_clip(ClipConfig(**sizes, embed_dim=20), seed=2))


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


def run(generator, clip, settings, method="nada", **options):
    return adapt(generator, clip, method, "photo", "sketch", settings, progress=False, **options)


def facts_of(generator, clip, settings, generator_draws):
    """A task, and a step whose adapted images are other images."""
    look = Look(clip, settings, 0)
    task = Task(generator, clip, "photo", "sketch", settings, 0, look, TEMPLATES)
    ws = sample_ws(generator, 3, draw(0, "z"))
    images = torch.rand(3, 3, 16, 16, generator=generator_draws) * 2 - 1
    source = look.encode(look.draw_images(generator, ws, 0, "source"), 0)
    return task, Step(ws, source, look.encode(images, 0), generator, generator, images, look, 0)


def text(clip, sentence):
    return F.normalize(clip.encode_text(clip.tokenize([sentence])), dim=-1)


# further terms


def test_the_global_term_is_the_distance_to_the_target_sentence(tiny_generator, tiny_clip, short, generator):
    task, step = facts_of(tiny_generator, tiny_clip, replace(short, views=0), generator)
    cosines = [1 - float(F.normalize(f, dim=-1) @ text(tiny_clip, "a sketch")[0]) for f in step.image_target]
    assert_close(float(global_term(task, 2.0)(step)), 2 * sum(cosines) / 3, atol=1e-5, rtol=0)


def test_the_manifold_term_compares_two_angles(tiny_generator, tiny_clip, short, generator):
    task, step = facts_of(tiny_generator, tiny_clip, replace(short, views=0), generator)
    centers = [sum(text(tiny_clip, t.format(word)) for t in TEMPLATES) for word in ("photo", "sketch")]
    wanted = float(F.cosine_similarity(*centers))
    total = 0
    for a in step.image_source:
        for b in step.image_target:
            total += abs(float(F.cosine_similarity(a, b, dim=0)) - wanted)
    assert_close(float(manifold_term(task, 0.5)(step)), 0.5 * total / 9, atol=1e-5, rtol=0)


def test_the_patch_term_is_the_slow_sum_over_parts(tiny_generator, tiny_clip, short, generator):
    settings = replace(short, views=0, patches=2, floor=1e-4)
    task, step = facts_of(tiny_generator, tiny_clip, settings, generator)
    before, after = (
        tiny_clip.encode_image(crops(images, settings.patch_share, 2, draw(0, "patches", 0)))
        for images in (step.images_source, step.images_target)
    )
    total = 0
    for a, b in zip(before, after, strict=True):
        delta = F.normalize(F.normalize(b, dim=-1) - F.normalize(a, dim=-1), dim=-1)
        cosines = []
        for part in PARTS:
            moves = [text(tiny_clip, t.format(part.format("sketch"))) - text(tiny_clip, t.format(part.format("photo"))) for t in TEMPLATES]
            cosines.append(float(F.cosine_similarity(delta, sum(moves)[0], dim=0)))
        shares = torch.tensor(cosines).softmax(0)
        total += float(((1 - torch.tensor(cosines)) * shares).mean())
    assert_close(float(patch_term(task, 3.0)(step)), 3 * total / 6, atol=1e-4, rtol=0)


@pytest.mark.parametrize("share", [510 / 1024, 1.0, 0.01])
def test_patches_lie_inside_and_at_equal_places_of_both_images(generator, share):
    images = torch.rand(2, 3, 16, 16, generator=generator)
    a, b = (crops(x, share, 3, draw(0, "patches", 7)) for x in (images, images + 1))
    assert a.shape == (6, 3, max(1, round(share * 16)), max(1, round(share * 16)))
    assert_close(a + 1, b)


@pytest.mark.parametrize("term", ["lambda_global", "lambda_patch", "lambda_manifold"])
def test_each_term_works_in_the_loop_and_changes_the_result(tiny_generator, tiny_clip, short, term):
    settings = replace(short, steps=2)
    plain, changed = (run(tiny_generator, tiny_clip, s).generator for s in (settings, replace(settings, **{term: 1.0})))
    assert not same(plain, changed)


def test_parts_need_a_clip_that_knows_one(tiny_generator, tiny_clip, short):
    clip = Clip(tiny_clip.model, tiny_clip.config, words=["photo", "sketch", "a", "of"])
    with pytest.raises(UserError, match="at least one part of a face"):
        run(tiny_generator, clip, replace(short, lambda_patch=1.0))


def test_the_weight_of_the_direction_scales_the_loss(tiny_generator, tiny_clip, short):
    one, half = (run(tiny_generator, tiny_clip, replace(short, steps=1, lambda_direction=x)).log[0]["loss"] for x in (1.0, 0.5))
    assert half == one / 2


# several CLIPs


@pytest.mark.parametrize("method", ["nada", "ipl"])
def test_two_clips_add_their_losses_with_their_weights(tiny_generator, tiny_clip, other_clip, short, method):
    settings = replace(short, steps=1, noise="independent", selector="all")
    first, second = (run(tiny_generator, clip, settings, method).log[0]["loss"] for clip in (tiny_clip, other_clip))
    both = run(tiny_generator, [tiny_clip, other_clip], replace(settings, clip_weights=(1.0, 0.25)), method).log[0]["loss"]
    assert_close(both, first + 0.25 * second, atol=1e-5, rtol=0)


def test_a_clip_of_weight_0_changes_nothing(tiny_generator, tiny_clip, other_clip, short):
    alone = run(tiny_generator, tiny_clip, short).generator
    beside = run(tiny_generator, [tiny_clip, other_clip], replace(short, clip_weights=(1.0, 0.0))).generator
    assert same(alone, beside)


def test_every_clip_needs_a_weight(tiny_generator, tiny_clip, other_clip, short):
    with pytest.raises(UserError, match="clip_weights needs one weight for each CLIP; got 1 for 2"):
        run(tiny_generator, [tiny_clip, other_clip], short)


# style mixing


def test_mixing_keeps_the_first_row_and_is_the_same_for_both_sides(tiny_generator):
    settings, ws = AdaptSettings(mixing=1.0), sample_ws(tiny_generator, 2, draw(0, "z"))
    for step in range(8):
        source, target = (mixed_ws(tiny_generator, ws, settings, 0, step, side) for side in ("source", "target"))
        kept = [bool(torch.equal(source[:, row], ws[:, row])) for row in range(6)]
        assert kept[0] and not kept[5] and kept == sorted(kept, reverse=True)
        assert torch.equal(source, target)


def test_the_quirk_changes_over_at_another_row(tiny_generator):
    settings, ws = AdaptSettings(mixing=1.0, quirks={"mixing_unpaired"}), sample_ws(tiny_generator, 2, draw(0, "z"))
    pairs = [[mixed_ws(tiny_generator, ws, settings, 0, step, side) for side in ("source", "target")] for step in range(8)]
    assert any(not torch.equal(a, b) for a, b in pairs)


def test_the_quirk_puts_the_mixture_into_the_image_direction(tiny_generator, tiny_clip, short):
    settings = replace(short, mixing=1.0)
    paired, unpaired = (run(tiny_generator, tiny_clip, replace(settings, quirks=q)).log for q in ((), ("mixing_unpaired",)))
    assert paired[0]["moved"] == 0  # equal generators, equal latents
    assert [row["loss"] for row in paired] != [row["loss"] for row in unpaired]


def test_mixing_happens_as_often_as_asked(tiny_generator):
    ws = sample_ws(tiny_generator, 1, draw(0, "z"))
    count = lambda share: sum(mixed_ws(tiny_generator, ws, AdaptSettings(mixing=share), 0, s) is not ws for s in range(100))  # noqa: E731
    assert count(0.0) == 0 and 20 < count(0.4) < 60 and count(1.0) == 100


# quirks of stage 2


def test_without_the_guard_the_first_blow_stops_the_run_from_moving(tiny_generator, tiny_clip, short):
    moved = lambda *quirks: run(tiny_generator, tiny_clip, replace(short, steps=8, ema=0.0, selector="all", quirks=quirks)).log[-1]["moved"]  # noqa: E731
    assert moved("no_guard") < 0.5 * moved()  # Adam remembers the square of an endless gradient


@pytest.fixture
def blows(monkeypatch):
    """The largest gradient of every update."""
    seen, plain = [], torch.optim.Adam.step

    def step(self, *args, **options):
        seen.append(max(float(p.grad.abs().max()) for group in self.param_groups for p in group["params"] if p.grad is not None))
        return plain(self, *args, **options)

    monkeypatch.setattr(torch.optim.Adam, "step", step)
    return seen


def test_equal_images_shown_again_escape_the_endless_gradient_but_not_a_large_one(tiny_generator, tiny_clip, short, blows):
    settings = replace(short, steps=2, views=0, ema=0.0, selector="all")
    logs = [run(tiny_generator, tiny_clip, replace(settings, quirks=q)).log for q in (["no_guard"], ["no_guard", "reencode_equal"], [])]
    endless, _, large, _, usual, _ = blows
    assert endless > 1e4 * large > 1e4 * 1e3 * usual
    assert logs[0][0]["loss"] == logs[2][0]["loss"] == 1 != logs[1][0]["loss"]  # only the second has a direction on its first step


def test_equal_images_are_shown_again_plus_a_millionth_and_others_are_not(tiny_generator, tiny_clip, short):
    settings = replace(short, noise="none", views=0, quirks=["reencode_equal"])
    look, ws = Look(tiny_clip, settings, 0), sample_ws(tiny_generator, 2, draw(0, "z"))
    eye = Eye(look, SimpleNamespace(anchor=lambda ws, step: look(tiny_generator, ws, step, "source")))
    images = look.draw_images(tiny_generator, ws, 0, "target")
    assert torch.equal(see(eye, tiny_generator, tiny_generator, ws, images, 0).image_target, look.encode(images + 1e-6, 0))
    other = images * 0.9
    assert torch.equal(see(eye, tiny_generator, tiny_generator, ws, other, 0).image_target, look.encode(other, 0))


def test_with_noise_of_its_own_for_each_generator_showing_again_does_nothing(tiny_generator, tiny_clip, short):
    settings = replace(short, noise="independent")
    assert same(*(run(tiny_generator, tiny_clip, replace(settings, quirks=q)).generator for q in ([], ["reencode_equal"])))


def test_without_the_class_both_base_sentences_are_one_and_directions_change(tiny_generator, tiny_clip, short):
    losses = lambda *quirks: [r["loss"] for r in run(tiny_generator, tiny_clip, replace(short, steps=2, quirks=quirks), "ipl").log]  # noqa: E731
    assert losses("base_without_class")[1] != losses()[1] != losses("base_full_stop")[1]


# the end of numbers


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good_state(tiny_generator, tiny_clip, short, tmp_path, monkeypatch, value):
    good = run(tiny_generator, tiny_clip, replace(short, steps=3)).generator
    real = Look.draw_images
    monkeypatch.setattr(Look, "draw_images", lambda self, g, ws, step, side: real(self, g, ws, step, side) * (value if side == "target" and step >= 3 else 1))
    with pytest.raises(NotFinite, match="step 4 needs a finite loss, but the loss is nan because an adapted image") as stop:
        run(tiny_generator, tiny_clip, short, resume_dir=tmp_path)
    assert stop.value.step == 4 and len(stop.value.log) == 3
    assert same(stop.value.generator, good)
    monkeypatch.setattr(Look, "draw_images", real)
    assert len(run(tiny_generator, tiny_clip, short, resume_dir=tmp_path).log) == 4  # goes on from step 3


def test_an_endless_gradient_stops_before_adam_sees_it(tiny_generator, tiny_clip, short, monkeypatch):
    class Blow(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, gradient):
            return gradient * float("inf")

    real = Look.draw_images
    monkeypatch.setattr(Look, "draw_images", lambda self, g, ws, step, side: Blow.apply(real(self, g, ws, step, side)) if side == "target" and step == 1 else real(self, g, ws, step, side))
    with pytest.raises(NotFinite, match="step 2 needs a finite loss, but the gradient of .* is not finite though the loss is") as stop:
        run(tiny_generator, tiny_clip, short)
    assert all(torch.isfinite(t).all() for t in stop.value.generator.state_dict().values())
