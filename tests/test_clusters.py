"""The profiles for clusters. Kubernetes itself is not here: a stand-in for kubectl shows that our scripts speak its words."""

import os
import subprocess
import sys

import pytest
import yaml
from small_book import REPOSITORY

PROFILES = REPOSITORY / "profiles"
KUBECTL = """#!{python}
import json, pathlib, subprocess, sys, yaml
here, what = pathlib.Path(__file__).parent, sys.argv[1]
if what == "create":
    job = yaml.safe_load(sys.stdin)
    (here / "job.json").write_text(json.dumps(job))
    name = job["metadata"]["generateName"] + "x1"
    step = job["spec"]["template"]["spec"]["containers"][0]
    code = subprocess.run(step["command"], cwd=step["workingDir"]).returncode
    (here / name).write_text("/1" if code else "1/")
    print(f"job.batch/{{name}}")
elif what == "get":
    path = here / pathlib.Path(sys.argv[2]).name
    if path.exists():
        sys.stdout.write("found " + path.read_text())
else:
    for name in sys.argv[3:]:
        (here / pathlib.Path(name).name).unlink()
"""


@pytest.fixture
def kubectl(tmp_path, monkeypatch):
    """A stand-in that runs a Job at once, on this machine; returns the folder of its Jobs."""
    program = tmp_path / "bin" / "kubectl"
    program.parent.mkdir()
    program.write_text(KUBECTL.format(python=sys.executable))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    return program.parent


def call(script, *arguments, cwd):
    return subprocess.run([PROFILES / "kubernetes" / script, *arguments], cwd=cwd, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("ends, says", [("exit 0", "success"), ("exit 3", "failed")])
def test_a_step_becomes_a_job_that_ends_as_the_step_did(kubectl, tmp_path, ends, says):
    clone = tmp_path / "clone"
    clone.mkdir()
    (clone / "step.sh").write_text(f"pwd >where.txt\n{ends}\n")
    name = call("submit", str(clone / "step.sh"), cwd=clone)
    assert name == "job.batch/iplkit-x1"
    assert (clone / "where.txt").read_text().strip() == str(clone), "it runs in the clone"
    assert call("status", name, cwd=clone) == says
    call("cancel", name, cwd=clone)
    assert call("status", name, cwd=clone) == "failed", "what is gone is not waited for"


def test_a_job_has_the_volume_where_the_clone_is_and_is_not_tried_again(kubectl, tmp_path, monkeypatch):
    monkeypatch.setenv("IPLKIT_CLAIM", "mine")
    (tmp_path / "step.sh").write_text("")
    call("submit", str(tmp_path / "step.sh"), cwd=tmp_path)
    spec = yaml.safe_load((kubectl / "job.json").read_text())["spec"]
    pod = spec["template"]["spec"]
    assert spec["backoffLimit"] == 0 and pod["restartPolicy"] == "Never", "Snakemake decides what is tried again"
    assert pod["volumes"][0]["persistentVolumeClaim"] == {"claimName": "mine"}
    assert pod["containers"][0]["volumeMounts"][0]["mountPath"] == str(tmp_path.parent)


def test_a_job_that_has_not_ended_is_running(kubectl, tmp_path):
    (kubectl / "iplkit-x2").write_text("/")
    assert call("status", "job.batch/iplkit-x2", cwd=tmp_path) == "running"


def test_a_server_that_does_not_answer_is_asked_again(kubectl, tmp_path):
    (kubectl / "kubectl").write_text("#!/bin/sh\nexit 1\n")
    assert call("status", "job.batch/iplkit-x3", cwd=tmp_path) == "running"


@pytest.mark.parametrize("name", ["slurm", "kubernetes"])
def test_a_profile_names_an_executor_and_scripts_that_are_there(name):
    profile = yaml.safe_load((PROFILES / name / "config.yaml").read_text())
    assert profile["executor"] in ("slurm", "cluster-generic") and profile["jobs"] > 1
    commands = [value for key, value in profile.items() if key.endswith("-cmd")]
    assert all(os.access(REPOSITORY / command, os.X_OK) for command in commands)
