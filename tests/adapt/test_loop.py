"""One step against a slow, obvious one; then the promises of the loop: same bytes, resume, averages, plugs."""

import copy
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from iplkit.adapt import AdaptSettings, adapt
from iplkit.adapt.anchors import image_anchor, mean_anchor
from iplkit.adapt.directions import averaged_direction
from iplkit.adapt.draws import draw
from iplkit.adapt.look import Look
from iplkit.adapt.loop import Plugs, run_loop
from iplkit.adapt.regularizers import keep_differences, keep_weights
from iplkit.adapt.selectors import Selector, all_layers, make_selector
from iplkit.errors import UserError

TEMPLATES = ("a photo of a {}.", "a sketch of the {}")


def state(module):
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


def nada_plugs(generator_source, clip, settings, seed=0, **changes):
    look = Look(clip, settings, seed)
    plugs = dict(
        direction=averaged_direction(clip, "photo", "sketch", TEMPLATES),
        anchor=image_anchor(look, generator_source),
        selector=make_selector(clip, "sketch", settings, seed),
    )
    return look, Plugs(**(plugs | changes))


def slow_step(source, clip, settings, seed):
    """The definition: choose rows by one SGD step on w, then one Adam step on the layers of these rows."""
    text = lambda s: F.normalize(clip.encode_text(clip.tokenize([s])), dim=-1)  # noqa: E731
    deltas = [text(t.format("sketch")) - text(t.format("photo")) for t in TEMPLATES]
    delta_text = F.normalize(sum(deltas) / len(deltas), dim=-1)

    z = torch.randn(settings.select_batch, 32, generator=draw(seed, "selection", 0))
    ws = source.mapping(z).requires_grad_(True)
    caption = clip.encode_text(clip.tokenize(["a photo of a sketch"]))
    (1 - F.cosine_similarity(clip.encode_image(source.synthesis(ws, noise_mode="const")), caption)).mean().backward()
    rows = ws.grad.abs().mean(dim=(0, 2)).topk(4).indices.tolist()

    target = copy.deepcopy(source)
    drives = {row: [] for row in range(6)}
    for name, row in target.synthesis.rows.items():
        drives[row].append(name)
    chosen = [p for row in rows for name in drives[row] for p in target.synthesis.layers[name].parameters()]
    for p in chosen:
        p.requires_grad_(True)
    optimizer = torch.optim.Adam(chosen, lr=settings.lr, betas=(0.0, settings.beta2))
    total = 0
    zs, noise_source, noise_target = draw(seed, "z", 0), draw(seed, "noise of source", 0), draw(seed, "noise of target", 0)
    ws = source.mapping(torch.randn(settings.batch, 32, generator=zs))
    before = source.synthesis(ws, noise_mode="random", generator=noise_source)
    after = target.synthesis(ws, noise_mode="random", generator=noise_target)
    for i in range(settings.batch):  # one image at a time
        a, b = (F.normalize(clip.encode_image(x[i : i + 1]), dim=-1) for x in (before, after))
        assert (b - a).norm() > settings.floor
        total = total + 1 - F.cosine_similarity(b - a, delta_text)
    loss = total.mean() / settings.batch
    loss.backward()
    optimizer.step()
    return target, loss.detach(), tuple(sorted(rows))


def test_one_step_is_the_obvious_step(tiny_generator, tiny_clip, short):
    settings = replace(short, steps=1, views=0, noise="independent", floor=1e-4, ema=0.0)
    look, plugs = nada_plugs(tiny_generator, tiny_clip, settings)
    got, log = run_loop(tiny_generator, look, plugs, settings, seed=0, progress=False)
    wanted, loss, rows = slow_step(tiny_generator, tiny_clip, settings, seed=0)
    assert tuple(log[0]["rows"]) == rows
    assert_close(torch.tensor(log[0]["loss"]), loss, atol=1e-5, rtol=1e-5)
    moved = 0
    for new, old, reference in zip(got.parameters(), tiny_generator.parameters(), wanted.parameters(), strict=True):
        # Adam's first step is lr * sign(gradient): where a gradient is rounding noise its sign is free
        agree = ((new - reference).abs() <= 1e-5).float().mean()
        assert agree > 0.99
        moved += int(not torch.equal(new, old))
    assert 0 < moved < len(list(got.synthesis.parameters()))


