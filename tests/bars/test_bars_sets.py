import torch

from iplkit.bars.sets import Scale, people, renders, samples


def test_same_seed_same_bytes_and_other_purpose_other_people(scale, models):
    for make in (lambda: renders(scale, "a"), lambda: samples(scale, models["generator"])):
        once, again = torch.cat(list(make())), torch.cat(list(make()))
        assert once.dtype == torch.uint8 and once.shape == (12, 3, 32, 32)
        assert torch.equal(once, again)
    assert not torch.equal(people(scale, "a"), people(scale, "b"))


def test_the_quick_scale_is_at_most_the_printed_one():
    quick, full = Scale.of(10_000, quick=True), Scale.of(10_000)
    assert all(getattr(quick, name) <= getattr(full, name) for name in ("n", "frontal", "paired", "faces", "people", "steered"))
    assert Scale.of(500).faces == 500
