"""Explain many files into a folder of bundles; interrupted, the same call continues."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xai_tf.attribution.explain import explain, explain_layers
from xai_tf.attribution.explanation import ALL_LAYERS, Explanation
from xai_tf.attribution.methods import DEFAULT_METHOD, Settings
from xai_tf.attribution.question import Question, in_order_of_draws, resolve_classes
from xai_tf.bundles.index import check_page, write_page
from xai_tf.bundles.manifest import MANIFEST, bundle_names
from xai_tf.bundles.resume import clear_leftovers, differences, stored_answer
from xai_tf.bundles.sources import find_inputs, labels_in_paths
from xai_tf.classifiers.classifier import Classifier
from xai_tf.classifiers.reading import read_and_predict
from xai_tf.datasets.listing import counted, some
from xai_tf.errors import InputError, OutputError, pick
from xai_tf.files import check_place, earlier_result
from xai_tf.inputs.sample import Sample
from xai_tf.metrics.metric import METRICS
from xai_tf.metrics.score import Score, score
from xai_tf.packages import versions
from xai_tf.progress import Progress, silent

if TYPE_CHECKING:
    from xai_tf.regions.marks import Mark, Marks


def _chosen(classifier: Classifier) -> dict[str, Any]:
    """What was chosen of a model beside its file, where it has the choice."""
    chosen = {
        "thresholds": list(classifier.thresholds),
        "output": classifier.output,
        "inputs": {name: value.tolist() for name, value in classifier.held.items()},
    }
    return {name: value for name, value in chosen.items() if value}


@dataclass(frozen=True, kw_only=True)
class BundleRequest:
    """What is asked about every file of a folder.

    Attributes:
        questions: one for each method. A layer of "all" follows a CAM method through the layers.
        windows: how many windows of a long recording are explained, those that speak most for the
            target; 0 for all.
        metrics: names in `METRICS` that judge each explanation; each where it applies.
        metric_settings: by metric, the settings that differ from its defaults.
        metric_seed: random seed of the metrics.
        regions: whether to report how much of each map lies in which region.
        marks: what people marked in the files, as `regions.read_marks` reads it; maps of files that
            have marks are judged by them.
        tolerance: of the pointing game, in pixels of the model's input; None for the default.
        opacity: of the maps in overlays, 0 to 1.
        shared_scale: whether the maps of one method share one color scale.
        smooth: whether maps of single pixels are drawn smoothed.
    """

    questions: tuple[Question, ...]
    windows: int = 3
    metrics: tuple[str, ...] = ()
    metric_settings: Mapping[str, Settings] = field(default_factory=dict)
    metric_seed: int = 0
    regions: bool = False
    marks: Marks | None = None
    tolerance: int | None = None
    opacity: float = 0.7
    shared_scale: bool = False
    smooth: bool = True

    def to_dict(
        self, classifier: Classifier, truth: int | None = None, marks: Sequence[Mark] = ()
    ) -> dict[str, Any]:
        """What decides the content of a bundle, as plain data: request, model and version.

        Args:
            classifier: what is asked.
            truth: the label of the file, where it is known.
            marks: those of the file.
        """
        detector, options = classifier.ood_detector, classifier.read_options
        request = asdict(replace(self, marks=None))
        del request["marks"], request["tolerance"]
        if marks:
            request["marks"] = [mark.to_dict() for mark in marks]
            request["tolerance"] = self.tolerance
        if self.smooth:
            del request["smooth"]
        return {
            "model": classifier.sha256,
            "task": classifier.task.key if classifier.task else None,
            "classes": list(classifier.classes),
            "preprocessing": classifier.preprocessing,
            **_chosen(classifier),
            **request,
            "questions": [question.to_dict() for question in self.questions],
            "metrics": list(self.metrics),
            "metric_settings": {n: dict(given) for n, given in self.metric_settings.items()},
            "version": versions()["xai-tf"],
            "ood_threshold": detector and detector.threshold,
            "truth": truth,
            **({"read_options": options.to_dict()} if options else {}),
        }


@dataclass(frozen=True, kw_only=True)
class FileResult:
    """What became of one file.

    Attributes:
        path: the file.
        folder: of its bundle.
        manifest: of the bundle; None where the file could not be read.
        reused: whether the bundle was there already and answers the same request.
        error: why there is no bundle.
        notes: what a person should know before trusting the prediction and the maps.
        alarms: of the regions, a sentence each.
    """

    path: Path
    folder: Path
    manifest: Mapping[str, Any] | None = field(default=None, repr=False)
    reused: bool = False
    error: InputError | None = None
    notes: tuple[str, ...] = ()
    alarms: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class FolderPlan:
    """What a folder holds already, and what is to be done.

    Attributes:
        paths: the files, in order.
        names: of their bundles.
        labels: index of the true class of each file that lies in a folder named as a class.
        reusable: manifests of bundles that answer the same request, by file.
        marks: what people marked in each file that has marks.
        notes: how the marks were read, and what has none, a sentence each.
    """

    paths: tuple[Path, ...]
    names: tuple[str, ...]
    labels: Mapping[Path, int]
    reusable: Mapping[Path, Mapping[str, Any]]
    marks: Mapping[Path, tuple[Mark, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def to_do(self) -> tuple[Path, ...]:
        """The files that will be explained."""
        return tuple(path for path in self.paths if path not in self.reusable)


def plan_folder(
    classifier: Classifier,
    files: str | Path | Sequence[str | Path],
    request: BundleRequest,
    out: Path,
    overwrite: bool = False,
) -> FolderPlan:
    """Find the files and look at what `out` holds already. Nothing is written.

    Args:
        classifier: what predicts.
        files: as for `explain_folder`.
        request: what is asked about every file.
        out: the folder of the bundles.
        overwrite: as for `explain_folder`.

    Raises:
        InputError: a folder holds no file that the model reads, none of the files has marks, or it
            is ambiguous which.
        OutputError: something that is not ours is in the way in `out`, or, without `overwrite`,
            answers to another request.
        XaiTfError: the request cannot be answered, see `Question.validated`.
    """
    for question in request.questions:
        _check(question, classifier)
    for name in request.metrics:
        pick(METRICS, name, "metric")
    given = [Path(files)] if isinstance(files, str | Path) else [Path(file) for file in files]
    paths = find_inputs(given, classifier, out)
    names = bundle_names(paths)
    check_page(out)
    for name in names:
        check_place(out / name, MANIFEST)
    labels = labels_in_paths(given, paths, classifier.classes)
    marks, notes = _marks_of(request, classifier, paths)
    reusable: dict[Path, Mapping[str, Any]] = {}
    replaced: dict[str, Sequence[str]] = {}
    for path, name in zip(paths, names, strict=True):
        asked = request.to_dict(classifier, labels.get(path), marks.get(path, ()))
        manifest = None if overwrite else stored_answer(out / name, asked, path)
        if manifest is not None:
            reusable[path] = manifest
        elif not overwrite and (different := differences(out / name, asked, path)):
            replaced[name] = different
    if replaced:
        raise _would_replace(out, replaced)
    return FolderPlan(tuple(paths), tuple(names), labels, reusable, marks, notes)


def explain_folder(
    classifier: Classifier,
    files: str | Path | Sequence[str | Path],
    methods: str | Sequence[str] | BundleRequest = DEFAULT_METHOD,
    out: str | Path = "explanations",
    *,
    overwrite: bool = False,
    plan: FolderPlan | None = None,
    progress: Progress = silent,
    on_result: Callable[[FileResult], None] = lambda result: None,
) -> list[FileResult]:
    """Explain files into a folder of bundles, with an `index.html` to look at them.

    Each bundle appears whole or not at all. Interrupted, even by a kill, the same call continues:
    bundles in `out` that answer the same request about the same content are reused.

    Args:
        classifier: what predicts.
        files: a file, a folder (gone through with all folders in it, in the order of the paths), or
            several of either.
        methods: names in `METHODS`, or a whole request.
        out: the folder of the bundles, one for each file.
        overwrite: explain again what `out` holds already, and replace answers to other requests.
        plan: from `plan_folder` of the same arguments, where it is known already.
        progress: called with (passes done, passes of this method, what is being done).
        on_result: called with the result of each file when it is there.

    Returns:
        A result for each file. A file that cannot be read has an error in its result; the others
        are explained.

    Raises:
        InputError: a folder holds no file that the model reads.
        OutputError: a bundle or the index cannot be written, or, without `overwrite`, would replace
            the answer to another request.
        XaiTfError: the request cannot be answered, see `Question.validated`.
    """
    if isinstance(methods, BundleRequest):
        request = methods
    else:
        names = [methods] if isinstance(methods, str) else methods
        request = BundleRequest(questions=tuple(map(Question, names)))
    out = Path(out)
    plan = plan or plan_folder(classifier, files, request, out, overwrite)
    clear_leftovers(out)
    results = []
    for path, name in zip(plan.paths, plan.names, strict=True):
        if manifest := plan.reusable.get(path):
            result = FileResult(path=path, folder=out / name, manifest=manifest, reused=True)
        else:
            result = _explain_file(classifier, path, plan, request, out / name, progress)
        results.append(result)
        on_result(result)
    manifests = {r.folder.name: dict(r.manifest) for r in results if r.manifest is not None}
    if manifests:
        write_page(out, manifests)
    return results


def _would_replace(out: Path, replaced: Mapping[str, Sequence[str]]) -> OutputError:
    what = ", ".join(sorted(set().union(*replaced.values())))
    return earlier_result(f"{out} answers another request ({what}) about {some(replaced)}")


def explain_sample(
    classifier: Classifier,
    sample: Sample,
    question: Question,
    progress: Progress = silent,
    earlier: Sequence[Explanation] = (),
) -> list[Explanation]:
    """Answer one question about a sample; a layer of "all" gives a map for each resolution.

    Passes that `earlier` maps of the sample have taken are not run again.
    """
    if question.layer == ALL_LAYERS:
        if _through_layers(question):
            return explain_layers(classifier, sample, question, progress=progress)
        question = Question.from_dict(question.to_dict() | {"layer": None})
    return [explain(classifier, sample, question, progress=progress, earlier=earlier)]


def _check(question: Question, classifier: Classifier) -> None:
    if question.layer == ALL_LAYERS and question.entry.needs_layer:
        question = Question.from_dict(question.to_dict() | {"layer": None})
    question.validated(classifier)


def _marks_of(
    request: BundleRequest, classifier: Classifier, paths: Sequence[Path]
) -> tuple[Mapping[Path, tuple[Mark, ...]], tuple[str, ...]]:
    """The marks of each file that has any, and what a person should know of them."""
    from xai_tf.regions.marks import find_marks

    if request.marks is None:
        return {}, ()
    marks, matched = find_marks(request.marks, classifier.classes, paths)
    count, names = len(matched.unmarked), some(path.name for path in matched.unmarked)
    unmarked = f"{counted(count, 'file')} without marks, so not judged by them: {names}."
    return matched.by_file, (*marks.notes, *[unmarked] * bool(count), *matched.notes)


def _through_layers(question: Question) -> bool:
    return question.entry.needs_layer and question.entry.class_specific


def _explain_file(
    classifier: Classifier,
    path: Path,
    plan: FolderPlan,
    request: BundleRequest,
    folder: Path,
    progress: Progress,
) -> FileResult:
    from xai_tf.bundles.write import save_bundle
    from xai_tf.regions import audit, judge, place_marks, regions_of

    truth, marks = plan.labels.get(path), plan.marks.get(path, ())
    try:
        reading = read_and_predict(classifier, path, truth)
        if marks:  # those that cannot be placed are an error before the work
            place_marks(reading.samples[0], marks, classifier.read_options)
    except InputError as error:
        return FileResult(path=path, folder=folder, error=error)
    first = request.questions[0]
    target, contrast = resolve_classes(classifier, reading.prediction, first.target, first.contrast)
    explanations: list[Explanation] = []
    for number in reading.most_decisive(classifier.target(target, contrast), request.windows):
        maps: dict[int, list[Explanation]] = {}
        for place in in_order_of_draws(request.questions):
            question = request.questions[place]
            what = f"{path.name}: {question.entry.title}"
            asked = Question.from_dict(
                question.to_dict() | {"target": target, "contrast": contrast}
            )
            maps[place] = explain_sample(
                classifier,
                reading.samples[number],
                asked,
                _named(progress, what),
                [one for made in maps.values() for one in made],
            )
        explanations += [one for place in sorted(maps) for one in maps[place]]
    scores = [_scores(classifier, one, request, progress) for one in explanations]
    audits = (
        [audit(e, regions_of(e.sample, classifier.task)) for e in explanations]
        if request.regions
        else []
    )
    only = first.target is not None
    found = [judge(classifier, e, marks, request.tolerance, only) for e in explanations if marks]
    manifest = save_bundle(
        folder,
        classifier,
        reading,
        explanations,
        request.opacity,
        request.shared_scale,
        scores if request.metrics else (),
        audits,
        request.to_dict(classifier, truth, marks),
        request.smooth,
        [judged for judged, _ in found],
    )
    warnings = [text for e in explanations for text in e.warnings]
    warnings += [text for _, of_marks in found for text in of_marks]
    alarms = [text for audited in audits for text in audited.alarms]
    return FileResult(
        path=path,
        folder=folder,
        manifest=manifest,
        notes=tuple(dict.fromkeys([*reading.explanation_warnings, *warnings])),
        alarms=tuple(dict.fromkeys(alarms)),
    )


def _scores(
    classifier: Classifier, explanation: Explanation, request: BundleRequest, progress: Progress
) -> list[Score]:
    names = [name for name in request.metrics if METRICS[name].applies(explanation.method)]
    if not names:
        return []
    what = f"{explanation.sample.source.name}: scores of {explanation.method.title}"
    return score(
        classifier,
        explanation,
        names,
        settings={n: given for n, given in request.metric_settings.items() if n in names},
        seed=request.metric_seed,
        progress=_named(progress, what),
    )


def _named(progress: Progress, what: str) -> Progress:
    """A progress that says what is being done."""

    def report(done: int, total: int, what: str = what) -> None:
        progress(done, total, what)

    return report