@pytest.mark.parametrize("method", ["nada", "ipl"])
def test_two_runs_give_the_same_bytes(tiny_generator, tiny_clip, short, method):
    a, b = (adapt(tiny_generator, tiny_clip, method, "photo", "sketch", short, seed=3, progress=False) for _ in range(2))
    assert same(a.generator, b.generator)
    assert [row["loss"] for row in a.log] == [row["loss"] for row in b.log]


def test_another_seed_is_another_run(tiny_generator, tiny_clip, short):
    a, b = (adapt(tiny_generator, tiny_clip, "nada", "photo", "sketch", short, seed=s, progress=False) for s in (0, 1))
    assert not same(a.generator, b.generator)


@pytest.mark.parametrize("method", ["nada", "ipl"])
def test_the_source_and_clip_are_not_touched(tiny_generator, tiny_clip, short, method):
    before, clip_before = state(tiny_generator), state(tiny_clip)
    adapt(tiny_generator, tiny_clip, method, "photo", "sketch", short, progress=False)
    assert all(torch.equal(before[n], t) for n, t in tiny_generator.state_dict().items())
    assert all(torch.equal(clip_before[n], t) for n, t in tiny_clip.state_dict().items())
    assert all(p.grad is None for p in (*tiny_generator.parameters(), *tiny_clip.parameters()))


@pytest.mark.parametrize("stop", [2, 3])
def test_a_resumed_run_is_the_uninterrupted_one(tiny_generator, tiny_clip, short, tmp_path, stop, monkeypatch):
    whole = adapt(tiny_generator, tiny_clip, "ipl", "photo", "sketch", short, progress=False)
    import iplkit.adapt.loop as loop

    step_loss = loop.step_loss

    def interrupted(*args):
        if args[-1] == stop:
            raise KeyboardInterrupt
        return step_loss(*args)

    monkeypatch.setattr(loop, "step_loss", interrupted)
    with pytest.raises(KeyboardInterrupt):
        adapt(tiny_generator, tiny_clip, "ipl", "photo", "sketch", short, resume_dir=tmp_path, progress=False)
    steps = []
    monkeypatch.setattr(loop, "step_loss", lambda *args: steps.append(args[-1]) or step_loss(*args))
    again = adapt(tiny_generator, tiny_clip, "ipl", "photo", "sketch", short, resume_dir=tmp_path, progress=False)
    assert steps == list(range(stop, 4))  # what was done is not done again
    assert same(again.generator, whole.generator)
    assert [row["loss"] for row in again.log] == [row["loss"] for row in whole.log]


def test_a_folder_of_another_run_is_refused(tiny_generator, tiny_clip, short, tmp_path):
    adapt(tiny_generator, tiny_clip, "nada", "photo", "sketch", short, resume_dir=tmp_path, progress=False)
    with pytest.raises(UserError, match="checkpoint of this run"):
        adapt(tiny_generator, tiny_clip, "nada", "photo", "statue", short, resume_dir=tmp_path, progress=False)


@pytest.mark.parametrize("damage", [b"", b"not json", b"{}"])
def test_a_damaged_checkpoint_page_is_refused(tiny_generator, tiny_clip, short, tmp_path, damage):
    adapt(tiny_generator, tiny_clip, "nada", "photo", "sketch", short, resume_dir=tmp_path, progress=False)
    (tmp_path / "checkpoint.json").write_bytes(damage)
    with pytest.raises(UserError, match="it is damaged"):
        adapt(tiny_generator, tiny_clip, "nada", "photo", "sketch", short, resume_dir=tmp_path, progress=False)


def test_the_result_is_the_running_average(tiny_generator, tiny_clip, short):
    settings = replace(short, steps=1, ema=0.75)
    raw = adapt(tiny_generator, tiny_clip, "nada", "photo", "sketch", replace(settings, ema=0.0), progress=False).generator
    averaged = adapt(tiny_generator, tiny_clip, "nada", "photo", "sketch", settings, progress=False).generator
    for old, new, mean in zip(tiny_generator.parameters(), raw.parameters(), averaged.parameters(), strict=True):
        assert_close(mean, 0.75 * old + 0.25 * new, atol=1e-6, rtol=0)


