import csv
import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from click.testing import CliRunner
from PIL import Image

from iplkit import zoo
from iplkit.cli import main
from iplkit.differences import write_difference
from iplkit.errors import UserError
from iplkit.evaluate import Options, compare, evaluate
from iplkit.evaluate_sets import Folder, Samples, open_set
from iplkit.evaluate_table import METRICS, ROLES
from iplkit.extractors.dinov2 import DinoV2, VitConfig
from iplkit.extractors.lpips import lpips_of_pairs
from iplkit.extractors.world import world_extractor
from iplkit.features import extract
from iplkit.images import to_uint8, write_image
from iplkit.metrics.identity import identity
from iplkit.metrics.intra_lpips import intra_lpips_nearest
from iplkit.metrics.kernel import kid
from iplkit.metrics.scs import scs
from iplkit.stylegan2.checkpoints import save_generator
from iplkit.stylegan2.generator import Generator, GeneratorConfig
from iplkit.weights import sha256

SMALL = GeneratorConfig(size=32, channels=(8, 8, 8, 8), n_mlp=2)
QUICK = Options(rounds=0)


def fill(folder, n=12, seed=0, size=32, names=None):
    folder.mkdir(parents=True, exist_ok=True)
    rng = torch.Generator().manual_seed(seed)
    for i in range(n):
        write_image(folder / f"{names[i] if names else f'{i:03d}'}.png", torch.rand(3, size, size, generator=rng) * 2 - 1)
    return folder


@pytest.fixture
def folders(tmp_path):
    return fill(tmp_path / "a", seed=1), fill(tmp_path / "b", seed=2)


@pytest.fixture
def generators(tmp_path):
    for seed, name in ((0, "source"), (1, "target")):
        save_generator(tmp_path / f"{name}.safetensors", Generator(SMALL, seed), {})
    return tmp_path / "source.safetensors", tmp_path / "target.safetensors"


def value(report, metric, of="A and B"):
    return next(s for s in report.scores if s.settings["metric"] == metric and s.settings["of"] == of)


def test_folders_get_the_values_of_the_functions_on_their_pictures(folders):
    a, b = (torch.cat(list(Folder(f).batches())) for f in folders)
    judge, edges, person = (world_extractor(name) for name in ("judge", "edges", "identity"))
    report = evaluate(*folders, Options(metrics=("kid", "scs", "id"), rounds=0))
    assert value(report, "scs").value == scs(edges(a)["edges"], edges(b)["edges"]).value
    want = identity(extract(person, a)["embedding"], extract(person, b)["embedding"]).value
    assert value(report, "id").value == pytest.approx(want, abs=1e-6)
    assert value(report, "kid").extractor == "judge" and value(report, "kid").extractor_hash == judge.hash
    assert value(report, "kid").value == pytest.approx(kid(judge(a)["pool"], judge(b)["pool"]).value, rel=1e-6)


def test_a_set_beside_itself_has_lost_nothing(folders):
    report = evaluate(folders[0], folders[0], Options(metrics=("scs", "id", "lpips"), rounds=20))
    assert value(report, "scs").value == pytest.approx(1, abs=1e-12) and value(report, "id").value == pytest.approx(1, abs=1e-6)
    assert value(report, "lpips").value == 0
    assert value(report, "scs").interval == pytest.approx((1, 1))


def test_what_does_not_apply_is_skipped_with_its_reason(folders):
    report = evaluate(*folders, QUICK)
    assert {s.settings["metric"] for s in report.scores} >= {"kid", "vendi", "scs", "id", "lpips", "direction_agreement"}
    assert "at least 257 images of each side; there are 12 and 12; use kid" in report.skipped["fid"]
    assert "give --source and --target" in report.skipped["clip_direction"] and "at most 10 pictures" in report.skipped["sifid"]
    assert not {"is_ref", "fd_dinov2"} & (set(report.skipped) | {s.settings["metric"] for s in report.scores})


