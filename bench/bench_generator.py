"""StyleGAN2's generator on the CPU: our order of work against the one of rosinality's code, at 64, 256 and 1024 px.

Both sides have the same random weights, batch, codes and noise, and take turns; who starts changes with the round. "Forward" keeps
no graph; "forward and backward" walks back to every weight of the synthesis network. The other side is `upstream_order.py`, written
from a description: a kernel for each image and a grouped convolution, the filter for itself, bias and leaky ReLU in steps. Its
images equal ours to 1e-4, which every run checks first. With --peer FOLDER the code itself is timed beside both: FOLDER holds its
model.py, whose compiled parts are replaced by its own fallbacks for the CPU.

Ratios are medians over the rounds; low and high are the smallest and the largest ratio of one round. Both sides keep freed memory
(`iplkit.keep_memory`) or neither does (--stock); our code keeps it by itself, theirs does not.

The last lines are a roofline: which share of this machine's rate of multiplications the generator reaches. Operations are counted
by torch (two for a multiplication with its addition; filters count, elementwise work does not). The convolution rate is that of the
generator's own 3 x 3 convolutions one by one, forward, without anything around them, channels innermost, weighted as they occur;
the matrix rate is that of a product of two 2048 x 2048 matrices. Stage 2 is one update as `adapt` makes it: source images, adapted
images, a ViT-B/32 that sees both, gradients of the layers that 2/3 of the rows drive; no vote.

With --native our side uses the operations of `iplkit.native`, and one more line for each size holds it against itself without them.

    python bench/bench_generator.py --tiny                  seconds: proves that it runs
    python bench/bench_generator.py                         256 px, batch 4
    python bench/bench_generator.py --sizes 64 256 1024 --rounds 5 --peer stylegan2-pytorch
"""

import argparse
import importlib
import json
import statistics
import sys
import time
import types
from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F

from record import add, machine, ratios
from upstream_order import images

from iplkit.keep_memory import keep_memory
from iplkit.stylegan2.generator import Generator, GeneratorConfig

CHANNELS = {4: 512, 8: 512, 16: 512, 32: 512, 64: 512, 128: 256, 256: 128, 512: 64, 1024: 32}  # configuration F
BATCH = {64: 4, 256: 4, 1024: 1}
ASKED = {256: 2.0, 1024: 1.5}