def test_methods_are_averaged_alike_unless_the_quirk_says_otherwise(tiny_generator, tiny_clip, short):
    def moved(method, *quirks):
        settings = replace(short, steps=1, ema=0.9, quirks=quirks)
        result = adapt(tiny_generator, tiny_clip, method, "photo", "sketch", settings, progress=False).generator
        changes = [(a - b).abs().max() for a, b in zip(result.parameters(), tiny_generator.parameters(), strict=True)]
        return float(max(changes)) / settings.lr  # Adam's first step is lr long; 10 % of it is left in the average

    assert_close(moved("nada"), 0.1, atol=1e-2, rtol=0)
    assert_close(moved("ipl"), 0.1, atol=1e-2, rtol=0)
    assert_close(moved("nada", "ema_ipl_only"), 1.0, atol=1e-2, rtol=0)
    assert_close(moved("ipl", "ema_ipl_only"), 0.1, atol=1e-2, rtol=0)


def test_paired_noise_starts_from_exactly_equal_images_and_still_moves(tiny_generator, tiny_clip, short):
    log = adapt(tiny_generator, tiny_clip, "nada", "photo", "sketch", short, progress=False).log
    assert log[0]["moved"] == 0 and log[0]["loss"] == 1
    assert log[-1]["moved"] > 0 and log[-1]["loss"] < 1


def test_independent_noise_differs_from_the_first_step(tiny_generator, tiny_clip, short):
    settings = replace(short, noise="independent")
    assert adapt(tiny_generator, tiny_clip, "nada", "photo", "sketch", settings, progress=False).log[0]["moved"] > 0


def test_layers_that_were_not_chosen_stay_as_they_are(tiny_generator, tiny_clip, short):
    settings = replace(short, rows_share=1 / 6, select_every=10)
    result = adapt(tiny_generator, tiny_clip, "nada", "photo", "sketch", settings, progress=False)
    (row,) = result.log[0]["rows"]
    mine = [name for name, r in tiny_generator.synthesis.rows.items() if r == row]
    for name, new in result.generator.state_dict().items():
        chosen = any(f"synthesis.layers.{layer}." in name for layer in mine)
        assert chosen or torch.equal(new, tiny_generator.state_dict()[name]), name


@pytest.mark.parametrize("rows", [(0, 0, 0, 0), (0, 1, 0, 1)])
def test_adam_ages_unchosen_layers_only_as_a_quirk(tiny_generator, tiny_clip, short, rows):
    def run(*quirks):
        settings = replace(short, quirks=quirks)
        by_row = make_selector(tiny_clip, "sketch", replace(settings, selector="adaptive"), 0).parameters
        selector = Selector(every=1, choose=lambda generator, step: (rows[step],), parameters=by_row)
        look, plugs = nada_plugs(tiny_generator, tiny_clip, settings, selector=selector)
        return run_loop(tiny_generator, look, plugs, settings, seed=0, progress=False)[0]

    assert same(run(), run("adam_ages_unchosen")) == (len(set(rows)) == 1)  # it shows when a layer comes back


@pytest.mark.parametrize("plug", ["anchor", "selector", "regularizers", "loss"])
def test_each_plug_can_be_swapped_alone(tiny_generator, tiny_clip, short, plug):
    settings = replace(short, steps=2)
    look, plugs = nada_plugs(tiny_generator, tiny_clip, settings)
    other = dict(
        anchor=mean_anchor(look, tiny_generator),
        selector=all_layers(),
        regularizers=(keep_differences(10.0), keep_weights(1.0)),
        loss=lambda delta_image, delta_text: (delta_image - delta_text).square().sum(-1).mean(),
    )
    _, changed = nada_plugs(tiny_generator, tiny_clip, settings, **{plug: other[plug]})
    a, b = (run_loop(tiny_generator, look, p, settings, seed=0, progress=False)[0] for p in (plugs, changed))
    assert not same(a, b)


def test_bfloat16_takes_the_same_road(tiny_generator, tiny_clip, short):
    exact, rough = (
        adapt(tiny_generator, tiny_clip, "nada", "photo", "sketch", replace(short, noise="independent", precision=p), progress=False)
        for p in ("float32", "bfloat16")
    )
    assert abs(exact.log[0]["loss"] - rough.log[0]["loss"]) < 0.1
    assert AdaptSettings().precision == "float32"