def test_a_metric_on_one_set_is_measured_on_both_sides(folders):
    report = evaluate(*folders, Options(metrics=("vendi", "clip_margin"), rounds=0, source="a photo of a human", target="sketch"))
    assert [s.settings["of"] for s in report.scores] == ["A", "B", "A", "B"]
    assert value(report, "clip_margin", "A").settings["extractor_protocol"]["role"] == "training objective"
    assert any("training objective, judges nothing" in line for line in report.lines())


def test_two_generators_draw_the_same_latents_with_the_same_noise(generators):
    source = Samples(Generator(SMALL, 0), "source", 20, 0)
    again = Samples(Generator(SMALL, 0), "again", 20, 0)
    again.generator.synthesis.layers["conv4"].noise_const.zero_()
    assert compare(source, again, Options(metrics=("scs", "id"), rounds=0)).scores[0].value == pytest.approx(1)
    report = evaluate(*generators, Options(metrics=("scs", "kid"), n=20, rounds=0))
    assert report.a["seed"] == 0 and report.a["n"] == 20 and len(report.b["sha256"]) == 64
    assert report.a["keys"] == report.b["keys"]


def test_images_of_a_generator_do_not_depend_on_how_many_are_drawn():
    few, many = (torch.cat(list(Samples(Generator(SMALL), "g", n, 5).batches())) for n in (3, 20))
    assert torch.equal(few, many[:3])


def test_a_generator_draws_as_many_as_the_folder_has(folders, generators):
    report = evaluate(folders[0], generators[0], Options(metrics=("kid",), rounds=0))
    assert (value(report, "kid").num_real, value(report, "kid").num_fake) == (12, 12)


def test_a_generator_of_the_zoo_goes_by_its_name():
    found = open_set("nada-disney", 2)
    assert found.n == 2 and found.digest == zoo.hashes()["adapted/nada-disney.safetensors"]
    with pytest.raises(UserError, match="generator of the zoo; the nearest known are nada-disney"):
        open_set("nada-diney")


@pytest.fixture
def product(tmp_path, monkeypatch):
    """An adapted generator with its record, as `iplkit adapt` writes them, of a small source."""
    source, adapted = Generator(SMALL, 0), Generator(SMALL, 1)
    save_generator(tmp_path / "source.safetensors", source, {})
    monkeypatch.setattr(zoo, "load", lambda name, profile="world", folder=None: Generator(SMALL, 0))
    monkeypatch.setattr(zoo, "path_of", lambda name, profile="world", folder=None: tmp_path / "source.safetensors")
    monkeypatch.setattr(zoo, "hashes", lambda folder=None: {"generator.safetensors": sha256(tmp_path / "source.safetensors")})
    path = tmp_path / "nada-photo-to-sketch-seed0.safetensors"
    write_difference(path, source, adapted, sha256(tmp_path / "source.safetensors"), {})
    page = {"kind": "adapted generator", "profile": "world", "sha256": sha256(path)}
    path.with_suffix(".json").write_text(json.dumps(page))
    return path


def test_the_record_of_an_adapted_generator_stands_for_it(product):
    by_record, by_file = open_set(product.with_suffix(".json"), 3), open_set(product, 3)
    assert torch.equal(*(torch.cat(list(side.batches())) for side in (by_record, by_file)))
    assert by_record.origin() == by_file.origin() and by_record.digest == sha256(product)


def test_two_records_are_compared_as_pairs(product, tmp_path):
    other = tmp_path / "other.safetensors"
    write_difference(other, Generator(SMALL, 0), Generator(SMALL, 2), sha256(tmp_path / "source.safetensors"), {})
    other.with_suffix(".json").write_text(json.dumps({"kind": "adapted generator", "sha256": sha256(other)}))
    report = evaluate(product.with_suffix(".json"), other.with_suffix(".json"), Options(metrics=("scs",), n=4, rounds=0))
    assert (report.a["name"], report.b["name"]) == (product.name, other.name) and report.a["keys"] == report.b["keys"]


