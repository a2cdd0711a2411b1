import pytest
import torch

from iplkit.errors import UserError
from iplkit.train import pool as pools
from iplkit.train import ruins
from iplkit.train.pool import Pool, PoolSettings, create, fill
from iplkit.world.captions import CLASSES
from iplkit.world.factors import IDENTITY, indices, sample_factors


def fake_chunk(settings, number):
    """A chunk without rendering, for tests of the files."""
    g = torch.Generator().manual_seed(number)
    n, s = pools.CHUNK, settings.size
    classes = torch.randint(0, len(CLASSES), (n, 2), generator=g).to(torch.int8)
    images = torch.randint(0, 256, (n, 3, s, s), generator=g).to(torch.uint8)
    share, flag = torch.rand(n, generator=g).half(), torch.zeros(n, dtype=torch.int8)
    return {"images": images, "factors": sample_factors(n, g).half(), "classes": classes, "share": share, "flag": flag}


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(pools, "chunk", fake_chunk)
    monkeypatch.setattr(pools, "CHUNK", 32)


def test_several_processes_fill_what_one_would_fill(quick, tmp_path):
    settings = PoolSettings(32 * 5, size=8)
    for name in "ab":
        create(tmp_path / name, settings)
    fill(tmp_path / "a", log=lambda line: None)
    fill(tmp_path / "b", 1, 2, log=lambda line: None)
    fill(tmp_path / "b", 0, 2, log=lambda line: None)
    assert all((tmp_path / "a" / f.name).read_bytes() == f.read_bytes() for f in (tmp_path / "b").glob("*.bin"))


def test_a_stopped_pool_goes_on_and_finished_chunks_stay(quick, tmp_path, monkeypatch):
    create(tmp_path, PoolSettings(32 * 3, size=8))
    fill(tmp_path, log=lambda line: None, stop=2)
    made = []
    monkeypatch.setattr(pools, "chunk", lambda s, k: made.append(k) or fake_chunk(s, k))
    create(tmp_path, PoolSettings(32 * 3, size=8))
    fill(tmp_path, log=lambda line: None)
    assert made == [2]


def test_every_row_comes_once_an_epoch_and_groups_stay_together(quick, tmp_path):
    create(tmp_path, PoolSettings(32 * 4, size=8))
    fill(tmp_path, log=lambda line: None)
    pool = Pool(tmp_path, held_out=0.25)
    rows = torch.cat([pool.rows(step, 24, seed=3, group=8) for step in range(4)])
    assert sorted(rows.tolist()) == pool.train.tolist()
    assert bool((rows.view(-1, 8) == rows.view(-1, 8)[:, :1] + torch.arange(8)).all())
    assert not set(pool.test.tolist()) & set(pool.train.tolist())


def test_shares_of_a_picture_sum_to_one(quick, tmp_path):
    create(tmp_path, PoolSettings(64, size=8))
    fill(tmp_path, log=lambda line: None)
    shares = Pool(tmp_path).shares(torch.arange(64))
    torch.testing.assert_close(shares.sum(1), torch.ones(64))


def test_a_pool_of_other_settings_or_none_is_refused(quick, tmp_path):
    create(tmp_path, PoolSettings(64, size=8))
    with pytest.raises(UserError, match="needs to hold a pool"):
        create(tmp_path, PoolSettings(96, size=8))
    with pytest.raises(UserError, match="no finished chunk"):
        Pool(tmp_path)
    with pytest.raises(UserError, match="there is none"):
        Pool(tmp_path / "elsewhere")


def test_ruins_stay_in_range_and_destroy_the_picture(generator):
    image = torch.linspace(-1, 1, 32).expand(4, 3, 32, 32).contiguous()
    made = [ruins.blur(image, generator), ruins.scramble(image, generator), ruins.noise(4, 32, generator)]
    for ruin in made:
        assert ruin.shape == image.shape and float(ruin.abs().max()) <= 1
        assert float((ruin - image).abs().mean()) > 0.01


def test_a_patchwork_takes_half_of_each(generator):
    made = ruins.patchwork(-torch.ones(6, 3, 32, 32), torch.ones(6, 3, 32, 32), generator)
    assert abs(float(made.mean())) < 1e-6


def test_smooth_masks_cover_little_and_much(generator):
    share = ruins.smooth_mask(200, 32, generator).mean(dim=(1, 2, 3))
    assert float(share.min()) < 0.2 and float(share.max()) > 0.8


def test_a_chunk_of_pairs_holds_each_person_twice_in_families(monkeypatch):
    monkeypatch.setattr(pools, "CHUNK", 16)
    made = pools.chunk(PoolSettings(16, size=32, kind="pairs"), 0)
    who, family = indices(IDENTITY), indices(["skin_tone", "skin_hue", "hair_color"])
    people = made["factors"][:, who].view(-1, 2, len(who))
    assert torch.equal(people[:, 0], people[:, 1]) and not torch.equal(people[0], people[1])
    assert bool((made["factors"][:8, family] == made["factors"][0, family]).all())
