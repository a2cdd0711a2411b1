import json

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from iplkit.clip.text import tokenize
from iplkit.errors import UserError
from iplkit.nets import Readout
from iplkit.train import augment, run
from iplkit.train import clip as clip_recipe
from iplkit.train.classifier import loss_of_readout, with_none
from iplkit.train.clip import quick_ids, soft_contrastive_loss
from iplkit.train.identity import pair_loss, separation
from iplkit.train.pool import CHUNK, Pool, PoolSettings, create
from iplkit.train import pool as pools
from iplkit.world.captions import captions
from iplkit.world.domains.catalog import DOMAINS
from iplkit.world.factors import sample_factors


def test_with_one_true_caption_each_the_loss_is_clips_own(generator):
    logits = torch.randn(5, 5, generator=generator)
    want = (F.cross_entropy(logits, torch.arange(5)) + F.cross_entropy(logits.T, torch.arange(5))) / 2
    assert_close(soft_contrastive_loss(logits, torch.eye(5), torch.zeros(5, 5, dtype=torch.bool)), want)


def test_a_withheld_pair_has_no_gradient(generator):
    logits = torch.randn(4, 4, generator=generator).requires_grad_()
    unsure = torch.zeros(4, 4, dtype=torch.bool)
    unsure[0, 2] = True
    soft_contrastive_loss(logits, torch.eye(4), unsure).backward()
    assert logits.grad[0, 2] == 0 and bool((logits.grad[1] != 0).all())


def test_a_caption_true_of_no_picture_costs_nothing_of_its_own():
    logits = torch.zeros(2, 3, requires_grad=True)
    weight = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    assert bool(soft_contrastive_loss(logits, weight, torch.zeros(2, 3, dtype=torch.bool)).isfinite())


def test_quick_ids_are_the_tokenizers_ids(generator):
    texts = captions(sample_factors(60, generator), [DOMAINS[k % 14] for k in range(60)], generator) + ["a photo of a ukiyo-e."]
    assert torch.equal(quick_ids(texts), tokenize(texts))


def test_a_pupil_sees_what_its_clip_sees(generator):
    pupil = clip_recipe.build().eval()
    images = torch.rand(2, 3, 64, 64, generator=generator) * 2 - 1
    features, out = pupil.see(images)
    assert_close(features, pupil.clip.encode_image(images))
    assert out.factors.shape == (2, 25) and out.domain_logits.shape == (2, 15)


def test_pairs_that_agree_cost_less_than_pairs_that_do_not():
    rows = F.one_hot(torch.tensor([0, 0, 1, 1, 2, 2]), 4).float()
    assert pair_loss(rows) < 1e-4 < pair_loss(rows.roll(1, 0))


def test_separation_is_the_chance_that_a_true_pair_is_nearer():
    assert separation(torch.tensor([3.0, 4.0]), torch.tensor([1.0, 2.0])) == 1
    assert separation(torch.tensor([1.0, 4.0]), torch.tensor([2.0, 3.0])) == 0.5


def test_ruins_count_as_none_and_not_as_people():
    shares = F.one_hot(torch.tensor([0, 15]), 18).float()
    assert with_none(shares).argmax(1).tolist() == [0, 14]
    out = Readout(torch.zeros(2, 15), torch.full((2, 25), 0.5), torch.zeros(2, 40), {})
    truth = with_none(shares), torch.tensor([[0.5], [1.0]]).expand(2, 25), torch.zeros(2, dtype=torch.long)
    _, numbers = loss_of_readout(out, *truth, torch.tensor([True, False]))
    assert numbers["factor"] == 0


@pytest.mark.parametrize("change", [augment.move, augment.crop, augment.grain, augment.soften, augment.tint, augment.cover])
def test_a_disturbance_is_small_and_repeatable(change):
    images = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1
    made = [change(images, torch.Generator().manual_seed(2)) for _ in range(2)]
    assert torch.equal(*made) and made[0].shape == images.shape
    assert 0 < float((made[0] - images).abs().mean()) < 0.8


@pytest.fixture(scope="module")
def tiny_cache(tmp_path_factory):
    """Two pools of pictures without content, enough to carry out every phase."""
    cache = tmp_path_factory.mktemp("cache")
    for name, settings in run.POOLS.items():
        create(cache / name, PoolSettings(2 * CHUNK, kind=settings.kind, seed=settings.seed))
        _, arrays = pools._open(cache / name, "r+")
        g = torch.Generator().manual_seed(0)
        arrays["images"][:] = torch.randint(0, 256, arrays["images"].shape, generator=g).numpy()
        arrays["factors"][:] = sample_factors(2 * CHUNK, g).numpy()
        arrays["classes"][:] = torch.randint(0, 14, (2 * CHUNK, 1), generator=g).expand(-1, 2).numpy()
        arrays["done"][:] = 1
        for k in range(0, 2 * CHUNK, 20):
            arrays["flag"][k] = 4 if name == "pool" else 0
            arrays["flag"][k + 1] = 1 if name == "pool" else 0
    monkey = pytest.MonkeyPatch()  # score a few held-out rows only
    init = Pool.__init__

    def short(self, folder, held_out=0.04):
        init(self, folder, held_out)
        self.test = self.test[:128]

    monkey.setattr(Pool, "__init__", short)
    yield cache
    monkey.undo()


@pytest.mark.parametrize("name", ["critic", "judge", "identity", "clip", "encoder"])
def test_every_phase_runs_and_the_model_can_be_shipped(name, tiny_cache, tmp_path):
    run.recipe(name).train(tiny_cache, steps=1)
    path = run.ship(name, tiny_cache, tmp_path)
    card = json.loads((tmp_path / "cards" / f"{name}.json").read_text())
    hashes = json.loads((tmp_path / "hashes.json").read_text())
    assert hashes[path.name] == card["sha256"] and card["bytes"] < (12e6 if name == "clip" else 3e6)


def test_hardening_changes_half_of_the_pictures_by_the_step(tiny_cache):
    model = clip_recipe.build().clip.eval()
    images = torch.zeros(4, 3, 64, 64)
    text = F.normalize(torch.randn(3, 256, generator=torch.Generator().manual_seed(0)), dim=-1)
    truth = torch.eye(4)[:, :3], torch.zeros(4, 3, dtype=torch.bool)
    made = clip_recipe.harden(model, images, text, *truth, 0.03, torch.Generator().manual_seed(0))
    assert torch.equal(made[2:], images[2:])
    assert 0 < float(made[:2].abs().max()) <= 0.03

    def loss(pictures):
        image = F.normalize(model.encode_image(pictures[:2]).float(), dim=-1)
        return float(clip_recipe.soft_contrastive_loss(image @ text.T, truth[0][:2], truth[1][:2]).detach())

    assert loss(made) > loss(images)  # misled


def test_an_unknown_model_or_an_unfinished_one_is_refused(tmp_path):
    with pytest.raises(UserError, match="judge"):
        run.recipe("jugde")
    with pytest.raises(UserError, match="finished training"):
        run.ship("judge", tmp_path, tmp_path)
