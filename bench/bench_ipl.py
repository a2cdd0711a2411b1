"""Seconds a step of IPL's two stages, against the published code's order of work, in one run on one device.

Both sides have the same random weights; only the order of work differs. So what is measured is what is not computed twice, not
computed at all, or computed in one call. The other side is written from a description of the published code: every sentence
encoded in every step, learned ones one at a time over 77 rows, gradients for CLIP's weights, selection in every step with
gradients for all weights, one kernel for each image (`upstream_order.py`). Its images equal ours, which each run checks first.

How it was held against the published code itself: that code's own `train`, on the CPU (its compiled kernels replaced by its own
fallbacks, its write into a view by a stack, its table of channels and layers by ours), with this bench's weights (the generator by
`save_rosinality`, the CLIP as OpenAI's own module with our activation), one process for it and one for `Theirs`, their steps in
turn. 64 px, the CLIP of the world profile, one thread, torch 2.15, process time, medians of 8: stage 1 takes `Theirs` 0.95 of the
published step, stage 2 also 0.95. Not checked on a GPU, where the published code has compiled kernels.

Stage 1 of a further domain is timed over --text-steps steps with the mapper's set-up in them; the two template anchors are added
at their share of a run (`mapper_steps`). The first domain pays for one more batch of the pool in every step.

    python bench/bench_ipl.py --size tiny             seconds: proves that it runs
    python bench/bench_ipl.py --size world            64 px and a CLIP of the shipped sizes
    python bench/bench_ipl.py --size 256              256 px and ViT-B/32
    python bench/bench_ipl.py --size paper --device cuda   1024 px and ViT-B/32
"""

import argparse
import copy
import json
import os
import statistics
import time
from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from record import counted, ratios
from upstream_order import codes, images

from iplkit.adapt import AdaptSettings
from iplkit.adapt.anchors import image_anchor
from iplkit.adapt.directions import prompt_direction
from iplkit.adapt.look import Look
from iplkit.adapt.loop import Plugs, advance, start
from iplkit.adapt.selectors import make_selector, num_rows, row_scores
from iplkit.adapt.stage1 import TextSide, latent_pool, make_context, new_mapper, train_mapper
from iplkit.clip.model import Clip, ClipConfig, build_world_clip, freeze
from iplkit.clip.products import hasten
from iplkit.clip.prompts import TEMPLATES, template_anchor
from iplkit.keep_memory import keep_memory
from iplkit.losses import alignment_loss, clip_similarity_loss, direction, ipl_stage1_loss
from iplkit.stylegan2.generator import Generator, GeneratorConfig
from iplkit.stylegan2.styles import parameters_of_rows
from iplkit.weights import atomic_path

ASKED = {"stage 1, first domain": 3, "stage 1, further domain": 50, "stage 2, selection each step": 2, "stage 2, k covers all rows": 3}
WORDS = ("photo", "disney")


def models(size: str, device: str) -> tuple[Generator, Clip]:
    """Random weights of a named size, frozen; every layer as torch has it."""
    if size == "tiny":
        sizes = dict(image_size=16, patch_size=8, vision_width=64, vision_layers=2, text_width=64, text_layers=2, text_heads=1)
        clip = build_world_clip(ClipConfig(**sizes, embed_dim=24), seed=1)
        config = GeneratorConfig(16, (16, 12, 8), n_mlp=2)
    elif size == "world":
        from iplkit import zoo

        clip = build_world_clip(zoo.load("clip").config, seed=1)
        config = zoo.load("generator").config
    else:
        import open_clip

        torch.manual_seed(1)
        clip = Clip(open_clip.CLIP(**open_clip.get_model_config("ViT-B-32-quickgelu")))
        channels = (512, 512, 512, 512, 512, 256, 128, 64, 32)  # configuration F
        config = GeneratorConfig(1024, channels, n_mlp=8) if size == "paper" else GeneratorConfig(256, channels[:7], n_mlp=8)
    return Generator(config, seed=0).to(device).requires_grad_(False).eval(), freeze(clip).to(device)


def as_read(clip: Clip) -> Clip:
    """A published CLIP changed as the package changes it when it reads one, in place; the world's stays."""
    return clip if clip.config else hasten(clip)


