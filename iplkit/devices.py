"""Models on a device that a reader named, or one sentence."""

import torch
from torch import nn

from iplkit.errors import UserError


def move(device: str, *models: nn.Module) -> None:
    """Put models on "cpu", "cuda" or "cuda:1".

    Raises:
        UserError: a device that is not here.
        torch.OutOfMemoryError: if it has no room.
    """
    try:
        for model in models:
            model.to(device)
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, AssertionError) as error:  # torch built without CUDA asserts
        raise UserError(f"a device that is here is needed, cpu or cuda; got {device!r} ({str(error).splitlines()[0]})") from error
