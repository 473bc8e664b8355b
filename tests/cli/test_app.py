"""The app around the commands: help in panels, versions, verbosity, old names, completion."""

import inspect
import logging
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from tests.conftest import SAMPLES, result_of
from xai_tf.attribution.methods import METHODS
from xai_tf.cli import completion
from xai_tf.cli import run as command
from xai_tf.cli.app import OPTION_PANELS, PANELS, RENAMED
from xai_tf.cli.console import VERBOSITY, progress_of
from xai_tf.cli.records import takes_records
from xai_tf.cli.run import app
from xai_tf.tasks import TASKS

CAT = SAMPLES / "cat.jpg"
GROUP = typer.main.get_command(app)
OURS = sorted(
    name
    for name, command in GROUP.commands.items()
    if inspect.unwrap(command.callback).__module__.startswith("xai_tf.cli")
)
LONG = ["explain", "compare", "audit", "errors", "train", "fit-ood"]


def help_of(*words, columns=100):
    result = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": str(columns)})
    assert result.exit_code == 0
    return result.output


@pytest.fixture(autouse=True)
def _quiet_again():
    """Verbosity lasts as long as the process, which here is that of all tests."""
    yield
    CliRunner().invoke(app, ["tasks"])


# Help


def test_the_help_lists_the_commands_in_panels():
    text = help_of()

    places = [text.index(f"─ {panel} ─") for panel in PANELS]
    assert places == sorted(places)
    assert "─ Commands ─" not in text
    panel_of = {name: command.rich_help_panel for name, command in GROUP.commands.items()}
    assert set(panel_of.values()) == set(PANELS)
    assert panel_of["explain"] == "Explain"
    assert panel_of["audit"] == "Evaluate"
    assert panel_of["models"] == "Models and data"
    assert panel_of["fit-ood"] == "Train and tune"
    assert panel_of["serve"] == "Serve"


@pytest.mark.parametrize("columns", [80, 120])
def test_the_help_of_explain_is_in_panels(columns):
    text = help_of("explain", columns=columns)

    panels = ["Question", "Output", "Data", "Advanced", "General"]
    places = [text.index(f"─ {panel} ─") for panel in panels]
    assert places == sorted(places)
    assert "─ Options ─" not in text
    assert max(map(len, text.splitlines())) <= columns
    for option, panel in {"--target": 0, "--out": 1, "--task": 2, "--until-stable": 3}.items():
        assert places[panel] < text.index(f" {option} ") < places[panel + 1]


@pytest.mark.parametrize("command", LONG)
def test_every_option_of_a_long_command_has_a_panel(command):
    panels = {getattr(param, "rich_help_panel", None) for param in options_of(command)}

    assert panels <= set(OPTION_PANELS)


def options_of(command):
    return [p for p in GROUP.commands[command].params if p.param_type_name == "option"]


@pytest.mark.parametrize("command", OURS)
def test_every_help_text_is_a_sentence(command):
    texts = [param.help for param in GROUP.commands[command].params]
    texts.append(GROUP.commands[command].help)

    for text in texts:
        assert text, command
        assert text[0].isupper(), text
        assert text.endswith("."), text


@pytest.mark.parametrize("command", OURS)
def test_a_command_parses_calls_and_prints(command):
    function = inspect.unwrap(GROUP.commands[command].callback)

    lines, _ = inspect.getsourcelines(function)

    start = next(number for number, line in enumerate(lines) if line.startswith("def "))
    assert len(lines) - start <= 40


# Versions


def test_the_version_is_printed(run):
    code, out, err = run("--version")

    assert (code, out, err) == (0, f"xai-tf {version('xai-tf')}\n", "")


@pytest.mark.parametrize("words", [["--version", "-v"], ["-v", "--version"]])
def test_with_verbose_so_are_those_of_what_computes_without_loading_it(words):
    code = (
        "import sys\n"
        "from xai_tf.cli import main\n"
        "try: main()\n"
        "finally: print('tensorflow' in sys.modules)\n"
    )

    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)

    *lines, loaded = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == [
        "xai-tf",
        "python",
        "tensorflow",
        "keras",
        "xplique",
        "keras-tuner",
        "librosa",
        "numpy",
    ]
    assert "not installed" not in done.stdout
    assert loaded == "False"


