"""No GPU is needed here: torch's fake tensors know their device and hold no numbers, and mixing two devices is an error as it is there."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from iplkit.adapt import AdaptSettings
from iplkit.adapt.look import Look
from iplkit.devices import move
from iplkit.errors import UserError
from iplkit.losses import alignment_loss


def as_if_on_a_gpu(model):
    """The model with all its tensors there."""
    for module in model.modules():
        for name, tensor in list(module._parameters.items()):
            if tensor is not None:
                module._parameters[name] = nn.Parameter(torch.empty(tensor.shape, dtype=tensor.dtype, device="cuda"), tensor.requires_grad)
        for name, tensor in list(module._buffers.items()):
            if tensor is not None:
                module._buffers[name] = torch.empty(tensor.shape, dtype=tensor.dtype, device="cuda")
    return model


@pytest.mark.parametrize("noise", ["paired", "independent", "none"])
def test_what_an_update_draws_and_compares_stays_on_the_device_of_its_models(tiny_generator, tiny_clip, noise):
    settings = replace(AdaptSettings.at("world", "smoke"), views=2, noise=noise, view_noise=0.1)
    models = [copy.deepcopy(model) for model in (tiny_generator, tiny_clip)]
    with FakeTensorMode():
        generator, clip = (as_if_on_a_gpu(model) for model in models)
        generator.requires_grad_(True)
        look = Look(clip, settings, seed=0)
        ws = torch.empty(2, generator.num_ws, generator.config.w_dim, device="cuda")
        before, after = look(generator, ws, 0, "source").detach(), look(generator, ws, 0, "target")
        assert after.device.type == "cuda"
        loss = alignment_loss(before, after, torch.empty(1, after.shape[1], device="cuda"))
        assert loss.device.type == "cuda" and loss.requires_grad  # fake tensors are not walked back through: that asks for a real GPU


def test_a_device_that_is_not_here_is_refused_in_one_sentence(tiny_generator):
    for device in ("cuda:99", "gpu"):
        with pytest.raises(UserError, match="a device that is here is needed, cpu or cuda"):
            move(device, tiny_generator)
