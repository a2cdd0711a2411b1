"""What CLIP sees of a generator: latents to images to views to features, the same way for both sides."""

from contextlib import nullcontext

import torch
from torch import Tensor, nn

from iplkit.adapt.compiled import Paint
from iplkit.adapt.draws import draw
from iplkit.adapt.parts import Parts, draw_in_parts
from iplkit.adapt.settings import AdaptSettings
from iplkit.adapt.views import random_views


class Look:
    """Draw images from latents and show them to CLIP.

    Windows (see `random_views`) are the same for source and target at one step. Pixel noise is too,
    if the settings say "paired": then the two images differ by the adaptation and by nothing else.
    With `parts`, batches are drawn in parts, which saves memory. A loop may set `paint`, the compiled drawing of one generator.
    """

    paint: Paint | None = None

    def __init__(self, clip: nn.Module, settings: AdaptSettings, seed: int, parts: Parts | None = None):
        self.clip, self.settings, self.seed, self.parts = clip, settings, seed, parts

    def draw_images(self, generator: nn.Module, ws: Tensor, step: int, side: str) -> Tensor:
        """Images `[N, 3, H, W]` of a generator, with the pixel noise of this step and side."""
        mode, purpose = "random", "noise" if self.settings.noise == "paired" else f"noise of {side}"
        if self.settings.noise == "none":
            mode = "none"
        fast = None if self.paint is None else self.paint.of(generator.synthesis)
        if self.parts is None and fast is None:
            return generator.synthesis(ws, noise_mode=mode, generator=draw(self.seed, purpose, step))
        noise = generator.synthesis.draw_noise(len(ws), mode, draw(self.seed, purpose, step))
        return draw_in_parts(generator.synthesis, ws, noise, self.parts) if fast is None else fast(ws, noise)

    def encode(self, images: Tensor, step: int) -> Tensor:
        """CLIP features of the step's views, `[N * max(views, 1), E]`, not normalized."""
        s = self.settings
        images = images.clamp(-1, 1) if s.clamp else images
        windows = draw(self.seed, "views", step)
        views = random_views(images, s.views, windows, scale=s.view_scale, shift=s.view_shift, noise=s.view_noise)
        return self.clip.encode_image(views).float()

    def __call__(self, generator: nn.Module, ws: Tensor, step: int, side: str) -> Tensor:
        """Features `[N * max(views, 1), E]` of a generator's images of `ws`."""
        with self.autocast(ws.device):
            return self.encode(self.draw_images(generator, ws, step, side), step)

    def autocast(self, device: torch.device):
        """The context of the settings' precision."""
        return torch.autocast(device.type, torch.bfloat16) if self.settings.precision == "bfloat16" else nullcontext()
