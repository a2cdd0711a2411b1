"""A run that is killed at any moment ends with the bytes of one that was not."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("kill_runs.py")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the script forks")
@pytest.mark.parametrize(("method", "moments"), [("ipl", 3), ("air", 3)])
def test_a_killed_run_resumes_and_ends_with_the_same_bytes(method, moments, tmp_path):
    out = tmp_path / "kills.jsonl"
    command = [sys.executable, str(SCRIPT), "--method", method, "--moments", str(moments), "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    line = json.loads(done.stdout)
    assert line["equal"] == line["kills"] == moments
    assert [json.loads(text) for text in out.read_text().splitlines()] == [line] and len(line["deaths"]) == moments