def test_without_a_command_the_help_is_shown_and_an_option_alone_is_refused(run):
    _, out, _ = run()
    code, _, err = run("-v")

    assert "─ Explain ─" in out
    assert code == 2
    assert "Missing command" in err


# Verbosity


@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize(
    ("option", "verbose", "quiet"),
    [("-v", 1, False), ("--verbose", 1, False), ("-vv", 2, False), ("-q", 0, True)],
)
def test_verbosity_is_given_before_or_after_the_name_of_the_command(
    run, place, option, verbose, quiet
):
    words = [option, "tasks"] if place == "before" else ["tasks", option]

    code, _, _ = run(*words)

    assert code == 0
    assert (VERBOSITY.verbose, VERBOSITY.quiet) == (verbose, quiet)
    wanted = [logging.NOTSET, logging.INFO, logging.DEBUG][verbose]
    assert logging.getLogger("xai_tf").level == wanted


def test_verbosity_ends_with_the_command(run):
    run("-vv", "tasks", "-q")
    run("tasks")

    assert (VERBOSITY.verbose, VERBOSITY.quiet) == (0, False)
    assert logging.getLogger("xai_tf").handlers == []


def test_an_error_has_a_traceback_with_verbose_only(run, asking):
    words = ["predict", "nowhere.png", *asking]

    _, _, short = run(*words)
    code, _, long = run(*words, "-v")

    assert code == 2
    assert short.count("\n") == 1
    assert "Traceback" in long
    assert "INFO xai_tf.cli.options: Loaded pets" in long
    assert long.splitlines()[-1] == short.strip()


def test_quiet_leaves_the_answer_and_errors(run, pets, tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_text("Dear all,")
    words = ["predict", bad, CAT, "--model", pets, "--json"]

    _, usual, notes = run(*words)
    code, out, err = run(*words, "--quiet")

    assert code == 2
    assert result_of(out) == result_of(usual)
    assert "--preprocessing" in notes
    assert len(err.splitlines()) == 1
    assert "bad.png" in err


# Old names


@pytest.mark.parametrize(
    ("command", "old", "new"),
    [
        ("explain", "--anew", "--overwrite"),
        ("train", "--half", "--float16"),
        ("train", "--copies", "--augmentations"),
        ("tune", "--copies", "--augmentations"),
        ("tune", "--half", "--float16"),
        ("tune", "--plan", "--dry-run"),
    ],
)
def test_an_old_name_of_an_option_works_and_is_hidden(command, old, new):
    group = typer.main.get_command(app)
    context = group.make_context("xai-tf", [command, "--help"], resilient_parsing=True)
    parser = group.commands[command].make_parser(
        type(context)(group.commands[command], parent=context)
    )

    given = [
        [name, "3"] if name in ("--copies", "--augmentations") else [name] for name in (old, new)
    ]
    parsed = [parser.parse_args(args=words)[0] for words in given]

    assert parsed[0] == parsed[1] != {}
    text = help_of(command)
    assert new in text
    assert old not in text


def test_old_names_of_other_commands_stand_for_the_new_ones():
    assert RENAMED == {
        "anew": "overwrite",
        "plan": "dry-run",
        "half": "float16",
        "copies": "augmentations",
        "gate": "fit-ood",
    }


def test_the_old_name_of_a_command_works_and_is_hidden():
    text = help_of("gate")

    assert "Fit the detector" in text
    assert "gate" not in help_of().split()


def test_anew_explains_what_is_there_already(run, asking, tmp_path):
    words = ["explain", CAT, *asking, "--method", "saliency", "--out", tmp_path / "out", "--json"]
    run(*words)
    manifest = tmp_path / "out" / "cat" / "manifest.json"
    before = manifest.stat().st_mtime_ns

    run(*words)
    kept = manifest.stat().st_mtime_ns
    code, _, _ = run(*words, "--anew")

    assert code == 0
    assert kept == before < manifest.stat().st_mtime_ns


# Completion


def test_names_are_completed():
    assert [name for name, _ in completion.methods("grad_cam")] == ["grad_cam", "grad_cam_pp"]
    assert [name for name, _ in completion.tasks("")] == list(TASKS)
    assert [name for name, _ in completion.metrics("del")] == ["deletion"]
    assert [name for name, _ in completion.metrics("deletion,in")] == ["deletion,insertion"]
    assert "deletion,deletion" not in [name for name, _ in completion.metrics("deletion,")]
    assert ("rise.grid=") in [name for name, _ in completion.settings("rise.")]
    baselines = completion.settings("integrated_gradients.baseline=b")
    assert [name for name, _ in baselines] == ["integrated_gradients.baseline=blurred"]
    assert "xray_mobilenetv2" in [name for name, _ in completion.models("xray")]
    assert completion.models("./mine") == []


def test_the_shell_gets_completions_without_tensorflow(tmp_path):
    code = (
        "import sys\n"
        "sys.argv[0] = 'xai-tf'\n"
        "from xai_tf.cli import main\n"
        "try: main()\n"
        "finally: print('tensorflow' in sys.modules)\n"
    )
    typed = "xai-tf explain cat.jpg --method "
    environment = os.environ | {
        "_XAI_TF_COMPLETE": "complete_bash",
        "COMP_WORDS": typed,
        "COMP_CWORD": "4",
    }

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=tmp_path
    )

    *names, loaded = done.stdout.split()
    assert names == list(METHODS)
    assert loaded == "False"