def test_a_record_without_its_generator_or_with_another_one_is_refused(product):
    record = product.with_suffix(".json")
    product.write_bytes(product.read_bytes() + b" ")
    with pytest.raises(UserError, match="needs the generator that it was written for; .* is another one"):
        open_set(record, 3)
    product.unlink()
    with pytest.raises(UserError, match="needs its generator beside it, nada-photo-to-sketch-seed0.safetensors; it is not there"):
        open_set(record, 3)


@pytest.mark.parametrize("content", ['{"kind": "difference"', '["adapted generator"]', '{"seconds": 3}'])
def test_a_json_file_of_another_kind_is_refused(content, tmp_path):
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(UserError, match="needs to be the record of an adapted generator"):
        open_set(tmp_path / "x.json", 3)


@pytest.mark.parametrize("ending", ["csv", "json"])
def test_the_result_of_a_comparison_cannot_be_compared(ending, folders, tmp_path):
    evaluate(*folders, Options(metrics=("scs",), rounds=0), tmp_path / f"r.{ending}")
    result = run("evaluate", tmp_path / f"r.{ending}", folders[1])
    assert result.exit_code == 2 and "is the result of an earlier comparison" in result.stderr
    assert "needs the pictures or generators themselves" in result.stderr and (ending == "csv" or " of a and b;" in result.stderr)


def test_stored_features_stand_for_their_pictures(folders, tmp_path):
    pictures = torch.cat(list(Folder(folders[0]).batches()))
    extract(world_extractor("judge"), pictures, ["pool"]).save(tmp_path / "a.safetensors")
    found = evaluate(tmp_path / "a.safetensors", folders[1], QUICK)
    want = evaluate(*folders, Options(metrics=("kid",), rounds=0))
    assert value(found, "kid").value == pytest.approx(value(want, "kid").value, rel=1e-6)
    assert "holds no layer" in found.skipped["is_judge"] or "at least" in found.skipped["is_judge"]
    assert "stored features" in found.skipped["scs"]


def test_every_metric_has_a_role_in_a_profile_and_a_line():
    for metric in METRICS.values():
        assert metric.about and any(metric.role in roles for roles in ROLES.values())
        assert metric.works_on in ("sets", "pairs", "each") and metric.needs("world") >= 1


def test_sifid_compares_with_single_references(folders, tmp_path):
    report = evaluate(fill(tmp_path / "r", 2, seed=9, size=64), fill(tmp_path / "g", 5, seed=8, size=64), Options(metrics=("sifid",), rounds=20))
    found = value(report, "sifid")
    assert (found.num_real, found.num_fake, len(found.settings["per_reference"])) == (2, 5, 2) and found.interval is not None


def test_intra_lpips_is_measured_on_both_sides_and_has_no_interval(tmp_path):
    folders = fill(tmp_path / "a", 50, 1), fill(tmp_path / "b", 50, 2)
    report = evaluate(*folders, Options(metrics=("intra_lpips",), rounds=20))
    assert [s.settings["of"] for s in report.scores] == ["A", "B"] and report.scores[0].interval is None


def test_intra_lpips_around_training_images_is_the_function_on_their_distances(tmp_path):
    folders = fill(tmp_path / "few", 3, 1), fill(tmp_path / "many", 14, 2)
    report = evaluate(*folders, Options(metrics=("intra_lpips_nearest",), rounds=20, seed=4))
    few, many = (torch.cat(list(Folder(f).batches())) for f in folders)
    judge, distance = world_extractor("judge"), lambda a, b: lpips_of_pairs(judge, a[None], b[None])[0]
    between, near = (torch.tensor([[distance(a, b) for b in others] for a in many]) for others in (many, few))
    want = intra_lpips_nearest(between, near, seed=4)
    found = value(report, "intra_lpips_nearest")
    assert found.value == pytest.approx(want.value, rel=1e-6) and found.settings["sizes"] == want.settings["sizes"]
    assert found.interval is None and (found.num_real, found.num_fake) == (3, 14)
    with pytest.raises(UserError, match="A needs at most 10 pictures and has 14"):
        evaluate(folders[1], folders[0], Options(metrics=("intra_lpips_nearest",)))


