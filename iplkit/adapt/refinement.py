"""Iterative anchors: the generator so far becomes a nearer starting point for the way that is left."""

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from iplkit.adapt.anchor_memory import source_anchor
from iplkit.adapt.directions import averaged_direction, cosine_loss, image_direction
from iplkit.adapt.draws import draw
from iplkit.adapt.loop import Plugs
from iplkit.adapt.regularizers import Step
from iplkit.adapt.samples import sample_ws
from iplkit.adapt.selectors import make_selector
from iplkit.adapt.stage1 import make_context
from iplkit.adapt.task import Recipe, Task
from iplkit.clip.prompts import learned_text_features
from iplkit.losses import direction

PROMPT_LR = 0.002  # ours; the authors' default is 0.001


class Anchor(nn.Module):
    """The last anchor: a generator, and the text direction from what it draws to the target."""

    def __init__(self, generator: nn.Module, width: int):
        super().__init__()
        self.generator = copy.deepcopy(generator).requires_grad_(False)
        self.register_buffer("delta_text", torch.zeros(1, width))


def air(task: Task) -> Recipe:
    """Adaptation with iterative refinement (AIR, Liu et al. 2025, arXiv 2506.10895): NADA's term, and one from the last anchor.

    The paper's: CLIP's image and text offsets disagree more the farther two concepts lie apart. So from step
    `anchor_start` on, every `anchor_every` steps, the generator so far becomes an anchor, a prompt is learned
    for it, and a second directional term of weight 1 leads from anchor to target. The prompt is learned with
    Adam so that the text's offset points as the images' offset does. Steps: the authors' `adaptation.sh`.

    Ours, in how the prompt is learned (`anchor_text`): every prompt starts as the target's manual one, and its
    offset is taken from the source. The authors' code (`train.py`, with the options of `adaptation.sh`) starts
    between source and target, class word included, as far along as the training is, and takes the offset from
    the last anchor. It makes 200 updates of 0.001 where we make `anchor_prompt_steps` of 0.002, looks at
    1000 latents where we look at `select_batch`, and averages 79 templates where we read one sentence.
    """
    s, context = task.settings, make_context(task.clip, task.source, task.target, task.settings)
    with torch.no_grad():
        ends = [task.clip.encode_text(task.clip.tokenize([context.sentence(which)])) for which in ("source", "target")]
    memory = Anchor(task.generator_source, ends[0].shape[-1]).to(ends[0].device)

    def before(target: nn.Module, step: int) -> None:
        if step >= s.anchor_start and (step - s.anchor_start) % s.anchor_every == 0:
            memory.generator.load_state_dict(target.state_dict())
            memory.delta_text.copy_(direction(anchor_text(task, context, memory.generator, ends[0], step), ends[1]))

    def from_anchor(facts: Step) -> Tensor:
        if facts.step < s.anchor_start:
            return facts.image_target.new_zeros(())
        with torch.no_grad():
            anchor = facts.look(memory.generator, facts.ws, facts.step, side="source")
        return s.anchor_weight * cosine_loss(image_direction(anchor, facts.image_target, s.floor), memory.delta_text)

    return Recipe(
        Plugs(
            direction=averaged_direction(task.clip, task.source, task.target, task.templates),
            anchor=source_anchor(task),
            selector=make_selector(task.clip, task.target, s, task.seed, task.more),
            regularizers=(from_anchor,),
            before=before,
            memory=memory,
        )
    )


def anchor_text(task: Task, context, generator: nn.Module, source: Tensor, step: int) -> Tensor:
    """A text feature `[1, E]` for what a generator draws: a learned prompt that moves from the source as its images do.

    The aim is AIR's; the start, the offset's origin, the number of updates and of images are ours, see `air`.

    Args:
        task: models, words and settings.
        context: the sentences of the run.
        generator: the anchor.
        source: feature of the source's sentence, `[1, E]`.
        step: which latents and noise.
    """
    ws = sample_ws(task.generator_source, task.settings.select_batch, draw(task.seed, "anchor", step))
    with torch.no_grad():
        pair = [task.look(g, ws, step, side) for g, side in ((task.generator_source, "source"), (generator, "target"))]
        moved = F.normalize(direction(*pair).mean(dim=0, keepdim=True), dim=-1)  # [1, E]
        words = task.clip.token_embedding(context.ids["target"].to(ws.device))[:, 1 : 1 + context.n_ctx]
    prompt = words.clone().requires_grad_(True)  # [1, M, D]
    optimizer = torch.optim.Adam([prompt], lr=PROMPT_LR)
    for _ in range(task.settings.anchor_prompt_steps):
        text = learned_text_features(task.clip, prompt, context, "target")
        (prompt.grad,) = torch.autograd.grad(cosine_loss(direction(source, text), moved), prompt)
        optimizer.step()
    return learned_text_features(task.clip, prompt.detach(), context, "target")
