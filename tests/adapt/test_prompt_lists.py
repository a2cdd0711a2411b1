"""Lists of sentences about a target: shipped, general, or a reader's own, each refused at its line if it is wrong."""

import copy
import json
from dataclasses import replace

import pytest
from click.testing import CliRunner

from iplkit import cli, zoo
from iplkit.adapt import AdaptSettings, adapt
from iplkit.adapt.methods import make_tasks, run_key
from iplkit.adapt.products import make_product, product_settings, with_prompts
from iplkit.adapt.prompt_lists import FORMS, check_prompts, known, prompt_list, read_prompts, shipped_prompts
from iplkit.clip.towers import Clip
from iplkit.errors import UserError
from iplkit.world.domains.catalog import DOMAINS

WEREWOLF = ("a face covered with grey fur", "a wolf with sharp teeth", "a snout under yellow eyes")
WORDS = ["a", "photo", "of", "sketch", "the", "with", "fur", "teeth", "grey"]


@pytest.fixture
def clip(tiny_clip):
    """Knows few words."""
    return Clip(tiny_clip.model, tiny_clip.config, words=WORDS)


@pytest.fixture
def models(tiny_generator, clip, tmp_path, monkeypatch):
    """A zoo of the two tiny models; the files only stand for their hashes."""
    for name in ("generator", "clip"):
        (tmp_path / name).write_text(name)
    files = {"generator": tiny_generator, "clip": clip}
    monkeypatch.setattr(zoo, "load", lambda name, profile="world", folder=None: copy.deepcopy(files[name]))
    monkeypatch.setattr(zoo, "path_of", lambda name, profile="world", folder=None: tmp_path / name)


def test_every_domain_of_the_world_has_a_list_that_its_clip_can_read():
    clip = zoo.load("clip")
    lists = shipped_prompts()
    assert set(lists) == set(DOMAINS) - {"photo"}
    for domain, prompts in lists.items():
        assert check_prompts(prompts, clip) == prompts == prompt_list(domain)
        assert len(prompts) >= 20 and any(domain.split()[0] in prompt for prompt in prompts)
    everything = [prompt for prompts in lists.values() for prompt in prompts]
    assert len(set(everything)) == len(everything)  # no sentence speaks of two domains


def test_any_other_class_has_a_list_of_its_own_in_words_a_clip_may_know(clip):
    assert len(prompt_list("dog")) == len(set(prompt_list("dog"))) == len(FORMS)
    assert all("dog" in text for text in prompt_list("dog"))
    some = Clip(clip.model, clip.config, words=["a", "photo", "of", "with", "glasses", "sad", "dog"])
    assert known(some, prompt_list("dog")) == ("a photo of a dog with glasses", "a photo of a sad dog")
    with pytest.raises(UserError, match="knows the words of none of the 3 prompts"):
        known(some, WEREWOLF)
    with pytest.raises(UserError, match="needs a class word"):
        prompt_list(" ")


def test_a_readers_file_is_read_line_by_line(tmp_path):
    path = tmp_path / "werewolf.txt"
    path.write_text("# what I see\n" + "\n\n".join(WEREWOLF) + "\n", encoding="utf-8")
    assert read_prompts(path) == WEREWOLF


def test_a_json_file_holds_a_list_for_each_target(tmp_path):
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"werewolf": WEREWOLF, "sketch": ["a photo of a sketch"]}))
    assert read_prompts(path, "werewolf") == WEREWOLF
    assert read_prompts(path, "sketch") == ("a photo of a sketch",)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"# nothing\n", "at least one sentence; .*none"),
        (b"", "at least one sentence"),
        (b"\xff\xfe\x00\x80", "cannot be read"),
        (b"a photo\n\n# x\n" + b"fur " * 90, "line 4 of .*list.txt is not: a text needs at most 75 tokens"),
        (b"a photo\nteeth\n\na photo\n", "'a photo' comes twice, the second time as line 4 of"),
        (b"grey fur\ngrey furr\n", "line 2 of .* is not: .*'furr' is not one, the nearest it knows: fur"),
    ],
)
def test_a_file_that_is_no_list_is_refused_at_its_line(tmp_path, clip, content, sentence):
    path = tmp_path / "list.txt"
    path.write_bytes(content)
    with pytest.raises(UserError, match=sentence):
        read_prompts(path, clip=clip)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ('{"sketch": ["fur"', "need to be JSON .* damaged"),
        ('["fur"]', "need a list of sentences for 'sketch'; it holds a list"),
        ('{"statue": ["fur"]}', r"for 'sketch'; it has \['statue'\]"),
        ('{"sketch": "fur"}', "need a list of sentences for 'sketch'"),
        ('{"sketch": []}', "at least one sentence; .* for 'sketch'"),
        ('{"sketch": ["fur", 3]}', "sentence 2 of 'sketch' in .* is 3"),
        ('{"sketch": ["fur", "wolf"]}', "sentence 2 of 'sketch' in .*'wolf' is not one"),
    ],
)
def test_a_json_file_without_a_list_is_refused(tmp_path, clip, content, sentence):
    path = tmp_path / "list.json"
    path.write_text(content)
    with pytest.raises(UserError, match=sentence):
        read_prompts(path, "sketch", clip)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        read_prompts(tmp_path / "none.txt")


