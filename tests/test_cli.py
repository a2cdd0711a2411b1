"""The command line: help with examples, one plain sentence and exit code 2 for what does not fit."""

import errno
import subprocess
import sys
import time

import click
import pytest
import small_book
from click.testing import CliRunner

from iplkit import cli
from iplkit.errors import UserError


def run(*arguments):
    return CliRunner().invoke(cli.main, list(arguments))


def commands(group=cli.main, prefix=()):
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*prefix, name))
        else:
            yield (*prefix, name)


@pytest.mark.parametrize("command", list(commands()), ids=" ".join)
def test_every_command_has_help_with_an_example(command):
    result = run(*command, "--help")
    assert result.exit_code == 0
    assert f"iplkit {' '.join(command)}" in result.output.split("Example", 1)[1]


def test_help_needs_no_heavy_package():
    code = "import sys; import iplkit.cli; print([m for m in ('torch', 'matplotlib', 'pandas') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=small_book.REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("arguments, words", [
    (("regenerate", "--tier", "huge"), "'huge' is not one of"),
    (("regenerate", "-j", "0"), "-j"),
    (("adapt",), "--target"),
    (("nonsense",), "No such command 'nonsense'"),
    (("zoo", "list", "--profile", "mars"), "'mars'"),
    (("evaluate", "no-such-folder", "."), "no-such-folder"),
    (("adapt", "--target", "sketch", "--compile", "--memory", "6GB"), "both were asked for"),
    (("book", "--code"), "they need --pdf"),
    (("book", "--pdf", "--browser", "no-such-browser"), "version 131 or newer, and 'no-such-browser' cannot be run"),
])  # fmt: skip
def test_what_does_not_fit_is_one_sentence_and_exit_code_2(arguments, words):
    result = run(*arguments)
    assert result.exit_code == 2
    assert words in result.stderr and len(result.stderr.strip().splitlines()) == 1
    assert result.stderr.startswith("Error: ") and "Traceback" not in result.stderr


def failing(monkeypatch, error):
    def fail(*arguments, **options):
        raise error

    monkeypatch.setattr("iplkit.zoo.table", fail)
    return run("zoo", "list")


def test_an_error_of_the_reader_is_a_sentence(monkeypatch):
    result = failing(monkeypatch, UserError("judge needs a whole file;\n it is cut short"))
    assert (result.exit_code, result.stderr) == (2, "Error: judge needs a whole file; it is cut short\n")


def test_a_full_disk_is_a_sentence(monkeypatch):
    result = failing(monkeypatch, OSError(errno.ENOSPC, "No space left on device", "x.safetensors"))
    assert result.exit_code == 2 and "free space to write x.safetensors" in result.stderr


def test_an_error_of_ours_is_not_hidden(monkeypatch):
    assert isinstance(failing(monkeypatch, ZeroDivisionError()).exception, ZeroDivisionError)


@pytest.fixture
def book(tmp_path, monkeypatch):
    folder = small_book.make(tmp_path / "book", {"00_one": small_book.notebook("1")})
    monkeypatch.chdir(folder)
    return folder


def test_verify_ends_with_1_if_something_is_wrong(book):
    assert run("verify").exit_code == 0
    (book / "figures" / "fig-x.png").write_bytes(b"1")
    result = run("verify")
    assert result.exit_code == 1 and "WRONG  figures/fig-x.png" in result.output and "1 wrong, 0 aged" in result.output


def test_a_dry_run_says_what_would_run_and_makes_nothing(book):
    result = run("regenerate", "--dry-run", "--tier", "smoke")
    assert result.exit_code == 0 and "00_one: Missing output" in result.output and "2 of 2 steps" in result.output
    assert not (book / "_build" / "run").exists()


def test_an_unknown_chapter_is_answered_with_the_known_ones(book):
    result = run("regenerate", "00_two")
    assert result.exit_code == 2 and "no '00_two', but 00_one" in result.stderr


def test_serve_without_a_book_says_how_to_make_one(book):
    result = run("serve", "--no-browser")
    assert result.exit_code == 2 and "make thesis" in result.stderr


def test_serve_shows_the_book_on_this_machine_only(book):
    import urllib.request

    page = book / "_build/stage/_build/html/index.html"
    page.parent.mkdir(parents=True)
    page.write_text("the book")
    command = [sys.executable, "-u", "-m", "iplkit.cli", "serve", "--port", "0", "--no-browser"]
    with subprocess.Popen(command, cwd=book, env={"PYTHONPATH": str(book)}, stdout=subprocess.PIPE, text=True) as process:
        try:
            address = process.stdout.readline().split()[4]
            assert address.startswith("http://127.0.0.1:")
            time.sleep(0.2)
            with urllib.request.urlopen(address) as answer:
                assert answer.read() == b"the book"
        finally:
            process.terminate()


@pytest.mark.parametrize("asked", [True, False])
def test_adapt_switches_native_operations_on_only_where_asked(monkeypatch, tmp_path, asked):
    seen = []
    monkeypatch.setattr("iplkit.native.enable", lambda: seen.append("enabled"))
    monkeypatch.setattr("iplkit.keep_memory.keep_memory", lambda: True)
    made = type("Made", (), {"made": True, "path": tmp_path})
    monkeypatch.setattr("iplkit.adapt.products.make_product", lambda *a, **k: seen.append("trained") or made)
    assert run("adapt", "--target", "sketch", *["--native"] * asked).exit_code == 0
    assert seen == ["enabled"] * asked + ["trained"]