class Theirs:
    """The published order of work, written from its description; `stage1` and `stage2` are one step each.

    CLIP's weights want gradients throughout, as they do there. Sentences that never change are encoded with a graph that is
    then thrown away; only learned sentences, images and the layer choice are walked back through.
    """

    def __init__(self, source: Generator, clip: Clip, settings: AdaptSettings):
        self.source, self.s = source, settings
        self.clip = copy.deepcopy(clip).requires_grad_(True)
        self.target, self.ema = (copy.deepcopy(source) for _ in range(2))
        self.context = make_context(clip, *WORDS, settings)
        self.mapper = new_mapper(clip, self.context, settings, 0).to(clip.mean.device)
        self.mapper_optimizer = torch.optim.Adam(self.mapper.parameters(), lr=settings.mapper_lr)
        self.optimizer = torch.optim.Adam(self.target.parameters(), lr=settings.lr, betas=(0.0, settings.beta2))
        self.noise = torch.Generator(clip.mean.device).manual_seed(0)

    def latents(self, count: int) -> Tensor:
        return torch.randn(count, self.source.config.z_dim, generator=self.noise, device=self.noise.device)

    def rows(self, w: Tensor) -> Tensor:
        return w.unsqueeze(1).repeat(1, self.source.num_ws, 1)

    def sentences(self, texts: list[str]) -> Tensor:
        """Features of sentences over all 77 rows."""
        ids = self.clip.tokenize(texts).to(self.clip.mean.device)
        x = self.clip.transformer(self.clip.token_embedding(ids) + self.clip.positional_embedding, attn_mask=self.clip.attn_mask)
        return self.clip.ln_final(x)[torch.arange(len(ids)), ids.argmax(dim=-1)] @ self.clip.text_projection

    def learned(self, prompts: Tensor, which: str) -> Tensor:
        """Features of learned sentences, one call of the transformer for each."""
        embeds, ids = self.context.assemble(prompts, which)
        embeds = embeds + self.clip.positional_embedding
        rows = torch.cat([self.clip.transformer(row[None], attn_mask=self.clip.attn_mask) for row in embeds])
        return self.clip.ln_final(rows)[:, int(ids[0].argmax())] @ self.clip.text_projection

    def stage1(self) -> None:
        """Everything again: constant sentences, both passes of the mapping network, CLIP's gradients."""
        z = self.latents(self.s.mapper_batch)
        prompts = self.mapper(codes(self.source, z))
        features = [self.learned(prompts, which) for which in ("source", "target")]
        with torch.no_grad():
            shown = images(self.source, self.rows(codes(self.source, z)), self.noise)
        shown = self.clip.encode_image(shown).detach()
        bases = [self.sentences([f"{self.s.prompt} {word}."]).detach() for word in WORDS]
        anchors = [F.normalize(self.sentences([t.format(w) for t in TEMPLATES]).detach(), dim=-1).mean(0, keepdim=True) for w in WORDS]
        loss, _ = ipl_stage1_loss(shown, *features, *bases, *anchors, scale=self.clip.logit_scale.exp())
        for module in (self.mapper, self.clip, self.source, self.target):
            module.zero_grad(set_to_none=True)
        loss.backward()
        self.mapper_optimizer.step()

    def select(self) -> tuple[int, ...]:
        """Gradients of all weights, whole batch, one step of SGD on w."""
        self.target.requires_grad_(True)
        first = self.rows(codes(self.source, self.latents(self.s.select_batch)))
        ws = first.clone().requires_grad_(True)
        optimizer = torch.optim.SGD([ws], lr=0.01)
        loss = clip_similarity_loss(self.clip.encode_image(images(self.target, ws, self.noise)), self.sentences([WORDS[1]]))
        loss.backward()
        optimizer.step()
        moved = (ws.detach() - first).abs().mean(dim=-1).mean(dim=0)
        return tuple(moved.topk(num_rows(self.target.num_ws, self.s.rows_share)).indices.tolist())

    def stage2(self) -> None:
        """Selection, two generators, both image branches with gradients, Adam on everything, an average of everything."""
        with torch.no_grad():
            w = codes(self.source, self.latents(self.s.batch))
            prompts = self.mapper(w)
            texts = [self.learned(prompts, which) for which in ("source", "target")]
        rows = self.select()
        self.target.requires_grad_(False)
        for p in parameters_of_rows(self.target, rows, table="upstream"):
            p.requires_grad_(True)
        with torch.no_grad():
            before = images(self.source, self.rows(w), self.noise)
        after = images(self.target, self.rows(w), self.noise)
        ends = [text + self.sentences([self.s.prompt]).detach() for text in texts]
        loss = alignment_loss(self.clip.encode_image(before), self.clip.encode_image(after), direction(*ends))
        for module in (self.source, self.target):
            module.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        with torch.no_grad():
            new, old = self.target.state_dict(), self.ema.state_dict()
            for name, tensor in old.items():
                tensor.copy_(tensor * self.s.ema + new[name] * (1 - self.s.ema))


