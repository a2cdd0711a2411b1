"""Cells of a notebook under the profile "paper": what needs the world's truth, or a file that is not there, is left out.

A notebook's text and code are the same in both profiles. Here each statement of a cell is looked at before it runs. It is
left out if it calls what only the world has, if it raises `NotHere`, or if it uses a name that such a statement
would have made; then one sentence says so. A figure or table with a part left out is not drawn. A finding (an
`assert`) that does not hold with other models is printed and stops nothing.
"""

import ast
import symtable
from collections.abc import Iterable
from dataclasses import dataclass, field

from iplkit.errors import NotHere

TRUE_PICTURES = {
    "iplkit.world.render": {"render", "blend"},
    "iplkit.world.factors": {"sample_factors"},
    "iplkit.world.truth": {"landmarks", "part_masks"},
    "iplkit.bars.sets": {"renders"},
}  # the world's own drawings: true pictures of its domains
ONLY_WORLD = {
    "iplkit.oracle.scores": {"Oracle", "OracleSettings"},
    "iplkit.train.people": {"Reading"},
}
SHIPPED = {"adapted", "adapted_names"}  # of `iplkit.zoo`: generators adapted from the world's
ADAPTED_BEFORE = "only the world has generators that were adapted before"
SAVES = {"save_figure", "save_table"}
DRAWS = SAVES | {"new_figure", "image_grid"}
FILL = {"append", "extend", "update", "setdefault", "add"}
HOOK = "_paper_cells"


@dataclass
class Statement:
    """One statement of a cell: the names that it reads and makes, and the drawing functions that it calls."""

    node: ast.stmt
    reads: set[str]
    makes: set[str]
    calls: set[str]
    fills: set[str]  # names whose value it changes: x += ..., x[k] = ..., x.append(...)


@dataclass
class PaperCells:
    """A transformer of cells for IPython's list ``ast_transformers``.

    Args:
        pictures: the notebook's renders are pictures like others, and are not left out.
        names: the notebook's variables.
    """

    pictures: bool = False
    names: dict = field(default_factory=dict)  # of the notebook
    partial: dict[str, str] = field(default_factory=dict)  # name -> why a part of it is not there
    missing: dict[str, str] = field(default_factory=dict)  # name -> why it is not there
    left_out: int = 0  # statements, in all cells so far

    def __post_init__(self):
        self.only = ONLY_WORLD if self.pictures else ONLY_WORLD | TRUE_PICTURES
        self.statements: list[Statement] = []
        self.broken, self.said, self.because = False, set(), ""

    # Before a cell runs

    def visit(self, module: ast.Module) -> ast.Module:
        """The cell with a question before each statement: may it run?"""
        self.statements, self.broken, self.said, self.because = [_read(node) for node in module.body], False, set(), ""
        for statement in self.statements:
            self._learn(statement.node)
        draws = any(statement.calls & SAVES for statement in self.statements)
        self.because = self._will_break() if draws else ""
        self.broken = bool(self.because)
        body = [self._asking(number, node, number == len(module.body) - 1) for number, node in enumerate(module.body)]
        return ast.fix_missing_locations(ast.Module(body, module.type_ignores))

    def learn_imports(self, names: dict) -> None:
        """Names of a notebook that it imported before, such as `render`."""
        places = {getattr(value, "__module__", ""): set() for value in names.values()}
        for name, value in names.items():
            places.get(getattr(value, "__module__", ""), set()).add((name, getattr(value, "__name__", "")))
        for module, served in self.only.items():
            for name, own in places.get(module, ()):
                if own in served:
                    self._learn(ast.parse(f"from {module} import {own} as {name}").body[0])

    def _learn(self, node: ast.stmt) -> None:
        """Names that an import brings and only the world can serve."""
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                name = alias.asname or alias.name
                if alias.name in self.only.get(node.module or "", ()):
                    self.missing[name] = f"only the world has true {'pictures and factors' if node.module in TRUE_PICTURES else 'answers'} ({alias.name})"
                else:
                    self.missing.pop(name, None)

    def _will_break(self) -> str:
        """Why a statement of this cell will be left out, and with it the drawing; empty if none will."""
        gone = set(self.missing)
        for statement in self.statements:
            if isinstance(statement.node, ast.Assert | ast.ImportFrom):
                continue
            if lost := sorted(statement.reads & gone):
                return self.missing[lost[0]]
            if _shipped(statement.node):
                return ADAPTED_BEFORE
            gone -= statement.makes
        return ""

    def _asking(self, number: int, node: ast.stmt, last: bool) -> ast.stmt:
        if isinstance(node, ast.Import | ast.ImportFrom):
            return node
        node = _Findings().visit(node)
        if last and isinstance(node, ast.Expr):  # its value is shown below the cell
            shown = ast.parse(f"{HOOK}.value({number}, lambda: 0)").body[0]
            shown.value.args[1].body = node.value
            return ast.copy_location(shown, node)
        asked = ast.parse(f"if {HOOK}.may({number}):\n    try:\n        pass\n    except Exception as {HOOK}_why:\n        {HOOK}.stopped({number}, {HOOK}_why)").body[0]
        asked.body[0].body = [node]
        return ast.copy_location(asked, node)

    # While a cell runs

    def may(self, number: int) -> bool:
        """Whether a statement can run; if not, its names are missing from now on."""
        statement = self.statements[number]
        gone = [name for name in sorted(statement.reads) if name in self.missing]
        if gone or _shipped(statement.node):
            self.skip(number, self.missing[gone[0]] if gone else ADAPTED_BEFORE)
            return False
        if self.broken and statement.calls & DRAWS:
            self.skip(number, "")
            return False
        parts = [name for name in sorted(statement.reads) if name in self.partial]
        for name in statement.makes - statement.fills:
            self.missing.pop(name, None)
            self.partial.pop(name, None)
            if parts:
                self.partial[name] = self.partial.get(parts[0], "a part of it was left out")
        return True

    def value(self, number: int, compute):
        """The value of a cell's last line, or nothing."""
        if not self.may(number):
            return None
        try:
            return compute()
        except Exception as why:
            return self.stopped(number, why)

    def stopped(self, number: int, why: Exception) -> None:
        """A statement raised something: leave it out if that is because of what is not here; else it stays an error."""
        parts = [name for name in sorted(self.statements[number].reads) if name in self.partial]
        if not isinstance(why, NotHere) and not parts:
            raise why
        self.skip(number, str(why) if isinstance(why, NotHere) else self.partial[parts[0]])

    def skip(self, number: int, why: str) -> None:
        """Note that a statement was left out; one sentence a cell and reason."""
        statement = self.statements[number]
        self.left_out += 1
        self.broken = True
        self.because = why_later = why or self.because
        self.missing |= dict.fromkeys(statement.makes - statement.fills, why_later)
        for name in statement.fills:  # what it would have filled: nothing is in it, or a part
            value = self.names.get(name)
            empty = hasattr(value, "__len__") and len(value) == 0
            (self.missing if empty else self.partial).setdefault(name, why_later)
        drawn = "this figure" if any("save_figure" in s.calls for s in self.statements) else "this table"
        made = statement.fills if isinstance(statement.node, ast.For) else statement.makes | statement.fills
        what = drawn if any(s.calls & SAVES for s in self.statements) else ", ".join(sorted(made)) or "this step"
        if why and not self.said:
            self.said.add(why)
            print(f"Left out with these models: {what}; {why}.")

    @staticmethod
    def finding(sentence: str) -> None:
        """Print what does not hold."""
        print(f"Not so with these models: {sentence}.")


