"""The source side of a run is computed once a seed, and comes out the same."""

import pytest
import torch

from iplkit.adapt import adapt
from iplkit.adapt.anchor_memory import memory_path
from iplkit.adapt.look import Look


def weights(result):
    return torch.cat([p.flatten() for p in result.generator.parameters()])


def test_a_run_that_reads_the_source_side_ends_with_the_same_bytes(tiny_generator, tiny_clip, short, tmp_path, monkeypatch):
    plain = adapt(tiny_generator, tiny_clip, "nada", "photo", "sketch", short, progress=False)
    first = adapt(tiny_generator, tiny_clip, "nada", "photo", "statue", short, progress=False, cache_dir=tmp_path)
    assert len(list(tmp_path.glob("anchors-*.safetensors"))) == 1
    monkeypatch.setattr(Look, "__call__", lambda *_, **__: pytest.fail("the source side was computed again"))
    again = adapt(tiny_generator, tiny_clip, "nada", "photo", "sketch", short, progress=False, cache_dir=tmp_path)
    assert torch.equal(weights(plain), weights(again))
    assert not torch.equal(weights(first), weights(again))


def test_another_seed_or_another_way_of_looking_has_a_file_of_its_own(tiny_generator, tiny_clip, short, tmp_path):
    from dataclasses import replace

    def path(settings, seed):
        return memory_path(tmp_path, tiny_generator, Look(tiny_clip, settings, seed))

    changed = [replace(short, views=short.views + 1), replace(short, noise="none"), replace(short, steps=short.steps + 1), replace(short, mixing=0.5)]
    names = {path(short, 0), path(short, 1), *(path(settings, 0) for settings in changed)}
    assert len(names) == 6
    assert path(replace(short, lr=0.5), 0) == path(short, 0), "the learning rate says nothing about the source"


def test_without_a_folder_nothing_is_kept(tiny_generator, tiny_clip, short):
    assert memory_path(None, tiny_generator, Look(tiny_clip, short, 0)) is None
