import pytest
import torch
from torch.testing import assert_close

from iplkit.errors import UserError
from iplkit.nets import (
    ClassifierConfig,
    Critic,
    Identity,
    IdentityConfig,
    Judge,
    load_critic,
    load_identity,
    load_judge,
    save_critic,
    save_identity,
    save_judge,
)

SMALL, SMALL_ID = ClassifierConfig(width=8), IdentityConfig(width=8)
CLASSIFIERS = [Critic, Judge]
ALL = [(Critic, SMALL, save_critic, load_critic), (Judge, SMALL, save_judge, load_judge), (Identity, SMALL_ID, save_identity, load_identity)]


def pictures(n: int = 2, size: int = 64) -> torch.Tensor:
    return torch.rand(n, 3, size, size, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.mark.parametrize("net_class", CLASSIFIERS)
def test_a_classifier_answers_in_the_agreed_shapes(net_class):
    out = net_class(SMALL).eval()(pictures())
    assert out.domain_logits.shape == (2, 15) and out.kinds_logits.shape == (2, 40)
    assert out.factors.shape == (2, 25) and bool(((out.factors > 0) & (out.factors < 1)).all())
    assert out.features["pool"].ndim == 2


@pytest.mark.parametrize("net_class", CLASSIFIERS)
def test_features_are_named_and_grow_coarser(net_class):
    net = net_class(SMALL).eval()
    features = net.features(pictures())
    sides = [f.shape[-1] for f in features.values()]
    assert sides == sorted(sides, reverse=True) and len(sides) >= 4
    assert_close(net(pictures()).features["stem"], features["stem"])


@pytest.mark.parametrize("net_class, config", [(c, k) for c, k, _, _ in ALL])
def test_pictures_of_another_size_are_resized_and_gradients_pass(net_class, config):
    images = pictures(2, 96).requires_grad_()
    out = net_class(config).eval()(images)
    total = out.sum() if torch.is_tensor(out) else out.domain_logits.square().sum() + out.factors.sum()
    total.backward()
    assert float(images.grad.abs().sum()) > 0


def test_an_embedding_has_length_one():
    assert_close(Identity(SMALL_ID).eval()(pictures(3)).norm(dim=1), torch.ones(3))


@pytest.mark.parametrize("net_class, config", [(c, k) for c, k, _, _ in ALL])
def test_a_seed_decides_the_weights_and_leaves_the_global_state(net_class, config):
    before = torch.get_rng_state()
    a, b, c = (net_class(config, seed=s).state_dict() for s in (1, 1, 2))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(a[k], b[k]) for k in a) and any(not torch.equal(a[k], c[k]) for k in a)


@pytest.mark.parametrize("net_class, config, save, load", ALL)
def test_a_saved_network_answers_the_same(net_class, config, save, load, tmp_path):
    net = net_class(config).eval()
    save(tmp_path / "net.safetensors", net)
    again = load(tmp_path / "net.safetensors")
    a, b = net(pictures()), again(pictures())
    assert_close(a if torch.is_tensor(a) else a.factors, b if torch.is_tensor(b) else b.factors)
    assert not again.training and not any(p.requires_grad for p in again.parameters())


def test_a_file_of_another_network_is_refused(tmp_path):
    save_critic(tmp_path / "net.safetensors", Critic(SMALL))
    with pytest.raises(UserError, match="judge"):
        load_judge(tmp_path / "net.safetensors")


@pytest.mark.parametrize("net_class, config", [(Critic, ClassifierConfig()), (Judge, ClassifierConfig()), (Identity, IdentityConfig())])
def test_a_shipped_network_fits_into_three_megabytes(net_class, config):
    assert sum(t.numel() for t in net_class(config).state_dict().values()) * 2 < 3e6


@pytest.mark.parametrize("call", [lambda: ClassifierConfig(size=50), lambda: IdentityConfig(size=8), lambda: Critic(SMALL)(torch.zeros(1, 1, 64, 64))])
def test_wrong_sizes_are_refused(call):
    with pytest.raises(UserError):
        call()
