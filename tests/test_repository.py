"""The repository: one list of requirements, clean notebooks, complete commands."""

import json
import re
import subprocess
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from small_book import REPOSITORY

from iplkit.sources import PARAMETERS

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
REQUIRED = PROJECT["dependencies"] + [line for extra in EXTRAS.values() for line in extra]
NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))


def tracked():
    done = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return [REPOSITORY / name for name in done.stdout.split("\0") if name and (REPOSITORY / name).is_file()]


def test_conda_and_pip_install_the_same():
    environment = yaml.safe_load((REPOSITORY / "environment.yml").read_text())
    plain = [line for line in environment["dependencies"] if isinstance(line, str)]
    (pip,) = [line["pip"] for line in environment["dependencies"] if isinstance(line, dict)]
    assert [line for line in pip if not line.startswith("-")] == [line for line in REQUIRED if line not in EXTRAS["cluster"]]
    assert {"-c requirements.txt", "-e ."} == {line for line in pip if line.startswith("-")}
    assert f"python{PROJECT['requires-python']}" in plain


def test_every_pin_agrees_with_the_list_of_what_was_tried():
    tried = {canonicalize_name(r.name): r for r in map(Requirement, read_lines("requirements.txt"))}
    for line in REQUIRED:
        wanted = Requirement(line)
        if canonicalize_name(wanted.name) in ("torch", "torchvision"):
            assert canonicalize_name(wanted.name) not in tried, "a reader may take other wheels of torch"
            continue
        (version,) = [s.version for s in tried[canonicalize_name(wanted.name)].specifier]
        assert wanted.specifier.contains(version), line


def read_lines(name):
    return [line for line in (REPOSITORY / name).read_text().splitlines() if line and not line.startswith("#")]


def test_every_requirement_says_what_it_is_for():
    lines = [line.strip() for line in (REPOSITORY / "pyproject.toml").read_text().splitlines()]
    for requirement in REQUIRED:
        (line,) = [line for line in lines if line.startswith(f'"{requirement}"')]
        assert re.search(r"# \w", line), requirement


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_committed_clean(path):
    notebook = json.loads(path.read_text())
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert not any(cell["outputs"] or cell["execution_count"] for cell in code), "outputs are committed"
    ids = [cell.get("id") for cell in notebook["cells"]]
    assert all(ids) and len(set(ids)) == len(ids), "cells need stable ids"
    (parameters,) = [cell for cell in code if "parameters" in cell["metadata"].get("tags", [])]
    lines = [line for line in "".join(parameters["source"]).splitlines() if line.strip()]
    for line, name in zip(lines, PARAMETERS, strict=True):
        assert re.match(rf'{name}(: str)? = "[\w-]*"  # \w', line), "parameters are commented literals"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_read_without_the_book(path):
    """The book knows its macros from _config.yml; elsewhere the second cell defines them, and the book leaves that cell out."""
    macros = yaml.safe_load((REPOSITORY / "_config.yml").read_text())["sphinx"]["config"]["mathjax3_config"]["tex"]["macros"]
    first, own, *rest = json.loads(path.read_text())["cells"]
    assert own["id"] == "without-the-book" and own["metadata"]["tags"] == ["remove-cell"], "the second cell is missing, see other notebooks"
    text = "\n".join("".join(cell["source"]) for cell in (first, *rest) if cell["cell_type"] == "markdown")
    used = [name for name in macros if re.search(rf"\\{name}(?![A-Za-z])", text)]
    wanted = "".join(f"\\def\\{name}{{{macros[name]}}}" for name in used)
    defined = re.match(r"(?:\$(.*?)\$)?Read without the book", "".join(own["source"]))[1] or ""
    assert defined == wanted, f"the cell {own['id']} should begin with ${wanted}$"


def test_nothing_in_git_is_large_or_built_or_belongs_to_one_machine():
    files = tracked()
    assert sum(path.stat().st_size for path in files) <= 45e6, "all tracked files together"
    for path in files:
        parts = path.relative_to(REPOSITORY).parts
        assert not {"_build", "__pycache__", ".ipynb_checkpoints", ".venv"} & set(parts), path
        if path.suffix in (".py", ".md", ".ipynb", ".json", ".yml", ".toml", ".txt", ".bib", ".css", ".cff", ""):
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"/(?:home|Users|root|work)/\w", text), f"{path}: a path of one machine"


