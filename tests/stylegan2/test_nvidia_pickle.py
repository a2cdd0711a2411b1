"""The reader of NVIDIA's pickles against files that want to run something, and against files that are broken."""

import encodings.raw_unicode_escape  # noqa: F401 -- pickletools imports it for old text; here before anybody listens
import random
import sys

import pytest
from nvidia_files import random_generator, tensorflow_pickle, torch_pickle
from pickle_attacks import broken, calls

from iplkit.errors import UserError
from iplkit.stylegan2.nvidia import load_nvidia_pickle
from iplkit.stylegan2.nvidia_pickle import MAX_BYTES, read_pickle

WATCHED = ("os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen", "exec", "compile", "import", "pickle.find_class", "socket.")
EVENTS: list[str] | None = None


def _listen(event, arguments):
    """Python tells its auditors of every import, call of a program, and write; this one writes them down while asked to."""
    if EVENTS is not None and (event.startswith(WATCHED) or (event == "open" and set(str(arguments[1])) & set("wax+"))):
        EVENTS.append(f"{event} {arguments[:2]}")


sys.addaudithook(_listen)


@pytest.fixture(scope="module")
def whole():
    """Two small files that load."""
    source = random_generator(8, (3, 2), 4, 4, 2)
    return {"torch": torch_pickle(source), "tensorflow": tensorflow_pickle(source)}


@pytest.fixture
def watched(tmp_path, whole):
    """A function that reads a pickle and says what became of it and what Python's auditors heard; all is imported before."""

    def read(content):
        global EVENTS
        path = tmp_path / "g.pkl"
        path.write_bytes(content)
        EVENTS = []
        try:
            generator, _ = load_nvidia_pickle(path)
            return "loaded", generator, EVENTS
        except UserError as error:
            return "refused", str(error), EVENTS
        finally:
            EVENTS = None

    for content in (*whole.values(), b"\x80\x04."):
        read(content)
    return read


def mutated(content, rng):
    """One of six ways in which a file can differ from what it was."""
    content, at = bytearray(content), rng.randrange(len(content))
    end = min(len(content), at + rng.randrange(1, 40))
    match rng.randrange(6):
        case 0:
            content[at] = rng.randrange(256)
        case 1:
            del content[at:end]
        case 2:
            content[at:at] = rng.randbytes(end - at)
        case 3:
            content[at:end] = content[rng.randrange(len(content)) :][: end - at]
        case 4:
            return bytes(content[:at])
        case 5:
            for _ in range(8):
                content[rng.randrange(len(content))] = rng.randrange(256)
    return bytes(content)


def test_the_auditor_hears_what_a_pickle_would_do(tmp_path):
    """The bell rings: Python's own unpickler, given the first attack, is heard."""
    import pickle

    global EVENTS
    EVENTS = []
    pickle.loads(calls(str(tmp_path / "canary"))["open, protocol 4"]).close()
    heard, EVENTS = EVENTS, None
    assert (tmp_path / "canary").exists() and any("pickle.find_class" in event for event in heard) and any("open" in event for event in heard)


def test_pickles_that_want_to_run_something_are_refused_and_run_nothing(tmp_path, watched):
    canary = tmp_path / "canary"
    attacks = calls(str(canary))
    for name, content in attacks.items():
        result, sentence, events = watched(content)
        assert result == "refused" and not events and not canary.exists(), (name, sentence, events)
        assert "\n" not in sentence and len(sentence) < 400, (name, sentence)
    assert len(attacks) >= 60


def test_broken_pickles_end_in_one_sentence(watched):
    attacks = broken()
    for name, content in attacks.items():
        result, sentence, events = watched(content)
        assert result == "refused" and not events, (name, sentence, events)
        assert "\n" not in sentence and len(sentence) < 400, (name, sentence)
    assert len(attacks) >= 55


@pytest.mark.parametrize("layout", ["torch", "tensorflow"])
def test_mutated_pickles_load_or_end_in_one_sentence(watched, whole, layout):
    """Of 120 changed files each is refused, or is still one whole generator with finite numbers."""
    rng, counts = random.Random(layout), {"loaded": 0, "refused": 0}
    for _ in range(120):
        result, found, events = watched(mutated(whole[layout], rng))
        counts[result] += 1
        assert not events
        if result == "loaded":
            assert found.config.size == 8 and all(bool(t.isfinite().all()) for t in found.state_dict().values())
        else:
            assert "\n" not in found and len(found) < 400
    assert counts["refused"] > 20 and counts["loaded"] > 5


def test_whole_files_load_under_the_same_watch(watched, whole):
    for content in whole.values():
        result, _, events = watched(content)
        assert result == "loaded" and not events


def test_a_file_that_is_too_large_is_refused_before_it_is_read(tmp_path):
    with open(tmp_path / "g.pkl", "wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(UserError, match="at most 4 GB"):
        read_pickle(tmp_path / "g.pkl")
