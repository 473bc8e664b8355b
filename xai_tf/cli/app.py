"""The app behind `xai-tf`: its panels, the options of every command, and renamed options."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from xai_tf.cli.console import VERBOSITY, set_verbose
from xai_tf.errors import SettingError
from xai_tf.packages import versions

# The panels of `xai-tf --help`, in their order there.
EXPLAIN = "Explain"
EVALUATE = "Evaluate"
MODELS_AND_DATA = "Models and data"
TRAIN_AND_TUNE = "Train and tune"
SERVE = "Serve"
PANELS = (EXPLAIN, EVALUATE, MODELS_AND_DATA, TRAIN_AND_TUNE, SERVE)

# The panels of a command's options, in their order there.
QUESTION = "Question"
SEARCH = "Search"
TRAINING = "Training"
OUTPUT = "Output"
DATA = "Data"
ADVANCED = "Advanced"
GENERAL = "General"
OPTION_PANELS = (QUESTION, SEARCH, TRAINING, OUTPUT, DATA, ADVANCED, GENERAL)

PANEL = "rich_help_panel"  # the attribute of a command or option with the name of its panel
HELP = ["-h", "--help"]

# Earlier names of options and commands. They still work, but no help shows them.
RENAMED = {
    "anew": "overwrite",
    "plan": "dry-run",
    "half": "float16",
    "copies": "augmentations",
    "gate": "fit-ood",
}

# What computes: shown by `xai-tf --version -v`.


def current_name(name: str) -> str:
    """The current name of an option (without its dashes) or a command."""
    return RENAMED.get(name, name)


def _set_verbose(ctx: typer.Context, count: int) -> None:
    # Given after the command's name, it adds to what stands before: without it, nothing changes.
    if count or ctx.parent is None:
        set_verbose(count)


def _set_quiet(ctx: typer.Context, quiet: bool) -> None:
    if quiet or ctx.parent is None:
        VERBOSITY.quiet = quiet


def _general(
    verbose: Annotated[
        int,
        typer.Option(
            "--verbose",
            "-v",
            count=True,
            show_default=False,
            callback=_set_verbose,
            expose_value=False,
            rich_help_panel=GENERAL,
            help="Log what happens, and show tracebacks of errors. -vv logs more.",
        ),
    ] = 0,
    quiet: Annotated[
        bool,
        typer.Option(
            "--quiet",
            "-q",
            callback=_set_quiet,
            expose_value=False,
            rich_help_panel=GENERAL,
            help="Print the answer and errors only: no notes, no progress.",
        ),
    ] = False,
) -> None:
    """The options that every command has, before and after the command's name."""


def _params_of(function: Callable[..., Any]) -> list[Any]:
    """The parameters that Typer makes of a function's signature."""
    app = typer.Typer(add_completion=False)
    app.command()(function)
    return typer.main.get_command(app).params


class CommandGroup(TyperGroup):
    """Commands by panel, each with `--verbose` and `--quiet`, and with its options by panel."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.params += _params_of(_general)
        for param in self.params:
            setattr(param, PANEL, None)
        _hide_types_of_flags(self.params)
        for command in self.commands.values():
            command.help = _unwrapped(command.help or "")
            # A group among them has the general options already.
            general = [] if isinstance(command, CommandGroup) else _params_of(_general)
            command.params = sorted([*command.params, *general], key=_panel_number)
            help_option = command.get_help_option(typer.Context(command, help_option_names=HELP))
            setattr(help_option, PANEL, GENERAL)
            _hide_types_of_flags([*command.params, help_option])

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments; an empty one is refused, since a path would stand for this folder."""
        for before, word in zip(["xai-tf", *args], args, strict=False):
            if not word or re.fullmatch(r"--[\w-]+=", word):
                raise SettingError(
                    f"There is an empty value after {(word or before)!r}. Give a "
                    "value, or leave the option out; is a variable of the shell empty?"
                )
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: Any) -> list[str]:
        """The names of the commands, panel by panel."""
        return sorted(self.commands, key=self._place)

    def _place(self, name: str) -> int:
        panel = getattr(self.commands[name], PANEL, None)
        return PANELS.index(panel) if panel in PANELS else len(PANELS)


def _hide_types_of_flags(params: list[Any]) -> None:
    for param in params:
        if getattr(param, "is_flag", False) or getattr(param, "count", False):
            param.metavar = ""


def _unwrapped(text: str) -> str:
    """A docstring without the line breaks inside its paragraphs, which a terminal sets itself."""
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))


def _panel_number(param: Any) -> float:
    """Where a parameter stands in the help: General last, other panels unknown here before it."""
    panel = getattr(param, PANEL, None)
    if panel is None:
        return -1
    general = OPTION_PANELS.index(GENERAL)
    return OPTION_PANELS.index(panel) if panel in OPTION_PANELS else general - 0.5


app = typer.Typer(
    cls=CommandGroup,
    no_args_is_help=True,
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": HELP, "token_normalize_func": current_name},
)


@app.callback()
def run(
    ctx: typer.Context,
    show_version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Show the version and exit. With -v, also show those of TensorFlow, Keras, "
            "Xplique and others.",
        ),
    ] = False,
) -> None:
    """Explain the decisions of Keras image and audio classifiers."""
    if show_version:
        typer.echo("\n".join(_versions() if VERBOSITY.verbose else _versions()[:1]))
        raise typer.Exit
    if ctx.invoked_subcommand is None:
        ctx.fail("Missing command.")


def _versions() -> list[str]:
    """The version of this project, then those of what it runs on; nothing of it is imported."""
    found = versions()
    return [f"xai-tf {found.pop('xai-tf')}", *(f"{name} {one}" for name, one in found.items())]
