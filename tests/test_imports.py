"""The shape of the house: who may import whom, and how long, loud or broad any part of it may be."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vidalign.cli.main import COMMANDS

PACKAGE = Path(__file__).parent.parent / "vidalign"
MODULES = sorted(path for path in PACKAGE.rglob("*.py"))
ROOMS = {
    "errors": 0,
    "outside": 0,
    "recipe": 0,
    "threads": 0,
    "types": 0,
    "_version": 0,
    "store": 1,
    "video": 1,
    "text": 1,
    "weights": 1,
    "exports": 2,
    "backbones": 2,
    "aligners": 3,
    "training": 5,
    "evaluation": 4,
    "synthetic": 4,
    "batch": 4,
    "viewer": 4,
    "cli": 6,
}
GROUND_FLOOR = {("types", "errors"), ("types", "recipe"), ("recipe", "errors"), ("recipe", "outside")}
FACADE = "__init__"
UPSTAIRS = {("store", "exports"): "exports"}
"""Packages that stand higher than the room they lie in."""
PER_ITEM_BOUNDARY = "batch/boundary.py"
HANDED_TO_ANOTHER_THREAD = "threads.py"
LONGEST_FILE, LONGEST_FUNCTION = 500, 80
BROUGHT_BY_OTHERS = {"tensorboard", "sentencepiece", "protobuf", "s3fs"}
"""Extras that only torch, transformers or fsspec import."""
DISTRIBUTIONS = {"decord": "decord2", "yaml": "pyyaml"}
HEAVY = ("torch", "decord", "av", "h5py", "numpy")

BY_MODULE = pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), str(path))


def room_of(path: Path) -> str:
    return room_at(path.relative_to(PACKAGE).parts)


def room_at(parts: tuple[str, ...]) -> str:
    return UPSTAIRS.get(parts[:2], parts[0].removesuffix(".py"))


def imported_rooms(tree: ast.AST) -> Iterator[str]:
    """Rooms of vidalign imported anywhere, in functions and for type checking too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            package, _, rest = name.partition(".")
            if package == "vidalign":
                yield room_at(tuple(rest.split(".")))


