"""The generator's training: its losses, its discriminators, and that it goes on where it stopped."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from iplkit.errors import UserError
from iplkit.nets.critic import Critic
from iplkit.nets.readout import ClassifierConfig
from iplkit.stylegan2.generator import GeneratorConfig
from iplkit.train import generator as training
from iplkit.train.discriminators import Ensemble
from iplkit.train.people import Pool

CONFIG = GeneratorConfig(32, (8, 8, 8, 8), n_mlp=2)
SHORT = tuple(training.Phase(p.name, 2, 4, p.lr, p.seed) for p in training.PHASES)


@pytest.fixture(scope="module")
def critic():
    return Critic(ClassifierConfig(size=32, width=8), seed=1)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(Pool, "BLOCK", 4)


def trainer(folder, critic, recipe=SHORT):
    return training.Trainer(folder, config=CONFIG, recipe=recipe, pool_size=8, critic=critic)


def test_the_pair_loss_is_zero_for_equal_pictures_and_grows_with_the_difference(generator, critic):
    real = torch.rand(3, 3, 32, 32, generator=generator) * 2 - 1
    features = training.critic_features(critic)
    assert float(training.pair_loss(real, real, features)) == 0
    near, far = (training.pair_loss(real + d * torch.randn(real.shape, generator=generator), real, features) for d in (0.01, 0.3))
    assert 0 < float(near) < float(far)


def test_the_feature_loss_does_not_train_the_critic(generator, critic):
    fake = torch.rand(2, 3, 32, 32, generator=generator).requires_grad_()
    training.feature_loss(fake, torch.zeros(2, 3, 32, 32), training.critic_features(critic)).backward()
    assert fake.grad.abs().sum() > 0 and all(p.grad is None for p in critic.parameters())


def test_the_average_follows_by_its_decay():
    a, b = nn.Linear(2, 2), nn.Linear(2, 2)
    before = a.weight.detach().clone()
    training.move_average(a, b, 0.9)
    assert_close(a.weight, 0.9 * before + 0.1 * b.weight)


def test_the_discriminators_learn_to_tell_noise_from_gray(generator, critic):
    d = Ensemble(CONFIG, training.critic_features(critic), seed=2)
    real = torch.zeros(8, 3, 32, 32)
    d.calibrate(real + 0.1)
    step = torch.optim.Adam(d.parameters(), 2e-3, (0.0, 0.99))
    losses = []
    for _ in range(25):
        fake = torch.randn(8, 3, 32, 32, generator=generator).clamp(-1, 1)
        loss = d.loss(fake, real)
        step.zero_grad()
        loss.backward()
        step.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]


def test_a_stopped_training_ends_with_the_weights_of_one_that_was_not(tmp_path, critic):
    whole = trainer(tmp_path / "whole", critic)
    whole.run(say=lambda *a, **k: None)
    for phase in SHORT:
        part = trainer(tmp_path / "parts", critic)
        part.run(phase.name, say=lambda *a, **k: None)
    for name, tensor in whole.g_ema.state_dict().items():
        assert torch.equal(tensor, part.g_ema.state_dict()[name]), name


def test_a_finished_training_leaves_a_generator_and_its_card(tmp_path, critic):
    from iplkit.stylegan2.checkpoints import load_generator

    t = trainer(tmp_path, critic)
    t.run(say=lambda *a, **k: None)
    assert load_generator(t.finish()).config == CONFIG
    assert (tmp_path / "generator" / "card.json").is_file()


def test_a_time_budget_is_refused():
    with pytest.raises(UserError, match="trains by steps"):
        training.RECIPE.train("nowhere", minutes=3)