class Ours:
    """The package's own functions, called as `adapt` calls them."""

    def __init__(self, source: Generator, clip: Clip, settings: AdaptSettings):
        self.source, self.clip, self.s = source, clip, settings
        self.context = make_context(clip, *WORDS, settings)
        self.set_words()
        self.look = Look(clip, settings, 0)
        mapper = new_mapper(clip, self.context, settings, 0).to(clip.mean.device).requires_grad_(False)
        sides = [TextSide(clip, self.context, which, settings, stage=2) for which in ("source", "target")]
        self.direction = prompt_direction(mapper, *sides)
        self.pool = latent_pool(source, clip, 2 * settings.mapper_batch, 0)

    def draw(self) -> None:
        """One batch of the pool: what a step of the first domain costs beside the text."""
        latent_pool(self.source, self.clip, self.s.mapper_batch, 1)

    def set_words(self) -> None:
        """What a run pays once for its two words: the template anchors."""
        self.anchors = tuple(template_anchor(self.clip, word) for word in WORDS)

    def text(self, steps: int) -> None:
        """Steps of stage 1 once the pool is there, with the set-up of the mapper."""
        settings = replace(self.s, mapper_steps=steps)
        train_mapper(self.clip, self.context, self.pool, self.anchors, settings, 0, progress=False)

    def run(self, **changes):
        """A function that makes one step of stage 2 with other settings."""
        settings = replace(self.s, **changes)
        selector = make_selector(self.clip, WORDS[1], settings, 0)
        plugs = Plugs(self.direction, image_anchor(self.look, self.source), selector)
        state = start(self.source, plugs, settings, average=True)
        return lambda: advance(state, self.source, self.look, plugs, settings, 0)


class Clock:
    """Mean seconds of a call: on the wall, or of this process alone, which a busy machine disturbs less."""

    def __init__(self, device: str, clock: str):
        self.wait = torch.cuda.synchronize if device == "cuda" else lambda: None
        self.now = time.process_time if clock == "process" else time.perf_counter

    def __call__(self, function, times: int = 1) -> float:
        self.wait()
        began = self.now()
        for _ in range(times):
            function()
        self.wait()
        return (self.now() - began) / times


class Held:
    """Bytes that autograd keeps for a backward pass at most; weights are not counted, and what is kept twice counts once."""

    def __init__(self, *modules: nn.Module):
        self.now = self.most = 0
        self.times: dict[int, int] = {}
        self.weights = {p.untyped_storage().data_ptr() for module in modules for p in module.parameters()}

    def keep(self, tensor: Tensor):
        held, storage = self, tensor.untyped_storage()
        place, size = storage.data_ptr(), 0 if storage.data_ptr() in self.weights else storage.nbytes()

        class Kept:
            def __init__(self):
                self.tensor = tensor
                held.times[place] = held.times.get(place, 0) + 1
                held.now += size * (held.times[place] == 1)
                held.most = max(held.most, held.now)

            def __del__(self):
                held.times[place] -= 1
                held.now -= size * (held.times[place] == 0)

        return Kept()

    def most_of(self, function) -> int:
        """The most it held while `function` ran."""
        self.now = self.most = 0
        with torch.autograd.graph.saved_tensors_hooks(self.keep, lambda kept: kept.tensor):
            function()
        return self.most


def memory(theirs: Theirs, ours: Ours, micro: int) -> dict:
    """Peak memory of one selection on each side."""
    held, text = Held(theirs.target, theirs.clip, ours.source, ours.clip), theirs.sentences([WORDS[1]]).detach()
    with torch.no_grad():
        ws = ours.source.mapping(theirs.latents(ours.s.select_batch))
    before = held.most_of(theirs.select)
    after = held.most_of(lambda: row_scores(ours.source, ours.clip, text, ws, micro))
    line = {"quantity": "selection, bytes held for the backward pass", "theirs": before, "ours": after}
    return line | counted(round(after / before, 3)) | {"asked": "<= 0.25", "met": after <= before / 4, "micro_batch": micro}


def refuse_other_images(theirs: Theirs, ours: Ours) -> float:
    """The largest difference of a pixel between the two orders of work, given the same noise; stops where it is no rounding."""
    with torch.no_grad():
        ws = ours.source.mapping(theirs.latents(2))
        noises = [torch.Generator(ws.device).manual_seed(1) for _ in range(2)]
        one = images(ours.source, ws, noises[0])
        most = float((one - ours.source.synthesis(ws, noise_mode="random", generator=noises[1])).abs().max())
    if not most <= 1e-4 * max(1.0, float(one.abs().max())):
        raise SystemExit(f"the two orders of work need to give the same images; they differ by {most}")
    return most


