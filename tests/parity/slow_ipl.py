"""StyleGAN-NADA and IPL as their code works, slow and obvious: one image and one sentence at a time, in its order.

Written from a description of what the published code computes, on our models' weights. All quirks are on; the
fast code of the package must give the same numbers. Letters: N images, M vectors, D text width, E embedding.
"""

import math

import torch

FIRST_LAYERS = ("conv4", "rgb4")  # the published list of layers begins so, and goes on with the other convolutions


# -- CLIP's text tower -----------------------------------------------------------------------------


def layer_norm(x, module):
    center = x - x.mean(dim=-1, keepdim=True)
    variance = center.square().mean(dim=-1, keepdim=True)
    return center / torch.sqrt(variance + module.eps) * module.weight + module.bias


def attention(x, module):
    """Causal self-attention of one sentence, head by head, ``[L, D]`` -> ``[L, D]``."""
    length, width = x.shape
    q, k, v = (x @ module.in_proj_weight.T + module.in_proj_bias).split(width, dim=-1)
    size = width // module.num_heads
    future = torch.ones(length, length).triu(1).bool()
    heads = []
    for h in range(module.num_heads):
        part = slice(h * size, (h + 1) * size)
        scores = (q[:, part] @ k[:, part].T / math.sqrt(size)).masked_fill(future, -math.inf)
        heads.append(scores.softmax(dim=-1) @ v[:, part])
    return torch.cat(heads, dim=-1) @ module.out_proj.weight.T + module.out_proj.bias


def text_tower(clip, embeds, ids):
    """One sentence through all its rows, read out where the largest id stands: ``[L, D]``, ``[L]`` -> ``[E]``."""
    x = embeds + clip.model.positional_embedding
    for block in clip.model.transformer.resblocks:
        x = x + attention(layer_norm(x, block.ln_1), block.attn)
        h = layer_norm(x, block.ln_2) @ block.mlp.c_fc.weight.T + block.mlp.c_fc.bias
        h = 0.5 * h * (1 + torch.erf(h / math.sqrt(2)))
        x = x + h @ block.mlp.c_proj.weight.T + block.mlp.c_proj.bias
    return layer_norm(x, clip.model.ln_final)[int(ids.argmax())] @ clip.model.text_projection


def text_feature(clip, text):
    ids = clip.tokenize([text])[0]
    return text_tower(clip, clip.model.token_embedding.weight[ids], ids)


def prompt_features(clip, prompts, sentence):
    """Learned vectors in the place of the first words: ``[N, M, D]`` -> ``[N, E]``, one tower call an image."""
    ids = clip.tokenize([sentence])[0]  # without a full stop
    embeds = clip.model.token_embedding.weight[ids]
    m = prompts.shape[1]
    return torch.stack([text_tower(clip, torch.cat([embeds[:1], p, embeds[1 + m :]]), ids) for p in prompts])


def image_features(clip, images):
    pixels = (images + 1) / 2  # not clamped; of the tower's own size
    mean, std = torch.tensor([0.48145466, 0.4578275, 0.40821073]), torch.tensor([0.26862954, 0.26130258, 0.27577711])
    return torch.cat([clip.model.visual(((p - mean.view(3, 1, 1)) / std.view(3, 1, 1))[None]) for p in pixels])


# -- losses ----------------------------------------------------------------------------------------


def unit(x):
    return x / x.norm(dim=-1, keepdim=True)


def cosine(a, b):
    return (a * b).sum() / a.norm() / b.norm()


def anchor(clip, word, templates):
    """The mean of a class in many sentences, each of length 1: ``[E]``."""
    return sum(unit(text_feature(clip, template.format(word))) for template in templates) / len(templates)


def stage1_loss(image, source, target, base_source, base_target, anchor_source, anchor_target, scale, lambda_l, lambda_src):
    """Both halves of InfoNCE by hand; then the domain terms, the source's inside lambda_l."""
    n = len(image)
    s = [unit(source[i] + base_source) for i in range(n)]
    u = [unit(target[i] + base_target) for i in range(n)]
    x = [unit(image[i]).detach() for i in range(n)]
    logits = [[scale * torch.dot(x[i], s[j]) for j in range(n)] for i in range(n)]
    rows = sum(torch.logsumexp(torch.stack(logits[i]), 0) - logits[i][i] for i in range(n)) / n
    columns = sum(torch.logsumexp(torch.stack([logits[i][j] for i in range(n)]), 0) - logits[j][j] for j in range(n)) / n
    domain = sum(1 - cosine(u[i], anchor_target) for i in range(n)) / n
    source_domain = sum(1 - cosine(s[i], anchor_source) for i in range(n)) / n
    return (rows + columns) / 2 + lambda_l * (domain + lambda_src * source_domain)


