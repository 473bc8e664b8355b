"""Who imports whom: packages in one direction, files without circles, TensorFlow last."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[1]
LAYERS = ["weights_keras", "xai_tf", "tuning", "dashboards"]


def imports(path: Path) -> set[str]:
    """Modules of ours that a file imports when it is imported itself."""
    tree = ast.parse(path.read_text())
    found = set()
    for node in tree.body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= names & known_modules() or {node.module}
    return {name for name in found if name.split(".")[0] in LAYERS}


def known_modules() -> set[str]:
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for layer in LAYERS
        for path in (ROOT / layer).rglob("*.py")
    }


def test_packages_import_only_those_before_them():
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for number, layer in enumerate(LAYERS)
        for path in (ROOT / layer).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        for name in (
            [node.module or ""] if isinstance(node, ast.ImportFrom)
            else [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        )
        if name.split(".")[0] in LAYERS[number + 1 :]
    ]  # fmt: skip

    assert wrong == []


def test_files_import_each_other_without_circles():
    graph = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): imports(path)
        for path in (ROOT / "xai_tf").rglob("*.py")
        if path.name != "__init__.py"
    }

    assert len(list(TopologicalSorter(graph).static_order())) > 20


def test_importing_the_library_loads_no_tensorflow():
    code = (
        "import sys, xai_tf, xai_tf.cli; "
        "print([m for m in ('tensorflow', 'keras', 'xplique', 'librosa') if m in sys.modules])"
    )

    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert answer.stdout.strip() == "[]"
