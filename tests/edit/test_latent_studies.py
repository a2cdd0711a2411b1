"""Studies of latent spaces run on small models and survive their files."""

import pytest
import torch

from iplkit.edit.latent_studies import run
from iplkit.edit.latent_studies.spaces import mixed_rows, split
from iplkit.errors import UserError
from iplkit.findings import read_finding, write_finding
from iplkit.invert.studies.lab import Lab
from iplkit.nets import ClassifierConfig, Identity, IdentityConfig, Judge
from iplkit.stylegan2.generator import Generator, GeneratorConfig
from iplkit.sweep.summary import Interval

SIZES = ClassifierConfig(size=32, width=8)
KNOWN = [0, 10, 18, 23]


@pytest.fixture(scope="module")
def lab():
    generator = Generator(GeneratorConfig(32, (16, 12, 8, 8), z_dim=32, n_mlp=2), seed=0)
    given = {"generator": generator, "judge": Judge(SIZES), "identity": Identity(IdentityConfig(size=32, width=8))}
    return Lab(6, 0, 7, {name: net.eval().requires_grad_(False) for name, net in given.items()})


@pytest.mark.parametrize(("name", "people"), [("row_matrix", 6), ("row_fit", 6), ("lab_report", 4), ("spaces", 80), ("directions", 6), ("path_length", 4)])
def test_every_study_gives_lines_that_survive_their_file(name, people, lab, tmp_path, monkeypatch):
    for module in ("row_matrix", "lab_report", "spaces", "directions"):
        monkeypatch.setattr(f"iplkit.edit.latent_studies.{module}.known_columns", lambda lab: KNOWN)
    monkeypatch.setattr("iplkit.edit.latent_studies.row_matrix.fitted", Lab.read)  # the fit takes a minute
    monkeypatch.setattr("iplkit.edit.latent_studies.lab_report.CODES", 100)
    monkeypatch.setattr("iplkit.edit.latent_studies.directions.COMPONENTS", 2)
    finding = run.run_study(name, Lab(people, 0, 7, lab.given))
    assert any(isinstance(value, Interval) for row in finding.rows for value in row.values())
    path = write_finding("latent", finding, tmp_path)
    kept = read_finding("latent", name, tmp_path)
    assert path.name == f"latent-{name.replace('_', '-')}.json" and len(kept.rows) == len(finding.rows)
    assert all(set(a) == set(b) for a, b in zip(kept.rows, finding.rows)) and kept.about["n"] == people


def test_an_unknown_study_or_one_without_numbers_is_refused(tmp_path):
    with pytest.raises(UserError, match="one of row_matrix"):
        run.run_study("weather", None)
    with pytest.raises(UserError, match="latent_studies.run spaces"):
        read_finding("latent", "spaces", tmp_path)


def test_mixed_codes_have_a_person_a_row(lab):
    ws = mixed_rows(lab)
    assert ws.shape == (6, 8, 512) and len(torch.unique(ws.flatten(0, 1), dim=0)) == 48


def test_what_is_scored_was_never_learned_from():
    parts = [set(range(80)[part]) for part in split(80)]
    assert [len(p) for p in parts] == [60, 10, 10] and not parts[0] & parts[1] and not (parts[0] | parts[1]) & parts[2]
