"""Imports run one way, as the house is drawn in docs and README."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "ectype"

#: What each part may import of ectype. `ectype` itself is the public API.
MAY_IMPORT = {
    "errors": set(),
    "config": {"errors"},
    "files": {"errors"},
    "nets": {"errors"},
    "models": {"config", "errors", "nets"},
    "domains": {"config", "errors", "files", "nets", "models", "measures", "report"},
    "measures": {"config", "errors", "nets", "models"},
    "report": {"files", "measures"},
    "training": {"config", "errors", "files", "nets", "models", "measures"},
    "folder": {"config", "errors", "files"},
    "held_out": {"errors", "folder", "domains", "measures", "request"},
    "exhibits": {"domains", "measures", "report"},
    "evaluating": {
        *("config", "errors", "folder", "held_out", "exhibits", "domains"),
        *("models", "measures", "training", "report"),
    },
    "samples": {"errors", "domains"},
    "latent_space": {"errors", "models", "samples"},
    "run": {
        *("config", "errors", "folder", "samples", "evaluating", "latent_space"),
        *("domains", "nets", "models", "training"),
    },
    "request": {"config", "errors", "domains", "training"},
    "warm": {"config", "errors", "folder", "run", "domains", "models", "training"},
    "fitting": {
        *("config", "errors", "files", "folder"),
        *("request", "run", "warm", "domains", "models", "training"),
    },
    "choose": {
        *("config", "errors", "files", "folder", "request", "run", "fitting", "evaluating"),
        *("domains", "models", "measures", "training", "report"),
    },
    "inspecting": {"config", "errors", "request", "domains"},
    "ectype": {"choose", "errors", "evaluating", "fitting", "inspecting", "run"},
    "console": set(),
    "pages": {
        "choose",
        "config",
        "console",
        "evaluating",
        "inspecting",
        "run",
        "samples",
        "domains",
        "report",
    },
    "environment": {"config", "domains", "training"},
    "demo": {"ectype", "console", "errors", "pages", "training"},
    "cli": {
        *("ectype", "config", "console", "demo", "environment", "errors", "files"),
        *("pages", "training"),
    },
    "__main__": {"cli"},
}
#: Of these parts only these modules: domains know likelihoods and nothing else of the models, and
#: so on.
ONLY_MODULES = {
    ("domains", "models"): {
        *("ectype.models.likelihoods", "ectype.models.sequences", "ectype.models.spectral"),
    },
    ("report", "measures"): {"ectype.measures.measure"},
    ("run", "training"): {"ectype.training.precision"},
    ("evaluating", "training"): {"ectype.training.progress"},
    ("pages", "report"): {"ectype.report.words"},
    ("environment", "training"): {"ectype.training.precision"},
    ("demo", "training"): {"ectype.training.progress"},
    ("cli", "training"): {"ectype.training.progress"},
}
WITHOUT_TORCH = [
    *("__init__", "errors", "config", "files", "folder"),
    *("run", "samples", "cli", "console", "report"),
]

MODULES = sorted(PACKAGE.rglob("*.py"))


def part_of(module):
    """`ectype.nets.blocks` belongs to `nets`, `ectype` to `ectype`."""
    names = module.split(".")
    return names[1] if len(names) > 1 else names[0]


def name_of(path):
    return ".".join(["ectype", *path.relative_to(PACKAGE).with_suffix("").parts]).removesuffix(
        ".__init__"
    )


class Imports(ast.NodeVisitor):
    """Modules that a module imports, those for type checkers left out."""

    def __init__(self):
        self.anywhere = set()
        self.at_start = set()
        self._depth = 0

    def visit_If(self, node):
        if not (isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"):
            self.generic_visit(node)

    def visit_FunctionDef(self, node):
        self._depth += 1
        self.generic_visit(node)
        self._depth -= 1

    def visit_Import(self, node):
        for alias in node.names:
            self._add(alias.name)

    def visit_ImportFrom(self, node):
        assert node.level == 0, "imports are absolute"
        assert node.module is not None
        for alias in node.names:
            module = f"{node.module}.{alias.name}"
            is_module = (PACKAGE.parent / module.replace(".", "/")).with_suffix(".py").exists()
            self._add(module if is_module else node.module)

    def _add(self, module):
        self.anywhere.add(module)
        if not self._depth:
            self.at_start.add(module)


def imports_of(path):
    imports = Imports()
    imports.visit(ast.parse(path.read_text()))
    return imports


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_run_one_way(path):
    part = part_of(name_of(path))
    for module in imports_of(path).anywhere:
        if module.split(".")[0] != "ectype":
            continue
        other = part_of(module)
        assert other == part or other in MAY_IMPORT[part], f"{part} must not import {module}"
        only = ONLY_MODULES.get((part, other))
        assert only is None or module in only, f"{part} must not import {module}"


@pytest.mark.parametrize("name", WITHOUT_TORCH)
def test_what_starts_at_once_does_not_load_torch(name):
    """Neither itself nor through the modules of ectype that it imports when it starts."""
    todo, seen = {f"ectype.{name}".removesuffix(".__init__")}, set()
    while todo:
        module = todo.pop()
        seen.add(module)
        path = PACKAGE.parent / module.replace(".", "/")
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        found = imports_of(path).at_start
        heavy = {m for m in found if m.split(".")[0] in ("torch", "numpy", "PIL", "safetensors")}
        assert not heavy, f"{module} imports {heavy}"
        todo |= {m for m in found if m.split(".")[0] == "ectype"} - seen


def test_every_part_is_in_the_map():
    parts = {part_of(name_of(path)) for path in MODULES}
    assert parts == set(MAY_IMPORT)