def measure(theirs: Theirs, ours: Ours, rounds: int, steps: int, text_steps: int, seconds: Clock, tenths: bool = True) -> list[dict]:
    """Interleaved rounds: each round times both sides one after the other; medians and their ratio."""
    k_all, tenth, exact = ours.run(rows_share=1.0), ours.run(select_every=10), ours.run(select_every=1)
    for warm in (theirs.stage1, theirs.stage2, ours.draw, lambda: ours.text(1), k_all, exact):
        warm()
    columns = {}

    def note(name: str, value: float) -> None:
        columns.setdefault(name, []).append(value)

    for _ in range(rounds):
        note("their stage 1", seconds(theirs.stage1, steps))
        text = seconds(lambda: ours.text(text_steps)) / text_steps + seconds(ours.set_words) / ours.s.mapper_steps
        note("stage 1, further domain", text)
        note("stage 1, first domain", text + seconds(ours.draw, steps))
        note("their stage 2", seconds(theirs.stage2, steps))
        note("stage 2, selection each step", seconds(exact, steps))
        note("stage 2, k covers all rows", seconds(k_all, steps))
        if tenths:
            note("stage 2, selection every 10 steps", seconds(tenth, 10))
    lines, middle = [], statistics.median
    for name in columns:
        if name.startswith("stage"):
            before, after = columns[f"their {name[:7]}"], columns[name]
            line = {"quantity": name, "theirs_ms": round(1e3 * middle(before), 2), "ours_ms": round(1e3 * middle(after), 2)} | ratios(before, after)
            asked = ASKED.get(name)
            lines.append(line | ({"asked": f">= {asked}", "met": middle(before) / middle(after) >= asked} if asked else {"asked": "reported"}))
    return lines


def main() -> None:
    """Measure, print JSON lines, and write them where --out says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=("tiny", "world", "256", "paper"), default="world", help="256 and paper, which is 1024 px, with ViT-B/32 (default world)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default cpu)")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default 1)")
    parser.add_argument("--clock", choices=("wall", "process"), default="wall", help="process counts this process alone, all threads (default wall)")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds (default 5)")
    parser.add_argument("--steps", type=int, default=2, help="steps a round and side (default 2)")
    parser.add_argument("--text-steps", type=int, default=20, help="steps a round of our stage 1, set-up included (default 20)")
    parser.add_argument("--micro", type=int, default=4, help="images at a time in our selection, for time and memory (default 4)")
    parser.add_argument("--voters", type=int, default=8, help="images that choose layers; the published order holds all of them at once (default 8)")
    parser.add_argument("--mapper-batch", type=int, default=AdaptSettings().mapper_batch, help="images of a step of stage 1; the published order draws all of them at once (default 32)")
    parser.add_argument("--no-tenths", action="store_true", help="leave out the selection every 10 steps, which has no bar")
    parser.add_argument("--out", type=Path, help="file for the lines")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    kept = keep_memory()  # as `iplkit adapt` does; here both sides gain from it
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    settings = AdaptSettings(noise="independent", rows_share=2 / 3, select_every=1, select_micro=options.micro, select_batch=options.voters, mapper_batch=options.mapper_batch)
    source, clip = models(options.size, options.device)
    theirs = Theirs(source, clip, settings)  # with a copy of the CLIP
    ours = Ours(source, as_read(clip), settings)
    difference, clock = refuse_other_images(theirs, ours), Clock(options.device, options.clock)
    lines = [*measure(theirs, ours, options.rounds, options.steps, options.text_steps, clock, not options.no_tenths), memory(theirs, ours, options.micro)]
    where = f"{source.config.size} px, {options.threads} thread{'s' * (options.threads > 1)}" + f", {options.voters} voters" * (options.voters != 8)
    where += f", batch {options.mapper_batch} in stage 1" * (options.mapper_batch != AdaptSettings().mapper_batch)
    lines = [line | {"quantity": f"{line['quantity']}, {where}"} for line in lines]
    about = {"bar": "ipl", "size": options.size, "device": options.device, "threads": options.threads, "clock": options.clock, "load_before": load, "keep_memory": kept}
    about |= {"text_steps": options.text_steps, "torch": torch.__version__, "pixels_differ_by": difference}
    text = "".join(json.dumps(about | line) + "\n" for line in lines)
    print(text, end="")
    if options.out:
        with atomic_path(options.out) as temporary:
            temporary.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
