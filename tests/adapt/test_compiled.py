"""A compiled run is the plain one, and a compiler that fails or hangs stops nothing."""

import sys

import pytest
import torch
from torch.testing import assert_close

from iplkit.adapt import AdaptSettings, adapt
from iplkit.adapt.compiled import paint_of, why_not
from iplkit.adapt.loop import advance
from iplkit.adapt.methods import check_precision
from iplkit.adapt.parts import Parts
from iplkit.errors import UserError

SETTINGS = AdaptSettings(steps=2, batch=1, selector="all", ema=0.9, save_every=1)


@pytest.fixture
def run(tiny_generator, tiny_clip):
    def made(**options):
        return adapt(tiny_generator, tiny_clip, "nada", "photo", "sketch", SETTINGS, progress=False, **options)

    return made


@pytest.fixture
def counted():
    """A backend that counts the programs it is given and runs them as they are."""
    torch._dynamo.reset()
    graphs = []

    def backend(graph, inputs):
        graphs.append(graph)
        return graph.forward

    return backend, graphs


def test_the_first_steps_of_a_compiled_run_are_those_of_the_plain_one(run, counted):
    backend, graphs = counted
    plain, fast = run(), run(compile_with=backend)
    assert len(graphs) == 1, "one program draws the image, without a break"
    for a, b in zip(plain.log, fast.log, strict=True):
        assert_close(a["loss"], b["loss"], rtol=1e-4, atol=1e-4)
    for a, b in zip(plain.generator.parameters(), fast.generator.parameters(), strict=True):
        assert_close(a, b, rtol=1e-4, atol=1e-4)


@pytest.mark.filterwarnings("default:The run goes on uncompiled")
@pytest.mark.parametrize("when", ["forward", "backward"])
def test_where_compiling_fails_the_run_goes_on_uncompiled_and_says_so_once(run, when):
    from torch._dynamo.backends.common import aot_autograd

    def fails(graph, inputs):
        raise RuntimeError("no such\ncompiler")

    torch._dynamo.reset()
    backend = fails if when == "forward" else aot_autograd(fw_compiler=lambda graph, inputs: graph.forward, bw_compiler=fails)
    with pytest.warns(UserWarning, match="goes on uncompiled, with the same result: .*no such compiler") as told:
        fast = run(compile_with=backend)
    assert len([w for w in told if "uncompiled" in str(w.message)]) == 1 and "\n" not in str(told[0].message)
    assert [row["loss"] for row in fast.log] == [row["loss"] for row in run().log]


@pytest.mark.parametrize("command, words", [
    (["-c", "import time; time.sleep(60)"], "was not done after 0.3 seconds"), (["-c", "raise OSError('no g++')"], "the compiler failed .OSError: no g"),
    (["-c", "raise SystemExit(3)"], "the compiler failed .it said nothing"), (["-c", "pass"], "^$"),
])  # fmt: skip
def test_a_compiler_that_fails_or_hangs_is_named_in_one_sentence(command, words):
    import re

    limit = 0.3 if "sleep" in command[1] else 60
    assert re.search(words, why_not(torch.device("cpu"), limit, [sys.executable, *command]))


def test_a_trial_that_fails_is_a_warning_and_nothing_is_compiled(tiny_generator, monkeypatch):
    monkeypatch.setattr("iplkit.adapt.compiled.why_not", lambda device, limit: "there is no compiler")
    with pytest.warns(UserWarning, match="The run goes on uncompiled, with the same result: there is no compiler.$"):
        assert paint_of(tiny_generator.synthesis, "inductor") is None


def test_compiled_or_in_parts_is_a_choice(run):
    with pytest.raises(UserError, match="in parts to fit a memory, or compiled; both were asked for"):
        run(compile_with="eager", parts=Parts(1))


def test_a_compiled_run_goes_on_from_a_plain_ones_checkpoint(run, counted, tmp_path, monkeypatch):
    whole = run()

    def stopped(state, *rest):
        if state.step == 1:
            raise KeyboardInterrupt
        return advance(state, *rest)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("iplkit.adapt.loop.advance", stopped)
        run(resume_dir=tmp_path)
    went_on = run(resume_dir=tmp_path, compile_with=counted[0])
    assert len(counted[1]) == 1 and [row["step"] for row in went_on.log] == [1, 2]
    assert_close(went_on.log[-1]["loss"], whole.log[-1]["loss"], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("device, has, refused", [("cuda", False, True), ("cuda", True, False), ("cpu", False, False), ("meta", True, True)])
def test_bfloat16_is_refused_where_the_device_cannot(monkeypatch, device, has, refused):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: has)
    check_precision("float32", torch.device(device))
    if refused:
        with pytest.raises(UserError, match=f"precision bfloat16 needs a device that computes in it.*; {device} does not"):
            check_precision("bfloat16", torch.device(device))
    else:
        check_precision("bfloat16", torch.device(device))