def directional_loss(image_source, image_target, text_source, text_target):
    """Mean of 1 - cos, no guard; text ``[N, E]``, or ``[E]`` for all."""
    total = 0
    for i in range(len(image_source)):
        a, b = (t if t.ndim == 1 else t[i] for t in (text_source, text_target))
        total = total + 1 - cosine(unit(unit(image_target[i]) - unit(image_source[i])), unit(unit(b) - unit(a)))
    return total / len(image_source)


def thesis_directional_loss(image_source, image_target, text_source, text_target, base, listed):
    """Source plus the manual prompt ``[E]``, target plus the mean of the listed features ``[P, E]``, each made length 1 before."""
    center = sum(unit(feature) for feature in listed) / len(listed)
    total = 0
    for i in range(len(image_source)):
        s, u = unit(text_source[i] + base), unit(text_target[i] + center)
        total = total + 1 - cosine(unit(unit(image_target[i]) - unit(image_source[i])), unit(u - s))
    return total / len(image_source)


def nada_direction(clip, source, target, templates):
    """The mean over sentences of unit target minus unit source, ``[E]``."""
    pairs = [[unit(text_feature(clip, t.format(word))) for word in (source, target)] for t in templates]
    return unit(sum(b - a for a, b in pairs) / len(pairs))


# -- layer choice ----------------------------------------------------------------------------------


def row_moves(generator, clip, caption, ws):
    """How far one SGD step of 0.01 moves each row of W+, mean over images and channels, ``[R]``."""
    leaf = ws.clone().requires_grad_(True)
    text = text_feature(clip, caption)
    images = generator.synthesis(leaf, noise_mode="const")
    loss = sum(1 - cosine(feature, text) for feature in image_features(clip, images)) / len(ws)
    (gradient,) = torch.autograd.grad(loss, leaf)
    return (0.01 * gradient).abs().mean(dim=(0, 2))


def published_layers(generator, rows):
    """Row i frees entry i of [first convolution, first ToRGB, second convolution, third, ...]."""
    others = [name for name in generator.synthesis.layers if not name.startswith("rgb") and name != "conv4"]
    names = [*FIRST_LAYERS, *others]
    return [p for row in rows for p in generator.synthesis.layers[names[row]].parameters()]


# -- optimization ----------------------------------------------------------------------------------


class Adam:
    """Kingma and Ba 2015, Algorithm 1; a missing gradient is a zero gradient, as torch once had it."""

    def __init__(self, parameters, lr, betas):
        self.parameters, self.lr, self.betas, self.t = list(parameters), lr, betas, 0
        self.m = [torch.zeros_like(p) for p in self.parameters]
        self.v = [torch.zeros_like(p) for p in self.parameters]

    @torch.no_grad()
    def step(self, gradients):
        self.t += 1
        b1, b2 = self.betas
        for i, (p, g) in enumerate(zip(self.parameters, gradients, strict=True)):
            g = torch.zeros_like(p) if g is None else g
            self.m[i] = b1 * self.m[i] + (1 - b1) * g
            self.v[i] = b2 * self.v[i] + (1 - b2) * g * g
            m, v = self.m[i] / (1 - b1**self.t), self.v[i] / (1 - b2**self.t)
            p -= self.lr * m / (v.sqrt() + 1e-8)


def same_gradients(ours, wanted):
    """Equal to 1e-5 of the step's largest entry, and to 1e-4 of each tensor's own; no gradient counts as zeros.

    A strength of noise is one number whose gradient is a sum over a layer that nearly cancels: the second bound spares it.
    """
    largest = max(float(g.abs().max()) for g in wanted if g is not None)
    for a, b in zip(ours, wanted, strict=True):
        if a is not None or b is not None:
            a, b = (torch.zeros_like(b if a is None else a) if g is None else g for g in (a, b))
            torch.testing.assert_close(a, b, atol=1e-5 * largest, rtol=1e-5)
            if b.numel() > 1:
                torch.testing.assert_close(a, b, atol=1e-4 * float(b.abs().max()), rtol=1e-4)


def mapper_prompts(weights, w, n_ctx):
    """The published mapper from its eight tensors, one code at a time: ``[N, C]`` -> ``[N, M, D]``."""
    prompts = []
    for x in w:
        x = x * torch.rsqrt(x.square().mean() + 1e-8)
        for i in (1, 2, 3, 4):
            weight, bias = weights[f"mapping.mapping.{i}.weight"], weights[f"mapping.mapping.{i}.bias"]
            x = (weight * (0.01 / math.sqrt(weight.shape[1]))) @ x + bias * 0.01
            x = torch.where(x > 0, x, 0.2 * x) * math.sqrt(2)  # also on the last
        prompts.append(x.view(n_ctx, -1))
    return torch.stack(prompts)