def outside(tree: ast.AST) -> Iterator[str]:
    """Top-level packages other than vidalign that a module imports anywhere."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        else:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        yield from {name.partition(".")[0] for name in names} - {"vidalign"}


def forbidden(room: str, target: str) -> bool:
    if target == room or (room, target) in GROUND_FLOOR:
        return False
    return target not in ROOMS or ROOMS[target] >= ROOMS[room]


def broad_handlers(tree: ast.AST) -> Iterator[int]:
    """Lines that catch everything: bare `except`, Exception, BaseException, and `suppress` of those."""
    for node in ast.walk(tree):
        caught: list[ast.expr | None] = []
        if isinstance(node, ast.ExceptHandler):
            caught = list(node.type.elts) if isinstance(node.type, ast.Tuple) else [node.type]
        elif isinstance(node, ast.Call) and called(node) == "suppress":
            caught = list(node.args)
        if any(kind is None or ast.unparse(kind) in ("Exception", "BaseException") for kind in caught):
            assert isinstance(node, ast.ExceptHandler | ast.Call)
            yield node.lineno


def called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def lines_of(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    assert node.end_lineno is not None
    return node.end_lineno - node.lineno + 1


@BY_MODULE
def test_imports_point_downwards(path: Path) -> None:
    if room_of(path) == FACADE:  # it names every room and loads none, which the last test holds
        return
    wrong = sorted({target for target in imported_rooms(tree_of(path)) if forbidden(room_of(path), target)})
    assert not wrong, f"{room_of(path)} may not import {', '.join(wrong)}"


def packages(lines: list[str]) -> set[str]:
    return {re.split(r"[^\w-]", line)[0].replace("-", "_") for line in lines}


def extras() -> set[str]:
    """Packages that only an extra brings."""
    optional = project()["optional-dependencies"]
    return packages([line for name, lines in optional.items() if name != "dev" for line in lines])


def project() -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text("utf-8"))["project"]
    return found


def test_every_package_imported_is_a_declared_dependency() -> None:
    declared = packages(project()["dependencies"]) | extras()
    named = {DISTRIBUTIONS.get(package, package) for path in MODULES for package in outside(tree_of(path))}
    assert named - sys.stdlib_module_names - {"_typeshed"} == declared - BROUGHT_BY_OTHERS


def test_what_an_extra_brings_is_imported_inside_functions() -> None:
    """So that a package that is not there is missed only by what needs it."""
    wrong = [
        f"{path.relative_to(PACKAGE)}: {package}"
        for path in MODULES
        for node in tree_of(path).body
        for package in {*outside(ast.Module([node], []))} & extras()
        if not isinstance(node, ast.FunctionDef | ast.ClassDef) and "TYPE_CHECKING" not in ast.unparse(node)
    ]
    assert not wrong


@BY_MODULE
def test_files_and_functions_stay_short_and_typed(path: Path) -> None:
    tree = tree_of(path)
    assert len(path.read_text("utf-8").splitlines()) <= LONGEST_FILE
    too_long = [f"{f.name}: {lines_of(f)} lines" for f in functions(tree) if lines_of(f) > LONGEST_FUNCTION]
    untyped = [f.name for f in functions(tree) if f.returns is None]
    assert not too_long
    assert not untyped


@BY_MODULE
def test_only_the_command_line_prints(path: Path) -> None:
    if room_of(path) == "cli":
        return
    prints = [
        node.lineno
        for node in ast.walk(tree_of(path))
        if (isinstance(node, ast.Call) and called(node) in ("print", "echo"))
        or (isinstance(node, ast.Attribute) and ast.unparse(node) in ("sys.stdout", "sys.stderr"))
    ]
    assert not prints, f"lines {prints}"


@BY_MODULE
def test_everything_is_caught_only_at_the_per_item_boundary(path: Path) -> None:
    name = path.relative_to(PACKAGE).as_posix()
    allowed = 1 if name in (PER_ITEM_BOUNDARY, HANDED_TO_ANOTHER_THREAD) else 0
    found = list(broad_handlers(tree_of(path)))
    assert len(found) <= allowed, f"lines {found}"


def test_the_boundary_is_where_it_is_said_to_be() -> None:
    assert len(list(broad_handlers(tree_of(PACKAGE / PER_ITEM_BOUNDARY)))) == 1


def test_every_room_has_its_place() -> None:
    found = {room_of(path) for path in MODULES}
    assert found - {FACADE} <= set(ROOMS)


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("store", "from vidalign.video.clips import Clip"),
        ("store", "from vidalign.store.exports import registry"),
        ("types", "from vidalign.store import items"),
        ("backbones", "def f() -> None:\n    import vidalign.aligners.registry"),
        ("batch", "from vidalign.cli.output import Talk"),
        ("batch", "from vidalign.evaluation import htm_align"),
        ("weights", "from vidalign import align"),
    ],
)
def test_the_check_of_imports_can_fail(room: str, source: str) -> None:
    assert any(forbidden(room, target) for target in imported_rooms(ast.parse(source)))


@pytest.mark.parametrize(
    "source",
    [
        "try:\n    f()\nexcept:\n    pass",
        "try:\n    f()\nexcept (OSError, Exception):\n    pass",
        "with contextlib.suppress(BaseException):\n    f()",
    ],
)
def test_the_check_of_handlers_can_fail(source: str) -> None:
    assert list(broad_handlers(ast.parse(source))) == [3 if "except" in source else 1]


DRIVER = """
import json, sys
from vidalign.cli.main import main
codes = [main(line) for line in json.loads(sys.argv[1])]
print(json.dumps([codes, sorted(sys.modules)]))
"""


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ([["--help"], ["--version"], []], 0),
        ([[name, "--help"] for name in COMMANDS], 0),
        ([["--nonsense"], ["extrct"], ["extract", "--nonsense"], ["align", "--nonsense"]], 2),
        ([["extract"], ["extract", "x.mp4"], ["synth"], ["inspect"], ["view"], ["models", "nonsense"]], 2),
        ([["eval", "align"], ["eval", "align", "/dev/null"], ["eval", "retrieval", "/dev/null"]], 2),
        ([["retrieve"], ["retrieve", "."], ["steps"], ["steps", "gone.mp4", "gone.txt"]], 2),
        ([["eval", "retrieve"], ["eval", "steps", "/dev/null"], ["eval", "fewshot", "--ways", "1"]], 2),
        ([["eval", name, "--help"] for name in ("align", "retrieve", "steps", "fewshot")], 0),
        ([["extract", "x", "-o", "y", "--dtype", "int8"], ["version", "surplus"]], 2),
        ([["extract-text"], ["extract-text", "/dev/null"], ["extract-text", "x", "-o", "y.h5"]], 2),
        ([["export", "--to", "eaf", "gone.h5"], ["plot", "gone.h5"], ["merge"], ["import-features", "."]], 2),
    ],
    ids=[
        "top",
        "help",
        "unknown",
        "missing",
        "eval",
        "order",
        "eval order",
        "eval help",
        "wrong",
        "text",
        "other tools",
    ],
)
def test_help_and_usage_errors_load_nothing_heavy(lines: list[list[str]], code: int, tmp_path: Path) -> None:
    command = [sys.executable, "-c", DRIVER, json.dumps(lines)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    codes, modules = json.loads(done.stdout.splitlines()[-1])
    assert codes == [code] * len(lines)
    assert not [name for name in modules if name.partition(".")[0] in HEAVY]


def test_the_facade_loads_nothing_heavy() -> None:
    script = "import sys, vidalign; print(*(name for name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & set(HEAVY)
    assert {name for name in loaded if name.startswith("vidalign")} == {"vidalign", "vidalign._version"}


def test_pickles_are_opened_in_one_place_only() -> None:
    opening = re.compile(
        r"\btorch\.load\(|\bimport pickle\b|np\.load\([^)]*allow_pickle=True|weights_only=False"
    )
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if opening.search(path.read_text("utf-8"))
    }
    assert found == {"weights/unpickle.py"}