class _Findings(ast.NodeTransformer):
    """Each `assert` prints its sentence instead of stopping the notebook."""

    def visit_Assert(self, node: ast.Assert) -> ast.stmt:
        told = ast.parse(f"if not 0:\n    {HOOK}.finding({ast.unparse(node.test)!r})").body[0]
        told.test.operand = node.test
        if node.msg is not None:
            told.body[0].value.args[0] = ast.Call(ast.Name("str", ast.Load()), [node.msg], [])
        return ast.copy_location(told, node)


def _read(node: ast.stmt) -> Statement:
    """The names of a statement, functions and comprehensions inside looked through with Python's own rules of scope."""
    pruned = _WithoutWorld().visit(ast.parse(ast.unparse(node)))
    table = symtable.symtable(ast.unparse(pruned), "cell", "exec")
    reads, makes = set(), set()
    for symbol in table.get_symbols():
        if symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace():
            makes.add(symbol.get_name())
        if symbol.is_referenced():
            reads.add(symbol.get_name())
    for inner in _scopes(table):
        reads |= {symbol.get_name() for symbol in inner.get_symbols() if symbol.is_global() and symbol.is_referenced()}
    loops = {name.id for loop in ast.walk(pruned) if isinstance(loop, ast.For) for name in ast.walk(loop.target) if isinstance(name, ast.Name)}
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        reads.discard(node.name)
    else:
        reads -= loops
    called = {_name(call.func) for call in ast.walk(pruned) if isinstance(call, ast.Call)}
    return Statement(node, reads, makes, called & DRAWS, set(_filled(node)))


def _filled(node: ast.stmt) -> Iterable[str]:
    """Names whose values a statement changes in place."""
    for part in ast.walk(node) if not isinstance(node, ast.FunctionDef | ast.ClassDef) else ():
        if isinstance(part, ast.AugAssign):
            target = part.target
        elif isinstance(part, ast.Subscript | ast.Attribute) and isinstance(part.ctx, ast.Store):
            target = part
        elif isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute) and part.func.attr in FILL:
            target = part.func.value
        else:
            continue
        while isinstance(target, ast.Subscript | ast.Attribute):
            target = target.value
        if isinstance(target, ast.Name):
            yield target.id


def _scopes(table: symtable.SymbolTable) -> Iterable[symtable.SymbolTable]:
    for child in table.get_children():
        yield child
        yield from _scopes(child)


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _shipped(node: ast.stmt) -> bool:
    """Whether a statement asks the zoo for generators that were adapted from the world's."""
    attributes = [n for n in ast.walk(_WithoutWorld().visit(ast.parse(ast.unparse(node)))) if isinstance(n, ast.Attribute)]
    return any(n.attr in SHIPPED and isinstance(n.value, ast.Name) and n.value.id == "zoo" for n in attributes)


class _WithoutWorld(ast.NodeTransformer):
    """What stands under ``if PROFILE == "world":`` asks for nothing in another profile."""

    def visit_If(self, node: ast.If) -> ast.stmt:
        self.generic_visit(node)
        if ast.unparse(node.test) == "PROFILE == 'world'":
            node.body = [ast.Pass()]
        return node
