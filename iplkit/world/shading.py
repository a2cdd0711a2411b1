"""Light and paint shared by the domains: normals, lamps, compositing, and the filters a style is made of."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from iplkit.world import palette
from iplkit.world.geometry import Surface
from iplkit.world.noise import grain, value_noise
from iplkit.world.parts import Parts


@dataclass
class Canvas:
    """All a domain needs to paint a batch: places, masks, colors by factor, light, seeds."""

    s: Surface
    m: Parts
    f: dict[str, Tensor]  # factors by name, [N, 1, 1, 1]
    color: dict[str, Tensor]  # skin, hair, eyes, lips, background, clothes: [N, 3, 1, 1]
    normal: Tensor  # [N, 3, H, W]
    px: Tensor  # a pixel in head units, [N, 1, 1, 1]
    xs: Tensor  # image coordinates -1..1, [1, 1, H, W] or [N, 1, H, W]
    ys: Tensor
    seeds: Tensor
    pixel: float  # a pixel in image coordinates

    def noise(self, frequency: float, salt: int = 0, on_head: bool = False) -> Tensor:
        """Smooth noise in [0, 1] fixed to the picture, or to the head's own coordinates."""
        if on_head:
            return value_noise(self.s.u, self.s.v, frequency, torch.zeros_like(self.seeds), salt)
        return value_noise(self.xs, self.ys, frequency, self.seeds, salt)

    def grain(self) -> Tensor:
        """White noise, one value a pixel."""
        return grain(len(self.seeds), *self.s.x.shape[-2:], self.seeds)


def colors_of(f: dict[str, Tensor]) -> dict[str, Tensor]:
    """Photo colors from factors."""

    def flat(name):
        return f[name].view(-1)

    skin = palette.skin_color(flat("skin_tone"), flat("skin_hue"))
    red = torch.tensor((0.72, 0.28, 0.28), dtype=skin.dtype, device=skin.device).view(1, 3, 1, 1)
    tint = 0.32 + 0.22 * f["femininity"]
    return {
        "skin": skin,
        "lips": skin * (1 - tint) + red * tint * (0.55 + 0.45 * skin.mean(1, keepdim=True)),
        "hair": palette.binned_ramp(flat("hair_color"), palette.HAIR),
        "eyes": palette.even_ramp(flat("eye_color"), palette.EYES),
        "background": palette.even_ramp(flat("background"), palette.BACKGROUND),
        "clothes": palette.even_ramp(flat("clothes"), palette.CLOTHES),
    }


def normals(s: Surface, m: Parts, px: Tensor, strength: float = 1.0) -> Tensor:
    """Unit normals of head and relief by central differences, ``[N, 3, H, W]``; z points to the viewer."""
    height = s.depth * 0.95 + strength * m.relief
    h = F.pad(height, (1, 1, 1, 1), mode="replicate")
    gx = (h[:, :, 1:-1, 2:] - h[:, :, 1:-1, :-2]) / (2 * px)
    gy = (h[:, :, 2:, 1:-1] - h[:, :, :-2, 1:-1]) / (2 * px)
    n = torch.cat([-gx, -gy, torch.ones_like(gx)], 1)
    return n * torch.rsqrt(n.square().sum(1, keepdim=True))


def lamp(c: Canvas, height: float = -0.45, front: float = 0.95, spread: float = 1.5) -> Tensor:
    """Lambert shading by the factor `light` (left to right), ``[N, 1, H, W]`` in [0, 1]."""
    lx = (c.f["light"] - 0.5) * spread
    norm = (lx**2 + height**2 + front**2).sqrt()
    n = c.normal
    return ((n[:, :1] * lx + n[:, 1:2] * height + n[:, 2:] * front) / norm).clamp_min(0)


def gloss(c: Canvas, power: float, height: float = -0.6) -> Tensor:
    """A highlight, ``[N, 1, H, W]``: the normal half way between lamp and viewer."""
    lx = (c.f["light"] - 0.5) * 0.9
    norm = (lx**2 + height**2 + 1.6).sqrt()
    n = c.normal
    return ((n[:, :1] * lx + n[:, 1:2] * height + n[:, 2:] * 1.265) / norm).clamp_min(0) ** power


def over(below: Tensor, above: Tensor, mask: Tensor) -> Tensor:
    """Lay one paint over another."""
    return below + (above - below) * mask


def tone(rgb: Tensor, *color: float) -> Tensor:
    """A constant color of the same dtype and device."""
    return torch.tensor(color, dtype=rgb.dtype, device=rgb.device).view(1, 3, 1, 1)


def gray(rgb: Tensor) -> Tensor:
    """Luminance, ``[N, 3, H, W]`` -> ``[N, 1, H, W]``."""
    return 0.30 * rgb[:, :1] + 0.59 * rgb[:, 1:2] + 0.11 * rgb[:, 2:]


def saturate(rgb: Tensor, amount: float | Tensor) -> Tensor:
    """Move colors from gray by a factor: 0 gray, 1 as they are, above 1 stronger."""
    g = gray(rgb)
    return g + (rgb - g) * amount


def blur(rgb: Tensor, radius: float) -> Tensor:
    """Gaussian blur with standard deviation `radius` in pixels (separable; 0 leaves the picture as it is)."""
    if radius <= 0.1:
        return rgb
    k = max(1, int(2.5 * radius + 0.5))
    t = torch.arange(-k, k + 1, dtype=rgb.dtype, device=rgb.device)
    w = torch.exp(-0.5 * (t / radius) ** 2)
    w = (w / w.sum()).view(1, 1, -1)
    n, c, height, width = rgb.shape
    x = F.pad(rgb.reshape(n * c, 1, height, width), (k, k, k, k), mode="replicate")
    x = F.conv2d(F.conv2d(x, w[:, :, None, :]), w[:, :, :, None])
    return x.reshape(n, c, height, width)