def test_make_says_what_each_target_does():
    text = (REPOSITORY / "Makefile").read_text()
    targets = set(re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)[1].split()) - {"help", "install"}
    shown = subprocess.run(["make", "-s", "help"], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    for target in targets:
        assert re.search(rf"^make {target} +\S", shown, re.MULTILINE), target


def test_an_old_python_is_refused_in_one_sentence(tmp_path):
    old = tmp_path / "old-python"
    old.write_text("#!/bin/sh\n[ \"$1\" = --version ] && echo Python 3.8.1 || exit 1\n")
    old.chmod(0o755)
    for name in ("Makefile", "pyproject.toml", "requirements.txt"):
        (tmp_path / name).write_bytes((REPOSITORY / name).read_bytes())
    done = subprocess.run(["make", "test", f"PYTHON={old}"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0 and not (tmp_path / ".venv").exists()
    assert "This needs Python 3.11 or newer, and found Python 3.8.1" in done.stderr


def test_the_checks_of_a_submission_stop_at_the_first_failure():
    text = (REPOSITORY / ".ci" / "run").read_text()
    assert "set -euo pipefail" in text
    steps = re.findall(r"^step \w+ (.*)$", text, re.MULTILINE)
    assert steps == ["make install", "make test", "make thesis", "make browse", ".venv/bin/iplkit verify"]
    assert subprocess.run(["bash", "-n", str(REPOSITORY / ".ci" / "run")], check=False).returncode == 0


def test_the_readmes_name_the_two_commands_and_one_picture_first():
    for name in ("README.md", "README_zh-cn.md"):
        text = (REPOSITORY / name).read_text(encoding="utf-8")
        assert "make thesis" in text and "make test" in text and "README" in text
        assert re.search(r"!\[[^\]]+\]\(figures/readme-grid.png\)", text)


def book_page(name):
    return (REPOSITORY / "book" / f"{name}.md").read_text(encoding="utf-8")


def test_every_entry_of_the_glossary_has_an_english_and_a_chinese_name():
    entries = [block.splitlines() for block in re.search(r"```\{glossary\}\n(.*?)```", book_page("glossary"), re.DOTALL)[1].split("\n\n")]
    names = [[line for line in entry if line and not line.startswith(" ")] for entry in entries]
    assert len(names) >= 40
    for english, chinese in names:
        assert re.match(r"[A-Za-z+ -]+$", english) and re.search(r"[\u4e00-\u9fff]", chinese), (english, chinese)
    assert len({name.lower() for pair in names for name in pair}) == 2 * len(names)


def test_every_symbol_has_a_chinese_name():
    for table in re.findall(r"```\{list-table\}[^\n]*\n(.*?)```", book_page("notation"), re.DOTALL):
        header, *rows = table.split("\n* - ")[1:]
        assert header.rstrip().endswith("- In Chinese")
        for row in rows:
            assert re.search(r"[\u4e00-\u9fff]", row.strip().splitlines()[-1]), row


def test_tests_files_and_names_that_the_book_points_at_exist():
    code = {path: path.read_text(encoding="utf-8") for path in tracked() if path.suffix == ".py"}
    for page in sorted((REPOSITORY / "book").glob("*.md")):
        text = page.read_text(encoding="utf-8")
        for name in re.findall(r"`(test_\w+)`", text):
            assert any(f"def {name}(" in source for source in code.values()), f"{page.name}: {name}"
        for name in re.findall(r"`((?:tests|bench)/[\w./]+)", text):
            assert (REPOSITORY / name).exists(), f"{page.name}: {name}"
        for name in re.findall(r"`(iplkit(?:\.\w+)+)", text):
            assert named_in_code(name), f"{page.name}: {name}"


def named_in_code(dotted):
    """Whether a dotted name is a module, or a name that its module defines; nothing is imported."""
    place, parts = REPOSITORY, dotted.split(".")
    while parts and (place / parts[0]).is_dir():
        place /= parts.pop(0)
    if parts and (place / f"{parts[0]}.py").is_file():
        place = place / f"{parts.pop(0)}.py"
    if not parts:
        return True
    source = (place if place.suffix else place / "__init__.py").read_text(encoding="utf-8")
    return all(re.search(rf"^\s*(?:(?:async )?def|class) {part}\b|^{part}\b.*=", source, re.MULTILINE) for part in parts)
