"""`xai-tf audit --swap`, `--hide`, `--only` and `--crop`: change files, and see what follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Group
from rich.markup import escape
from rich.table import Table

from xai_tf.cli.answers import Answer, Failure
from xai_tf.cli.app import ADVANCED, QUESTION
from xai_tf.cli.console import complain, note, progress_of
from xai_tf.cli.options import ModelFlags, check_classes, tell_doubt
from xai_tf.errors import InputError, SettingError
from xai_tf.files import check_free, write_file
from xai_tf.inputs.hiding import FILLS

if TYPE_CHECKING:
    from xai_tf.classifiers.classifier import Classifier
    from xai_tf.interventions import Cases, Finding, Line, Located
    from xai_tf.progress import Progress

MAX_COUNTS = 3  # answers or changes named in a line of the table


@dataclass(frozen=True)
class InterventionFlags:
    """The interventions, as options of a command; see `records.takes_records`."""

    swap: Annotated[
        bool,
        typer.Option(
            "--swap",
            help="Lay --region of one file into the surroundings of another, to see which decides.",
            rich_help_panel=QUESTION,
        ),
    ] = False
    region: Annotated[
        str | None,
        typer.Option(
            metavar="REGION",
            help="Region to swap, such as lungs, or several, separated by commas.",
            rich_help_panel=QUESTION,
            show_default="where the evidence of the task is expected",
        ),
    ] = None
    hide: Annotated[
        list[str] | None,
        typer.Option(
            metavar="REGION",
            help="Hide a region, or several, separated by commas, to see if the answer stays. "
            "Repeat the option for several tests.",
            rich_help_panel=QUESTION,
        ),
    ] = None
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="REGION",
            help="Hide everything but a region, to see if the answer stays. Repeat the option "
            "for several tests.",
            rich_help_panel=QUESTION,
        ),
    ] = None
    crop: Annotated[
        bool,
        typer.Option(
            "--crop",
            help="Cut 2, 5, 10 and 15% off each side, to see if the answer changes.",
            rich_help_panel=QUESTION,
        ),
    ] = False
    fill: Annotated[
        str | None,
        typer.Option(
            help=f"What --hide and --only put in the place of what is hidden: {', '.join(FILLS)}.",
            rich_help_panel=ADVANCED,
            show_default="mean, or silence for sounds",
        ),
    ] = None
    seed: Annotated[
        int,
        typer.Option(
            min=0,
            help="Random seed of the pairs of --swap and the controls of --hide and --only.",
            rich_help_panel=ADVANCED,
        ),
    ] = 0

    @property
    def asked(self) -> list[tuple[str, str]]:
        """The interventions that are asked for, each with its region; empty for the usual one."""
        return [
            *([("swap", self.region or "")] if self.swap else []),
            *(("hide", region) for region in self.hide or ()),
            *(("only", region) for region in self.only or ()),
            *([("crop", "")] if self.crop else []),
        ]

    def check(self, files: Sequence[Path], methods: object, marks: object) -> None:
        """Raise a SettingError for what cannot be asked together."""
        if not self.asked:
            self._check_unused()
            return
        for option, given in (("--method", methods), ("--marks", marks)):
            if given:
                raise SettingError(
                    f"{option} is for maps, and --swap, --hide, --only and --crop make none. Leave "
                    "it out, or audit twice."
                )
        if len(files) != 1:
            raise SettingError(
                f"--swap, --hide, --only and --crop take one folder of labeled files, not "
                f"{len(files)}. Give a folder with a folder for each class, or a CSV file."
            )
        if self.region and not self.swap:
            raise SettingError("--region is for --swap. Give --swap too, or leave it out.")
        if self.fill and not (self.hide or self.only):
            raise SettingError("--fill is for --hide and --only. Give one, or leave it out.")
        if self.fill and self.fill not in FILLS:
            raise SettingError(
                f"Invalid value for --fill: {self.fill!r}. Expected one of {', '.join(FILLS)}."
            )

    def _check_unused(self) -> None:
        """Raise a SettingError for options of an intervention where none is asked for."""
        for option, given in (("--region", self.region), ("--fill", self.fill)):
            if given:
                raise SettingError(
                    f"{option} changes files. Give --swap, --hide or --only too, or leave it out."
                )


def change_files(
    source: Path,
    model: ModelFlags,
    flags: InterventionFlags,
    target: str | None,
    by: Sequence[str] | None,
    out: Path | None,
    overwrite: bool,
) -> Answer:
    """Change the files of a folder as asked, draw some of the inputs, and tell what follows."""
    from xai_tf.interventions import read_cases

    pictures = _pictures(flags, out, overwrite) if out else {}
    classifier = model.load()
    check_classes(classifier, target)
    asked = [(name, region or _usual(name, classifier)) for name, region in flags.asked]
    with progress_of("reading") as progress:
        cases = read_cases(classifier, source, target, flags.seed, progress)
        findings = _findings(cases, asked, flags, by or (), progress)
    for number, picture in pictures.items():
        _draw(findings[number], picture)
    if out:
        note(f"The pictures are in {out}")
    for path, reason in cases.unreadable:
        complain(InputError(f"{path.parent}: {reason}"))
    for text in cases.notes:
        note(text)
    tell_doubt(classifier)
    return Answer(
        result={
            "files": [],
            "summary": [],
            "marks": None,
            "interventions": [_described(finding) for finding in findings],
        },
        table=Group(*(_table(finding, cases.notes) for finding in findings)),
        rows=[row for finding in findings for row in _rows(finding)],
        failures=[Failure(path, reason) for path, reason in cases.unreadable],
    )


def _usual(name: str, classifier: Classifier) -> str:
    """The region that is tested where none is named."""
    from xai_tf.interventions import INTERVENTIONS, usual_region

    if not INTERVENTIONS[name].takes_region:
        return ""
    region = usual_region(classifier.task)
    if not region:
        raise SettingError(
            f"It is not known where the evidence of {classifier.name!r} is expected. Name the "
            "region to swap: --region, such as corners,border or '300 to 1000 Hz'."
        )
    return region


def _findings(
    cases: Cases,
    asked: Sequence[tuple[str, str]],
    flags: InterventionFlags,
    by: Sequence[str],
    progress: Progress,
) -> list[Finding]:
    """What each intervention finds out; each region is looked for once."""
    from xai_tf.interventions import Settings, intervene, locate

    located: dict[str, Located] = {}
    for region in dict.fromkeys(region for _, region in asked if region):
        located[region] = locate(cases, region, by, progress)
    settings = Settings(seed=flags.seed, fill=flags.fill)
    return [
        intervene(name, located[region] if region else cases, settings, progress)
        for name, region in asked
    ]


def _pictures(flags: InterventionFlags, out: Path, overwrite: bool) -> dict[int, Path]:
    """The picture of each intervention by its number; none replaces an earlier one unasked."""
    names = [
        "-".join(filter(None, [name, "".join(c if c.isalnum() else "-" for c in region)]))
        for name, region in flags.asked
    ]
    pictures = {number: out / f"{name}.png" for number, name in enumerate(names)}
    for picture in pictures.values():
        check_free(picture, overwrite)
    return pictures


def _draw(finding: Finding, picture: Path) -> None:
    from xai_tf.interventions import draw_examples

    write_file(picture, draw_examples(finding).savefig)


def _described(finding: Finding) -> dict[str, Any]:
    told = {name: value for name, value in vars(finding).items() if name != "examples"}
    return {**told, "lines": [asdict(line) for line in finding.lines]}


def _rows(finding: Finding) -> list[dict[str, Any]]:
    return [
        {
            "intervention": finding.intervention,
            "region": finding.region,
            "inputs": line.inputs,
            "control": line.control,
            "measure": line.measure,
            **asdict(line.share),
            "counts": _counts(line, len(line.counts)),
            "verdict": finding.verdict,
            "sentence": finding.sentence,
        }
        for line in finding.lines
    ]


def _table(finding: Finding, told: Sequence[str]) -> Table:
    """The figures, controls dimmed, and the sentence below; without notes that are told already."""
    from xai_tf.interventions import INTERVENTIONS

    one = INTERVENTIONS[finding.intervention]
    notes = [text for text in finding.notes if text not in told]
    cost = f"{finding.files} files, {finding.passes} passes, {finding.seconds:.1f} s."
    verdict = finding.sentence or f"Verdict: {finding.verdict}."
    style = "bold red" if finding.accuses else "bold"
    table = Table(
        *("inputs", "measure", "share (95% interval)", "number", "answers"),
        title=f"{one.title}: {one.asks}",
        caption=escape(" ".join([*notes, cost])) + f"\n[{style}]{escape(verdict)}[/]",
    )
    for line in finding.lines:
        cells = (line.inputs, line.measure, str(line.share), str(line.share.count))
        name = "control: " if line.control else ""
        table.add_row(
            *(escape(cell) for cell in (name + cells[0], *cells[1:])),
            escape(_counts(line, MAX_COUNTS)),
            style="dim" if line.control else None,
        )
    return table


def _counts(line: Line, most: int) -> str:
    named = sorted(line.counts.items(), key=lambda item: -item[1])
    shown = ", ".join(f"{name}: {count}" for name, count in named[:most])
    rest = sum(count for _, count in named[most:])
    return f"{shown}, others: {rest}" if rest else shown
