"""A run that stops in its first stage, or after it, finds its mapper again and ends with the same bytes."""

from dataclasses import replace

import pytest
import torch

import iplkit.adapt.stage1 as stage1
from iplkit.adapt import adapt
from iplkit.adapt.mapper_checkpoint import MapperCheckpoint
from iplkit.adapt.stage1 import latent_pool, make_context, train_mapper
from iplkit.clip.prompts import template_anchor
from iplkit.clip.transformer_mapper import TransformerMapper
from iplkit.errors import UserError


@pytest.fixture
def settings(short):
    return replace(short, mapper_steps=7, steps=3, save_every=2)


@pytest.fixture
def counted(monkeypatch):
    """Counts the losses of stage 1, and stops at a given one."""

    class Counted:
        calls, stop = 0, None

    real = stage1.ipl_stage1_loss

    def loss(*args, **kw):
        Counted.calls += 1
        if Counted.calls == Counted.stop:
            raise KeyboardInterrupt
        return real(*args, **kw)

    monkeypatch.setattr(stage1, "ipl_stage1_loss", loss)
    return Counted


def equal(a, b):
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


def rows(log):
    return [{name: value for name, value in row.items() if name != "seconds"} for row in log]


def same(a, b):
    return equal(a.generator, b.generator) and equal(a.mapper, b.mapper) and rows(a.mapper_log) == rows(b.mapper_log) and rows(a.log) == rows(b.log)


@pytest.mark.parametrize("method", ["ipl", "ipl_star"])
@pytest.mark.parametrize("stop", [2, 3, 6, 7])
def test_a_first_stage_that_was_stopped_goes_on_where_it_was_written(tiny_generator, tiny_clip, settings, tmp_path, counted, method, stop):
    run = lambda folder: adapt(tiny_generator, tiny_clip, method, "photo", "sketch", settings, seed=1, resume_dir=folder, progress=False)  # noqa: E731
    whole = run(tmp_path / "whole")
    counted.calls, counted.stop = 0, stop
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "stopped")
    counted.calls, counted.stop = 0, None
    again = run(tmp_path / "stopped")
    assert counted.calls == 7 - (stop - 1) // 2 * 2  # every other step is written
    assert same(again, whole)
    assert again.mapper.made_for == whole.mapper.made_for and not again.mapper.training


@pytest.mark.parametrize("method", ["ipl", "ipl_star"])
def test_a_second_stage_that_was_stopped_finds_its_mapper(tiny_generator, tiny_clip, settings, tmp_path, counted, monkeypatch, method):
    import iplkit.adapt.loop as loop

    run = lambda folder: adapt(tiny_generator, tiny_clip, method, "photo", "sketch", settings, seed=1, resume_dir=folder, progress=False)  # noqa: E731
    whole, step_loss = run(tmp_path / "whole"), loop.step_loss
    monkeypatch.setattr(loop, "step_loss", lambda *a: step_loss(*a) if a[-1] < 1 else (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "stopped")
    monkeypatch.setattr(loop, "step_loss", step_loss)
    counted.calls = 0
    assert same(run(tmp_path / "stopped"), whole)
    assert counted.calls == 0


def test_each_clip_keeps_its_own_mapper(tiny_generator, tiny_clip, settings, tmp_path, counted):
    settings = replace(settings, clip_weights=(1.0, 0.5))
    run = lambda: adapt(tiny_generator, [tiny_clip, tiny_clip], "ipl", "photo", "sketch", settings, resume_dir=tmp_path, progress=False)  # noqa: E731
    first = run()
    assert counted.calls == 14 and sorted(p.name for p in tmp_path.glob("mapper*")) == ["mapper-0.safetensors", "mapper-1.safetensors"]
    assert same(run(), first) and counted.calls == 14


def test_a_mapper_with_dropout_goes_on_too(tiny_generator, tiny_clip, settings, tmp_path, counted):
    context = make_context(tiny_clip, "photo", "sketch", settings)
    pool = latent_pool(tiny_generator, tiny_clip, 8, seed=0)
    anchors = tuple(template_anchor(tiny_clip, word, ("a {}.",)) for word in ("photo", "sketch"))

    def train(keep):
        mapper = TransformerMapper(width=64, n_ctx=4, w_dim=512, seed=0)
        return train_mapper(tiny_clip, context, pool, anchors, settings, 0, progress=False, mapper=mapper, keep=keep)

    keep = MapperCheckpoint(tmp_path / "mapper.safetensors", "a run", 2)
    whole, _ = train(None)
    counted.calls, counted.stop = 0, 6
    with pytest.raises(KeyboardInterrupt):
        train(keep)
    counted.stop = None
    again, log = train(keep)
    assert equal(again, whole) and [row["step"] for row in log] == [1, 2, 3, 4, 5, 6, 7]


def test_another_runs_mapper_is_not_taken(tiny_generator, tiny_clip, settings, tmp_path, counted):
    run = lambda seed, folder: adapt(tiny_generator, tiny_clip, "ipl", "photo", "sketch", settings, seed=seed, resume_dir=folder, progress=False)  # noqa: E731
    wanted = run(2, tmp_path / "two")
    run(1, tmp_path / "one")
    (tmp_path / "one" / "checkpoint.json").unlink()  # as if it was killed before the second stage
    counted.calls = 0
    assert same(run(2, tmp_path / "one"), wanted) and counted.calls == 7


def test_another_runs_folder_is_refused_before_the_first_stage(tiny_generator, tiny_clip, settings, tmp_path, counted):
    run = lambda seed: adapt(tiny_generator, tiny_clip, "ipl", "photo", "sketch", settings, seed=seed, resume_dir=tmp_path, progress=False)  # noqa: E731
    run(1)
    counted.calls = 0
    with pytest.raises(UserError, match="needs to hold a checkpoint of this run"):
        run(2)
    assert counted.calls == 0


def test_half_a_file_of_a_killed_write_is_removed_and_a_damaged_one_is_refused(tiny_generator, tiny_clip, settings, tmp_path):
    run = lambda: adapt(tiny_generator, tiny_clip, "ipl", "photo", "sketch", settings, resume_dir=tmp_path, progress=False)  # noqa: E731
    run()
    half = tmp_path / ".mapper-0.0123abcd.safetensors"
    half.write_bytes(b"half")
    run()
    assert not half.exists()
    (tmp_path / "mapper-0.safetensors").write_bytes((tmp_path / "mapper-0.safetensors").read_bytes()[:-9])
    with pytest.raises(UserError, match="cut short or damaged"):
        run()
