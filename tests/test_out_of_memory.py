"""A GPU without room, on the command line."""

import torch
from click.testing import CliRunner

from iplkit.cli import OneSentence


def test_a_gpu_without_room_is_one_sentence_and_other_failures_are_not_hidden():
    group = OneSentence()

    @group.command()
    def full():
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")

    @group.command()
    def broken():
        raise RuntimeError("something else")

    said = CliRunner().invoke(group, ["full"])
    assert said.exit_code == 2 and said.stderr.startswith("Error: the GPU has no room for this; --memory")
    assert len(said.stderr.strip().splitlines()) == 1
    assert isinstance(CliRunner().invoke(group, ["broken"]).exception, RuntimeError)
