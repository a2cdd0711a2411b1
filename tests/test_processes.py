"""Two processes give what one gives, and a failure of one ends both with one sentence."""

import json
import multiprocessing
import os
import socket
from datetime import timedelta

import pytest
import torch

from iplkit.errors import UserError
from iplkit.evaluate import Options, evaluate
from iplkit.processes import ALONE, Team, team
from iplkit.stylegan2.checkpoints import save_generator
from iplkit.stylegan2.generator import Generator, GeneratorConfig

TINY = GeneratorConfig(size=16, channels=(4, 4, 4), n_mlp=1)
QUICK = Options(metrics=("fid_low_rank", "kid", "scs", "lpips"), n=150, rounds=0)
SECONDS = 120  # a busy machine


def started(work, folder, count=2):
    """What each of some processes left in its file: the result of ``work(team)``, or its sentence."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ours = multiprocessing.get_context("fork")
    members = [ours.Process(target=_member, args=(work, folder, rank, count, port)) for rank in range(count)]
    for member in members:
        member.start()
    for member in members:
        member.join(SECONDS)
        if member.is_alive():
            member.kill()
            pytest.fail("a process waits for ever")
    files = [folder / f"{rank}.json" for rank in range(count)]
    return [json.loads(file.read_text()) if file.is_file() else None for file in files]


def _member(work, folder, rank, count, port):
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(count), "LOCAL_RANK": str(rank), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    try:
        with team(timedelta(seconds=60)) as mates:
            result = work(mates)
    except UserError as error:
        result = f"refused: {error}"
    (folder / f"{rank}.json").write_text(json.dumps(result))
    os._exit(0)  # the parent's own exit belongs to the parent


def scores(report):
    return None if report is None else {f"{s.settings['metric']} of {s.settings['of']}": s.value for s in report.scores}


def test_two_processes_give_the_numbers_of_one(tmp_path):
    for seed in (0, 1):
        save_generator(tmp_path / f"g{seed}.safetensors", Generator(TINY, seed), {})
    a, b = tmp_path / "g0.safetensors", tmp_path / "g1.safetensors"
    alone = scores(evaluate(a, b, QUICK))
    first, second = started(lambda mates: scores(evaluate(a, b, QUICK, team=mates)), tmp_path)
    assert second is None and first.keys() == alone.keys() and len(alone) == 4
    for name, value in alone.items():
        assert abs(first[name] - value) <= 1e-6 * max(1, abs(value)), name


def test_values_come_in_the_order_of_the_processes(tmp_path):
    assert started(lambda mates: mates.gather(torch.full((2,), mates.rank).tolist()), tmp_path, 3) == [[[0, 0], [1, 1], [2, 2]], None, None]


def test_a_process_that_refuses_stops_all_with_its_sentence(tmp_path):
    def work(mates):
        if mates.rank == 1:
            raise UserError("no such picture")
        return mates.gather(1)

    assert started(work, tmp_path) == ["refused: process 1 of 2 stopped: no such picture"] * 2


def test_a_failure_of_the_first_after_the_others_are_ready_is_told_too(tmp_path):
    def work(mates):
        if mates.gather(mates.rank):
            raise UserError("the scores do not fit")

    assert started(work, tmp_path) == ["refused: process 0 of 2 stopped: the scores do not fit"] * 2


def test_a_process_that_dies_leaves_nobody_waiting(tmp_path):
    first, second = started(lambda mates: os._exit(9) if mates.rank == 1 else mates.gather(1), tmp_path)
    assert second is None and first.startswith("refused: 2 processes need all of them to answer; one died, or was silent")


def test_blocks_are_dealt_in_turn_and_none_is_lost():
    assert Team(1, 2).own(300, 64) == [(64, 128), (192, 256)]
    assert sorted(rows for rank in range(3) for rows in Team(rank, 3).own(130, 64)) == [(0, 64), (64, 128), (128, 130)]
    assert Team(2, 3).own(64, 64) == [] and ALONE.own(5, 64) == [(0, 5)]
    assert Team(1, 2, 1).device("cuda") == "cuda:1" and ALONE.device("cuda") == "cuda" and Team(1, 2, 1).device("cpu") == "cpu"


def test_one_process_is_alone():
    with team() as mates:
        assert mates is ALONE and mates.first and mates.gather("x") == ["x"]
