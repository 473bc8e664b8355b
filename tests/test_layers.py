"""Who imports whom: rooms in one order, files without circles, TensorFlow last."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import xai_tf
from tests.conftest import ROOT

# From the ground up: a room imports only itself and what stands before it, whether at the top of a
# file, inside a function, or for type checking alone. A package's own name stands for its
# `__init__.py`, its public names.
ROOMS = """
    weights_keras

    xai_tf.errors xai_tf.packages xai_tf.statistics xai_tf.files xai_tf.progress
    xai_tf.inputs xai_tf.tasks xai_tf.samples xai_tf.datasets
    xai_tf.classifiers xai_tf.attribution xai_tf.rendering xai_tf.agreement
    xai_tf.evaluation xai_tf.regions xai_tf.interventions
    xai_tf.metrics xai_tf.trust xai_tf.narration
    xai_tf.training xai_tf.bundles xai_tf.sonification xai_tf.reports
    xai_tf xai_tf.cli

    tuning

    dashboards dashboards.language dashboards.turns
    dashboards.service dashboards.files dashboards.server
    dashboards.state dashboards.components dashboards.views
    dashboards.app dashboards.commands
""".split()  # noqa: SIM905  (a list that reads as a map)
PACKAGES = ("weights_keras", "xai_tf", "tuning", "dashboards")
PUBLIC_NAMES = {
    "Classifier",
    "Explanation",
    "Question",
    "explain_folder",
    "OODScore",
    "METHODS",
    "METRICS",
    "Prediction",
    "Sample",
    "Score",
    "TASKS",
    "XaiTfError",
    "compare",
    "continue_explaining",
    "explain",
    "explain_layers",
    "from_function",
    "load",
    "predict_files",
    "read_and_predict",
    "score",
}


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {
    module_name(path): path for package in PACKAGES for path in (ROOT / package).rglob("*.py")
}


def imports(path: Path) -> set[str]:
    """Modules of ours that a file imports anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports from where it stands"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= names & MODULES.keys()
            if names - MODULES.keys():
                found.add(node.module)
    return found & MODULES.keys()


IMPORTS = {module: imports(path) for module, path in MODULES.items()}


def room_of(module: str) -> str:
    """The longest room that a module lies in; of a file in the root of a package, the file."""
    parts = module.split(".")
    place = ".".join(parts[:2])
    return place if place in ROOMS else parts[0]


def test_every_file_has_a_room():
    loose = [
        module
        for module in MODULES
        if room_of(module) != module and room_of(module) in ("xai_tf", "dashboards")
    ]

    assert loose == []


def test_rooms_import_only_those_before_them():
    wrong = [
        f"{module} imports {name}"
        for module, names in IMPORTS.items()
        for name in names
        if ROOMS.index(room_of(name)) > ROOMS.index(room_of(module))
    ]

    assert wrong == []


def test_files_import_each_other_without_circles():
    graph = {module: names - {module} for module, names in IMPORTS.items()}

    assert len(list(TopologicalSorter(graph).static_order())) == len(MODULES)


def test_the_public_names_are_these():
    public = {name for name in vars(xai_tf) if not name.startswith("_")}

    assert public - {name.split(".")[1] for name in ROOMS if name.startswith("xai_tf.")} == (
        PUBLIC_NAMES
    )


def test_importing_the_library_loads_no_tensorflow():
    code = (
        "import sys, xai_tf, xai_tf.cli.run; "
        "print([m for m in ('tensorflow', 'keras', 'xplique', 'librosa') if m in sys.modules])"
    )

    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert answer.stdout.strip() == "[]"