def config(size: int, width: int = 1) -> GeneratorConfig:
    """Configuration F at a size; its channels divided by `width`."""
    return GeneratorConfig(size, [CHANNELS[4 * 2**k] // width for k in range(size.bit_length() - 2)], n_mlp=8)


class Side:
    """One way to draw: a function of nothing to images, and the weights it walks back to."""

    def __init__(self, name: str, draw, weights):
        self.name, self.draw, self.weights, self.seconds = name, draw, list(weights), {"forward": [], "both": []}

    def forward(self) -> None:
        with torch.no_grad():
            self.draw()

    def both(self) -> None:
        for weight in self.weights:
            weight.grad = None
        self.draw().square().mean().backward()

    def time(self, now) -> None:
        for kind in self.seconds:
            began = now()
            getattr(self, kind)()
            self.seconds[kind].append(now() - began)


def sides(generator: Generator, batch: int, peer) -> list[Side]:
    """Ours, theirs, and theirs as it is, if it is here."""
    ws = generator.mapping(torch.randn(batch, 512, generator=torch.Generator().manual_seed(1))).detach()
    for layer in generator.synthesis.layers.values():
        if hasattr(layer, "noise_strength"):
            layer.noise_strength.data.fill_(0.1)

    def rng() -> torch.Generator:
        return torch.Generator().manual_seed(2)

    weights = generator.synthesis.parameters()
    made = [Side("ours", lambda: generator.synthesis(ws, noise_mode="random", generator=rng()), weights)]
    made.append(Side("theirs", lambda: images(generator, ws, rng()), generator.synthesis.parameters()))
    if peer is not None:
        twin = load_peer(peer, generator)
        noise = list(generator.synthesis.draw_noise(batch, "random", rng()).values())

        def drawn() -> torch.Tensor:
            return twin([ws], input_is_latent=True, noise=None if drawn.own else noise)[0]

        drawn.own = False
        made.append(Side("peer", drawn, [p for n, p in twin.named_parameters() if not n.startswith("style.")]))
    check_images(made)
    if peer is not None:
        drawn.own = True  # as the others, it draws new noise in each pass
    return made


def against_plain(size: int, batch: int, ours: Side, rounds: int, now) -> list[dict]:
    """Native operations against torch's own, our side without them over our side with them: interleaved rounds."""
    from iplkit import native

    plain, switches = Side("plain", ours.draw, ours.weights), (native.disable, native.enable)
    pair = Side("native", ours.draw, ours.weights)
    for turn in range(rounds + 1):
        for on in (False, True) if turn % 2 == 0 else (True, False):
            switches[on]()
            (plain, pair)[on].time(now)
    lines = []
    for kind, words in (("forward", "forward"), ("both", "forward and backward")):
        slow, fast = plain.seconds[kind][1:], pair.seconds[kind][1:]  # the first round warms up
        what = f"generator, {size} px, batch {batch}, {words}: torch's own operations against native ones"
        lines.append({"quantity": what, "seconds": round(statistics.median(fast), 3)} | ratios(slow, fast))
    native.enable()
    return lines


def check_images(made: list[Side]) -> None:
    """Stop unless all sides draw the same images."""
    with torch.no_grad():
        first, *others = [side.draw() for side in made]
    for side, other in zip(made[1:], others, strict=True):
        apart = float((first - other).abs().max() / first.abs().max())
        if not apart <= 1e-4:
            raise SystemExit(f"{side.name} needs to draw our images; they differ by {apart:.1e} of the largest value")


def load_peer(folder: Path, generator: Generator):
    """The peer's generator with our weights. Its two compiled modules are never built: on the CPU its code does not call them."""
    import tempfile

    import torch.utils.cpp_extension as extension

    from iplkit.stylegan2.checkpoints import save_rosinality

    real, extension.load = extension.load, lambda *a, **k: types.SimpleNamespace()
    sys.path.insert(0, str(folder))
    try:
        model = importlib.import_module("model")
    finally:
        extension.load = real
        sys.path.remove(str(folder))
    twin = model.Generator(generator.config.size, 512, generator.config.n_mlp)
    with tempfile.TemporaryDirectory() as work:
        save_rosinality(Path(work) / "g.pt", generator)
        twin.load_state_dict(torch.load(Path(work) / "g.pt", weights_only=True)["g_ema"])
    return twin


def compare(size: int, batch: int, made: list[Side], rounds: int, now) -> list[dict]:
    """Interleaved rounds; one line for each kind and other side."""
    for side in made:
        side.both()
    for turn in range(rounds):
        for side in made if turn % 2 == 0 else made[::-1]:
            side.time(now)
    ours, lines = made[0], []
    for kind, words in (("forward", "forward"), ("both", "forward and backward")):
        pairs = [(f"{side.name} against ours", side, ours) for side in made[1:]]
        pairs += [("the baseline against the peer", made[1], made[2])] if len(made) > 2 else []
        for what, slow, fast in pairs:
            line = {"quantity": f"generator, {size} px, batch {batch}, {words}: {what}", "seconds": round(statistics.median(fast.seconds[kind]), 3)}
            line |= ratios(slow.seconds[kind], fast.seconds[kind])
            if what == "theirs against ours" and kind == "both" and size in ASKED:
                line |= {"asked": f">= {ASKED[size]:g}", "met": line["ratio"] >= ASKED[size]}
            if what.startswith("the baseline"):
                line |= {"asked": "0.9 to 1.1", "met": 0.9 <= line["ratio"] <= 1.1}
            lines.append(line)
    return lines


def best(function, now, rounds: int = 1) -> float:
    """Seconds of the fastest call."""
    found = []
    for _ in range(rounds):
        began = now()
        function()
        found.append(now() - began)
    return min(found)


def convolutions(generator: Generator, batch: int) -> tuple[list, int]:
    """The generator's 3 x 3 convolutions alone, each a function, and their operations."""
    calls, work = [], 0
    layout = torch.channels_last if generator.synthesis.wide else torch.contiguous_format
    for layer in generator.synthesis.layers.values():
        if not hasattr(layer, "up"):
            continue
        o, i = layer.weight.shape[:2]
        side = layer.size // 2 if layer.up else layer.size  # the transposed convolution has as many operations, from the smaller map
        x = torch.randn(batch, i, side, side).contiguous(memory_format=layout)
        calls.append(lambda x=x, w=layer.weight: F.conv2d(x, w, padding=1))
        work += 2 * batch * side**2 * i * o * 9
    return calls, work


def roofline(generator: Generator, batch: int, rounds: int, now, tiny: bool) -> list[dict]:
    """Shares of the machine's rates in the forward pass and in stage 2; every round times the rates again, just before."""
    from iplkit.adapt.meter import measure

    size = generator.config.size
    a = torch.randn(2048, 2048)
    step, (calls, work) = stage2(generator, batch, tiny), convolutions(generator, batch)
    synthesis, ws = generator.synthesis, generator.mapping(torch.randn(batch, 512)).detach()

    def forward() -> None:
        with torch.no_grad():
            synthesis(ws, noise_mode="const")

    def convolution() -> float:
        with torch.no_grad():
            return work / sum(best(call, now, 3) for call in calls)

    lines = []
    for what, function, asked in (("forward", forward, None), ("stage 2", step, 0.6)):
        needs = measure(function)[1]
        convolution()
        rates, reached, matrix = [], [], []
        for _ in range(rounds):
            rates.append(convolution())
            reached.append(needs / best(function, now, 2))
            matrix.append(2 * 2048**3 / best(lambda: a @ a, now, 2))
        line = {"quantity": f"roofline, {size} px, batch {batch}, {what}: share of the convolution rate"} | ratios(reached, rates, 3)
        middle = {name: statistics.median(values) for name, values in (("gflops", reached), ("convolution_gflops", rates), ("matrix_gflops", matrix))}
        line |= {name: round(value / 1e9, 1) for name, value in middle.items()} | {"share_of_matrix_rate": ratios(reached, matrix, 3)["ratio"]}
        lines.append(line | ({"asked": f">= {asked}", "met": line["ratio"] >= asked} if asked and size == 256 else {}))
    return lines


def stage2(source: Generator, batch: int, tiny: bool):
    """A function that makes one update of stage 2."""
    from bench_ipl import as_read, models

    from iplkit.adapt import AdaptSettings
    from iplkit.adapt.anchors import image_anchor
    from iplkit.adapt.look import Look
    from iplkit.adapt.loop import Plugs, advance, start
    from iplkit.adapt.selectors import Selector
    from iplkit.stylegan2.styles import parameters_of_rows

    clip = as_read(models("tiny" if tiny else "256", "cpu")[1])
    source.requires_grad_(False)
    settings = replace(AdaptSettings(), batch=batch)
    look, text = Look(clip, settings, 0), F.normalize(torch.randn(1, clip.encode_text(clip.tokenize(["a photo"])).shape[1]), dim=1)
    rows = tuple(range(source.num_ws - int(source.num_ws * 2 / 3), source.num_ws))
    selector = Selector(every=0, choose=lambda g, step: rows, parameters=parameters_of_rows)
    plugs = Plugs(lambda w: text, image_anchor(look, source), selector)
    state = start(source, plugs, settings, average=True)
    return lambda: advance(state, source, look, plugs, settings, 0)


def main() -> None:
    """Measure, print JSON lines, and add them to the history."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[256], help="64, 256, 1024 (default 256)")
    parser.add_argument("--batch", type=int, help="images (default 4; 1 at 1024 px)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds (default 3)")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads (default 2)")
    parser.add_argument("--clock", choices=("wall", "process"), default="wall", help="process counts this process alone (default wall)")
    parser.add_argument("--peer", type=Path, help="folder with rosinality's model.py")
    parser.add_argument("--stock", action="store_true", help="leave the C library's allocator as it is")
    parser.add_argument("--native", action="store_true", help="our side with its native operations")
    parser.add_argument("--no-roofline", action="store_true", help="ratios only")
    parser.add_argument("--tiny", action="store_true", help="16 px, few channels: proves that it runs")
    parser.add_argument("--out", type=Path, help="file for the lines")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    now = time.perf_counter if options.clock == "wall" else time.process_time
    kept = not options.stock and keep_memory()
    about = machine() | {"threads": options.threads, "rounds": options.rounds, "clock": options.clock, "keep_memory": kept}
    about |= {"native": bool(options.native and _native())}
    lines = []
    for size in [16] if options.tiny else options.sizes:
        batch = options.batch or BATCH.get(size, 4)
        generator = Generator(config(size, 16 if options.tiny else 1), seed=0)
        made = sides(generator, batch, options.peer)
        found = compare(size, batch, made, options.rounds, now)
        if about["native"]:
            found += against_plain(size, batch, made[0], options.rounds, now)
        if not options.no_roofline and size <= 256:
            found += roofline(generator, batch, options.rounds, now, options.tiny)
        for line in found:
            special = ", native operations" * (about["native"] and "native" not in line["quantity"]) + ", stock allocator" * (not kept)
            what, colon, ways = line["quantity"].partition(": ")
            threads = f", {options.threads} thread{'s' * (options.threads > 1)}"
            lines.append({"bench": "generator"} | line | about | {"quantity": what + threads + colon + ways + special})
            print(json.dumps(lines[-1]), flush=True)
    add(lines, options.out, history=not options.tiny)


def _native() -> bool:
    from iplkit import native

    return native.enable()


if __name__ == "__main__":
    main()