@pytest.mark.parametrize(
    ("prompts", "message"),
    [("one text", "list"), ([], "list"), (["a", " "], "number 2"), (["a", 3], "number 2 is 3"), (["a", "b", "a"], "'a' comes twice")],
)
def test_a_list_that_is_none_is_refused(prompts, message):
    with pytest.raises(UserError, match=message):
        check_prompts(prompts)


def test_settings_keep_a_list_and_stay_as_they_were_without_one():
    settings = AdaptSettings(prompts=list(WEREWOLF), align_weight=0.3)
    assert settings.record()["prompts"] == list(WEREWOLF) and settings.record()["align_weight"] == 0.3
    assert AdaptSettings.from_record(settings.record()) == settings
    assert not {"prompts", "align_weight"} & set(AdaptSettings().record())
    with pytest.raises(UserError, match="prompts need to be a list"):
        AdaptSettings(prompts="one text")
    with pytest.raises(UserError, match="align_weight must not be negative; got -1"):
        AdaptSettings(align_weight=-1)


def test_two_lists_are_two_runs(tiny_generator, tiny_clip, short):
    keys = [run_key(make_tasks(tiny_generator, [tiny_clip], "photo", "sketch", replace(short, prompts=p), 0, None, False), "ipl_star")
            for p in ((), WEREWOLF, WEREWOLF[:2])]  # fmt: skip
    assert len(set(keys)) == 3


def test_two_lists_are_two_products(models, tmp_path):
    def make(*prompts):
        settings = replace(product_settings("ipl_star", "world", "smoke"), prompts=prompts)
        return make_product("photo", "sketch", "ipl_star", tier="smoke", out=tmp_path / "out", progress=False, settings=settings)

    first = make("grey fur")
    again, other = make("grey fur"), make("the teeth")
    assert (first.made, again.made, other.made) == (True, False, True)
    assert first.record["settings"]["prompts"] == ["grey fur"] and other.record["settings"]["prompts"] == ["the teeth"]
    assert first.record["log"]["mapper_loss"] != other.record["log"]["mapper_loss"]


def test_the_shipped_list_is_part_of_a_run_and_of_its_product(models, tiny_generator, tiny_clip, short, tmp_path, monkeypatch):
    def key():
        return run_key(make_tasks(tiny_generator, [tiny_clip], "photo", "sketch", short, 0, None, False), "ipl_star")

    def make():
        return make_product("photo", "sketch", "ipl_star", tier="smoke", out=tmp_path / "out", progress=False)

    before, first, again = key(), make(), make()
    monkeypatch.setattr("iplkit.adapt.prompt_lists.shipped_prompts", lambda: {"sketch": ("grey fur", "the teeth")})
    assert key() != before
    other = make()
    assert (first.made, again.made, other.made) == (True, False, True)
    assert first.record["prompts"] == ["a photo of a sketch"]  # all that this small CLIP can read of the list
    assert other.record["prompts"] == ["grey fur", "the teeth"]


def test_a_list_that_no_method_would_read_or_no_clip_can_is_refused_first(tiny_generator, clip, short, models, tmp_path):
    with pytest.raises(UserError, match="prompts need the method 'ipl_star', which alone reads them; got 'nada'"):
        adapt(tiny_generator, clip, "nada", "photo", "sketch", replace(short, prompts=("fur",)))
    with pytest.raises(UserError, match="number 1 is not: .*'wolf' is not one"):
        adapt(tiny_generator, clip, "ipl_star", "photo", "sketch", replace(short, prompts=("wolf",)))
    with pytest.raises(UserError, match="which alone reads them; got 'ipl'"):
        make_product("photo", "sketch", "ipl", out=tmp_path, dry_run=True, settings=replace(short, prompts=("fur",)))


def test_the_command_line_takes_a_list(models, tmp_path):
    path, out = tmp_path / "list.txt", tmp_path / "out"
    path.write_text("grey fur\nthe wolf\n")
    run = lambda *more: CliRunner().invoke(cli.main, ["adapt", "--target", "sketch", "--tier", "smoke", "--out", str(out), "--prompts", str(path), *more])  # noqa: E731
    refused = run("--method", "ipl_star")
    assert refused.exit_code == 2 and "line 2 of" in refused.stderr and "'wolf' is not one" in refused.stderr and not out.exists()
    with_prompts(AdaptSettings(), path, "sketch", allow_unknown=True)
    path.write_text("grey fur\nthe teeth\n")
    done = run("--method", "ipl_star")
    assert done.exit_code == 0, done.output
    record = json.loads((out / "ipl-star-photo-to-sketch-seed0.json").read_text())
    assert record["settings"]["prompts"] == ["grey fur", "the teeth"]
    refused = run()  # the method is ipl where none is named
    assert refused.exit_code == 2 and "which alone reads them; got 'ipl'" in refused.stderr