def edges(value: Tensor, radius: float) -> Tensor:
    """Strength of the change of a field over `radius` pixels, ``[N, C, H, W]`` -> ``[N, 1, H, W]``."""
    x = blur(value, max(radius * 0.5, 0.3))
    x = F.pad(x, (1, 1, 1, 1), mode="replicate")
    gx = x[:, :, 1:-1, 2:] - x[:, :, 1:-1, :-2]
    gy = x[:, :, 2:, 1:-1] - x[:, :, :-2, 1:-1]
    return (gx.square() + gy.square()).sum(1, keepdim=True).add(1e-8).sqrt() * radius


def hair_strands(c: Canvas) -> Tensor:
    """Light and dark strands, about -1 to 1: falling lines when straight, rings when curly."""
    s, curl = c.s, c.f["curl"]
    wave = 0.5 * torch.sin(s.y * 3.1 + 1.3 * s.x)
    straight = torch.sin(s.x * 15 + 3 * wave) * 0.6 + torch.sin(s.x * 27 - 4 * wave + 1) * 0.4
    curly = torch.sin(s.x * 11 + 1.8 * torch.sin(s.y * 9)) * torch.sin(s.y * 12 + 1.8 * torch.sin(s.x * 8))
    return straight * (1 - curl) + 1.25 * curly * curl


def painted_hair(c: Canvas, contrast: float = 0.30, shine: float = 0.35) -> Tensor:
    """Hair with strands, a soft light from above and a shine, ``[N, 3, H, W]``."""
    strands = hair_strands(c)
    top = (0.62 + 0.38 * (-(c.s.y + 0.2) * 0.7).sigmoid() + 0.30 * (c.f["light"] - 0.5) * (c.s.x / 1.2).clamp(-1, 1))
    light = top * (1 + contrast * strands)
    band = torch.exp(-(((c.s.v + 1.05 + 0.12 * c.s.x.square()) / 0.22) ** 2)) * (0.6 + 0.4 * strands)
    return (c.color["hair"] * light * 1.15 + shine * band * (0.25 + 0.5 * c.color["hair"])).clamp(0, 1)


def eyes_over(rgb: Tensor, c: Canvas, white=(0.93, 0.92, 0.91), shade: float = 0.35, ring: float = 0.5) -> Tensor:
    """Eyeball, iris, pupil and glint over the face."""
    m = c.m
    ball = tone(rgb, *white) * (1 - shade * m.lash.clamp(0, 1)) * (0.80 + 0.20 * c.color["skin"].mean(1, keepdim=True))
    ball = over(ball, c.color["eyes"] * (1 - ring * m.iris_ring), m.iris)
    ball = over(ball, tone(rgb, 0.03, 0.03, 0.04), m.pupil)
    ball = over(ball, tone(rgb, 1.0, 1.0, 1.0), m.glint)
    return over(rgb, ball, m.eye)


def mouth_over(rgb: Tensor, c: Canvas, light: Tensor | float = 1.0) -> Tensor:
    """Lips, the dark inside and the teeth over the face."""
    m = c.m
    lips = c.color["lips"] * light * (1 - 0.18 * m.lip_upper)
    rgb = over(rgb, lips, m.lip)
    inside = over(tone(rgb, 0.25, 0.07, 0.08).expand_as(rgb), tone(rgb, 0.93, 0.91, 0.87), m.teeth)
    rgb = over(rgb, inside, m.mouth)
    return rgb * (1 - 0.65 * m.mouth_line * (1 - 0.6 * m.teeth))


def compose(c: Canvas, *, wall, back, neck, cloth, ear, face, front, frame=0.08, lens: float = 0.35) -> Tensor:
    """Lay the layers of a portrait over each other, from the wall to the glasses, ``[N, 3, H, W]``."""
    m = c.m
    rgb = over(wall, back, m.hair_back)
    rgb = over(rgb, neck, m.neck)
    rgb = over(rgb, cloth, m.clothes)
    rgb = over(rgb, ear, m.ear * (1 - m.head))
    rgb = over(rgb, face, m.head)
    rgb = over(rgb, front, m.hair_front)
    rgb = over(rgb, 0.8 * rgb + 0.2, lens * m.lens)
    return over(rgb, frame + 0.0 * rgb, 0.95 * m.glasses)


def outline(c: Canvas, width: float) -> Tensor:
    """Ink along the borders of head, hair, clothes and ears, ``[N, 1, H, W]`` in [0, 1]; `width` in image half sides."""
    m = c.m
    head = m.head * (1 - m.hair_front)
    layers = torch.cat([head, torch.maximum(m.hair_front, m.hair_back * (1 - m.head)), m.clothes, m.ear * (1 - m.head)], 1)
    return (edges(layers, width / c.pixel) * 0.9 - 0.15).clamp(0, 1)


def ink_lines(c: Canvas) -> Tensor:
    """The drawn lines inside a face: lids, nose, mouth, brows' creases, folds, ``[N, 1, H, W]``."""
    m = c.m
    nose = (m.nostril + 0.8 * m.wing + 0.35 * m.nose_under).clamp(0, 1)
    lids = [m.lash, 0.5 * m.crease, 0.5 * m.lower_lid]
    return torch.stack([*lids, nose, m.mouth_line, 0.6 * m.fold, 0.5 * m.wrinkles, 0.6 * m.frown]).amax(0)


def soft_step(value: Tensor, at: float, width: float) -> Tensor:
    """0 below `at`, 1 above, a ramp of `width` between: the two tones of a cel."""
    return ((value - at) / width + 0.5).clamp(0, 1)