def test_the_cosine_of_dinov2_is_of_pairs_and_has_strangers_beside_it(folders, monkeypatch):
    monkeypatch.delenv(zoo.PAPER_FOLDER, raising=False)
    monkeypatch.setattr(DinoV2, "config", VitConfig(width=48, depth=1, heads=3, grid=16))
    options = Options(profile="paper", metrics=("dinov2_cosine",), rounds=0, allow_random=True)
    same = evaluate(folders[0], folders[0], options)
    assert value(same, "dinov2_cosine").value == pytest.approx(1, abs=1e-6)
    assert value(same, "dinov2_cosine").name == "DINOv2 cosine" and "cross_strangers" in value(same, "dinov2_cosine").settings
    network = DinoV2.random_weights()
    features = (network(torch.cat(list(Folder(f).batches())))["embedding"] for f in folders)
    want = F.cosine_similarity(*features).mean()
    assert value(evaluate(*folders, options), "dinov2_cosine").value == pytest.approx(float(want), abs=1e-5)


def test_results_are_written_as_a_table_and_as_json(folders, tmp_path):
    for name in ("r.csv", "r.json"):
        evaluate(*folders, Options(metrics=("scs",), rounds=20), tmp_path / name)
    (row,) = csv.DictReader((tmp_path / "r.csv").read_text().splitlines())
    page = json.loads((tmp_path / "r.json").read_text())
    assert float(row["value"]) == page["scores"][0]["value"] and row["random"] == "False"
    assert float(row["low"]) <= float(row["value"]) <= float(row["high"])
    assert page["profile"] == "world" and page["a"]["n"] == 12 and str(tmp_path) not in (tmp_path / "r.json").read_text()


def test_the_same_call_gives_the_same_bytes(folders, tmp_path):
    for name in ("1.json", "2.json"):
        evaluate(*folders, Options(rounds=20, cache=tmp_path / "cache"), tmp_path / name)
    assert (tmp_path / "1.json").read_bytes() == (tmp_path / "2.json").read_bytes()


def test_papers_metrics_without_files_are_skipped_with_the_command(folders, monkeypatch):
    monkeypatch.delenv(zoo.PAPER_FOLDER, raising=False)
    with pytest.raises(UserError, match="no metric can be computed .* iplkit zoo get"):
        evaluate(*folders, Options(profile="paper", rounds=0))
    with pytest.raises(UserError, match="scs cannot be computed: .*network-bsds500.pytorch .*get it with: iplkit zoo get hed"):
        evaluate(*folders, Options(profile="paper", metrics=("scs",), rounds=0))


def test_random_weights_mark_every_line(folders, monkeypatch, tmp_path):
    monkeypatch.delenv(zoo.PAPER_FOLDER, raising=False)
    report = evaluate(*folders, Options(profile="paper", metrics=("scs",), rounds=0, allow_random=True), tmp_path / "r.csv")
    assert "RANDOM WEIGHTS" in report.lines()[0]
    (row,) = csv.DictReader((tmp_path / "r.csv").read_text().splitlines())
    assert row["random"] == "True" and "RANDOM WEIGHTS" in row["note"]


def run(*arguments):
    return CliRunner().invoke(main, [*map(str, arguments), "--no-cache", "--bootstrap", "0"] if arguments[0] == "evaluate" else arguments)


def gray(folder):
    for file in folder.iterdir():
        Image.fromarray(np.zeros((32, 32), np.uint8)).save(file)


def clear(folder):
    for file in folder.iterdir():
        file.unlink()


def cut(folder):
    file = sorted(folder.iterdir())[3]
    file.write_bytes(file.read_bytes()[:200])


