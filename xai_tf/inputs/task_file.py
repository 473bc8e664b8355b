"""A task of one's own in a short TOML file, based on a task that reads the same kind of file."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from xai_tf.errors import InputError, SettingError, nearest, pick
from xai_tf.inputs import augmentation
from xai_tf.inputs.audio import sound_reader
from xai_tf.inputs.mel_recipe import MelRecipe
from xai_tf.inputs.task import Task

TEXTS = ("name", "title", "question", "subject")
KEYS = ("based_on", *TEXTS, "classes", "baseline", "medical", "sound")


def read_definition(path: Path) -> dict[str, Any]:
    """Read the TOML file of a task; its name is that of the file where it gives none.

    Raises:
        InputError: there is no such file, or it is not TOML.
    """
    try:
        definition = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"There is no task file {path}.") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"Cannot read {path} as a task in TOML: {error}") from error
    return {"name": path.stem} | definition


def task_from(definition: Mapping[str, Any], tasks: Mapping[str, Task], source: str) -> Task:
    """Make a task from its definition.

    Args:
        definition: `based_on`, a name in `tasks`, and what differs: any of `KEYS`. `sound` holds
            fields of `MelRecipe`.
        tasks: the tasks it can be based on.
        source: where the definition comes from, for error messages.

    Raises:
        SettingError: a key is missing, unknown or has an invalid value.
        UnknownNameError: there is no such task to be based on.
    """
    for key in definition:
        if key not in KEYS:
            raise SettingError(f"Unknown key {key!r} in {source}. {nearest(key, list(KEYS))}")
    if "based_on" not in definition:
        raise SettingError(
            f'No "based_on" in {source}. Add a line such as based_on = "photo", "medical_image" or '
            '"sound"; it says how files are read.'
        )
    base = pick(tasks, str(definition["based_on"]), "task")
    texts = {key: _text(definition, key, source) for key in TEXTS if key in definition}
    name = texts.get("name") or base.name
    task = replace(
        base,
        name=name,
        title=texts.get("title") or name.replace("_", " ").capitalize(),
        question=texts.get("question") or base.question,
        classes=_classes(definition, source) or base.classes,
        baseline=_number(definition, "baseline", base.baseline, source),
        medical=bool(definition.get("medical", base.medical)),
        subject={"en": texts["subject"]} if "subject" in texts else base.subject,
        definition=json.dumps(dict(definition), sort_keys=True, ensure_ascii=False),
    )
    if "sound" not in definition:
        return task
    recipe = _recipe(definition["sound"], base, source)
    return replace(
        task, reader=sound_reader(recipe), augment=augmentation.speech(recipe), recipe=recipe
    )


def _text(definition: Mapping[str, Any], key: str, source: str) -> str:
    text = definition[key]
    if not isinstance(text, str) or not text.strip():
        raise SettingError(f"Invalid value for {key} in {source}: {text!r}. Expected a text.")
    return text.strip()


def _classes(definition: Mapping[str, Any], source: str) -> tuple[str, ...]:
    classes = definition.get("classes", ())
    valid = isinstance(classes, list | tuple) and all(isinstance(name, str) for name in classes)
    if not valid or len(set(classes)) != len(classes) or len(classes) == 1:
        raise SettingError(
            f"Invalid value for classes in {source}: {classes!r}. Expected two or more different "
            'names in the order of the outputs, such as ["daisy", "rose"].'
        )
    return tuple(classes)


def _number(definition: Mapping[str, Any], key: str, default: float, source: str) -> float:
    number = definition.get(key, default)
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number <= 1:
        raise SettingError(
            f"Invalid value for {key} in {source}: {number!r}. Expected a number from 0 to 1."
        )
    return float(number)


def _recipe(given: Any, base: Task, source: str) -> MelRecipe:
    if base.recipe is None:
        raise SettingError(
            f"[sound] in {source} needs a task that reads sound, but {base.name!r} reads pictures. "
            'Write based_on = "sound".'
        )
    known = asdict(base.recipe)
    for key in given:
        if key not in known:
            raise SettingError(
                f"Unknown key {key!r} in [sound] of {source}. {nearest(key, list(known))}"
            )
        if key != "color_map" and (
            isinstance(given[key], bool) or not isinstance(given[key], int | float)
        ):
            raise SettingError(
                f"Invalid value for {key} in [sound] of {source}: {given[key]!r}. Expected a "
                "number."
            )
    try:
        recipe = replace(base.recipe, **given)
    except SettingError as error:
        raise SettingError(f"[sound] of {source}: {error}") from error
    return recipe