def test_completion_can_be_installed():
    assert "--install-completion" in help_of()
    assert "--show-completion" in help_of()


# Records of options


def test_a_command_takes_a_record_of_options():
    @dataclass(frozen=True)
    class Size:
        height: Annotated[int, typer.Option(help="Height.")]
        width: Annotated[int, typer.Option(help="Width.")] = 5

    given = []

    def draw(path: Path, size: Size, name: str = "x") -> None:
        """Draw."""
        given.append((path, size, name))

    small = typer.Typer()
    small.command()(takes_records(draw))

    result = CliRunner().invoke(small, ["a.png", "--height", "3", "--name", "y"])

    assert result.exit_code == 0, result.output
    assert given == [(Path("a.png"), Size(3, 5), "y")]


@pytest.mark.parametrize(
    ("words", "place"),
    [
        (["explain", ""], "explain"),
        (["explain", "a.png", "--out", ""], "--out"),
        (["explain", "a.png", "--out="], "--out="),
        (["predict", "a.png", "--model", ""], "--model"),
    ],
)
def test_an_empty_word_is_refused(run, words, place):
    code, _, err = run(*words)

    assert code == 2
    assert f"There is an empty value after '{place}'" in err


class Swallows:
    """An object in whose finalizer Ctrl-C is pressed: Python prints the exception, and goes on."""

    def __del__(self):
        signal.raise_signal(signal.SIGINT)


def test_an_interruption_that_is_lost_stops_the_work_at_its_next_step(monkeypatch, capsys):
    lost = []

    def work():
        with progress_of("working") as progress:
            item = Swallows()
            del item
            progress(1, 2)
            lost.append("went on after the step")

    monkeypatch.setattr(sys, "unraisablehook", lost.append)
    monkeypatch.setattr(command, "app", work)

    with pytest.raises(SystemExit) as caught:
        command.main()

    assert caught.value.code == 130
    assert [one.exc_type for one in lost] == [KeyboardInterrupt]
    assert "nothing half-written is left" in capsys.readouterr().err


def test_nothing_but_our_own_lines_reaches_standard_error(pets, tmp_path):
    words = ["--classes", "cat,dog,bird", "--preprocessing", "unit", "--returns", "logits"]
    words += ["--model", pets]
    commands = [
        ["predict", CAT, SAMPLES / "xray_normal.jpg", *words],
        ["explain", CAT, *words, "--method", "saliency", "--out", tmp_path / "out"],
        ["report", tmp_path / "out", "--out", tmp_path / "report.html"],
    ]
    code = (
        "import sys, warnings\n"
        "from xai_tf.cli import main\n"
        "for words in WORDS:\n"
        "    sys.argv = ['xai-tf', *words]\n"
        "    try: main()\n"
        "    except SystemExit as stop: assert stop.code == 0, stop.code\n"
    ).replace("WORDS", repr([[str(word) for word in one] for one in commands]))
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TF_CPP")}

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment
    )

    assert done.returncode == 0, done.stderr
    ours = ("Open ", "cat.jpg: Saliency: ")  # where the page is, and the verdict on the map
    assert [line for line in done.stderr.splitlines() if not line.startswith(ours)] == []