BAD = {
    "too few": (lambda b: [f.unlink() for f in sorted(b.iterdir())[3:]], ("kid",), "kid cannot be computed: it needs at least 10 images of each side; there are 12 and 3; use scs or id"),
    "another size": (lambda b: fill(b, size=48), (), "both sets need one size"),
    "two sizes": (lambda b: fill(b, n=1, size=48), (), "needs pictures of one size"),
    "color mode": (gray, (), "both sets need one color mode"),
    "two color modes": (lambda b: Image.fromarray(np.zeros((32, 32), np.uint8)).save(b / "005.png"), (), "needs pictures of one color mode"),
    "unpaired": (lambda b: (b / "003.png").rename(b / "x.png"), ("scs",), "scs cannot be computed: pairs need equal names in both sets; 003 is in"),
    "zero bytes": (lambda b: (b / "004.png").write_bytes(b""), (), "004.png needs to be a picture; it is empty"),
    "a web page": (lambda b: (b / "004.png").write_bytes(b"<html>"), (), "004.png needs to be a whole picture"),
    "cut short": (cut, ("kid",), "003.png"),
    "no picture": (clear, (), "it holds none"),
    "unknown metric": (lambda b: None, ("fdi",), "there is no metric 'fdi'; the nearest known are fid"),
    "another profile": (lambda b: None, ("is_ref",), "is_ref cannot be computed: profile world has no network for it; it belongs to profile paper"),
}  # fmt: skip


@pytest.mark.parametrize("spoil, metrics, words", BAD.values(), ids=BAD.keys())
def test_bad_input_is_one_sentence_and_nothing_is_written(spoil, metrics, words, folders, tmp_path):
    spoil(folders[1])
    out = tmp_path / "out" / "r.csv"
    result = run("evaluate", *folders, "--out", out, *(x for m in metrics for x in ("--metric", m)))
    assert result.exit_code == 2 and words in result.stderr and len(result.stderr.strip().splitlines()) == 1, result.stderr
    assert not out.exists() and not list(tmp_path.glob("out/*"))


def stored(path, folder, change):
    features = extract(world_extractor("judge"), torch.cat(list(Folder(folder).batches())), ["pool"])
    change(features)
    features.save(path)
    return path


@pytest.mark.parametrize("change, words", [
    (lambda f: f.layers["pool"][2].fill_(float("nan")), "needs finite features; layer pool"),
    (lambda f: f.origin.update(profile="paper"), "needs features of profile world; it holds those of profile paper"),
    (lambda f: f.origin.update(sha256="0"), "features of other weights or another protocol of judge"),
])  # fmt: skip
def test_features_that_do_not_fit_are_refused(change, words, folders, tmp_path):
    path = stored(tmp_path / "f.safetensors", folders[0], change)
    result = run("evaluate", path, folders[1], "--metric", "kid")
    assert result.exit_code == 2 and words in result.stderr


def test_a_result_file_of_another_kind_is_refused_before_anything_is_computed(folders, tmp_path):
    result = run("evaluate", *folders, "--out", tmp_path / "r.txt")
    assert result.exit_code == 2 and "ends in .csv or .json" in result.stderr


def test_the_command_prints_a_line_a_score(folders):
    result = run("evaluate", *folders, "--metric", "scs", "--metric", "vendi")
    assert result.exit_code == 0 and [line.split()[0] for line in result.output.splitlines()] == ["scs", "vendi", "vendi"]
    assert "kid" in CliRunner().invoke(main, ["evaluate", "--list"]).output


def test_bytes_of_a_picture_are_read_as_they_are(tmp_path):
    image = torch.randint(0, 256, (1, 3, 8, 8), dtype=torch.uint8)
    Image.fromarray(image[0].permute(1, 2, 0).numpy()).save(tmp_path / "x.png")
    (found,) = Folder(tmp_path).batches()
    assert torch.equal(found, image) and torch.equal(to_uint8(image.float() / 127.5 - 1), image)


def test_precision_and_its_kin_come_from_one_pass_with_intervals(tmp_path, monkeypatch):
    import iplkit.evaluate_table as table

    calls, real = [], table.prdc
    monkeypatch.setattr(table, "prdc", lambda *sets: (calls.append(1), real(*sets))[1])
    folders = fill(tmp_path / "a", 24, 1), fill(tmp_path / "b", 24, 2)
    names = ("precision", "recall", "density", "coverage")
    report = evaluate(*folders, Options(metrics=names, rounds=20))
    assert len(calls) == 1 and tuple(s.name for s in report.scores) == names
    assert all(s.interval[0] <= s.value <= s.interval[1] for s in report.scores)
