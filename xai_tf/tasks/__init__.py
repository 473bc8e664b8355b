"""The tasks: each module in this folder defines one `TASK` and is registered automatically.

A task of one's own needs no change here: a TOML file (`xai_tf.inputs.task_file`), or a `Task` that
an installed package registers under the entry point group "xai_tf.tasks".
"""

import json
import logging
from functools import lru_cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from pkgutil import iter_modules

from xai_tf.errors import SettingError, pick
from xai_tf.inputs.task import Task
from xai_tf.inputs.task_file import read_definition, task_from

GROUP = "xai_tf.tasks"
_log = logging.getLogger(__name__)


def _installed() -> dict[str, Task]:
    """The tasks that installed packages register; one that fails is reported and left out."""
    tasks = {}
    for entry in entry_points(group=GROUP):
        try:
            task = entry.load()
        except Exception as error:  # whatever a foreign module raises
            _log.warning("Cannot load the task %s (%s): %s", entry.name, entry.value, error)
            continue
        if isinstance(task, Task) and task.name == entry.name:
            tasks[entry.name] = task
        else:
            _log.warning("%s is no xai_tf.Task named %r", entry.value, entry.name)
    return tasks


TASKS: dict[str, Task] = {
    module.name: import_module(f"{__name__}.{module.name}").TASK
    for module in iter_modules(__path__)
} | _installed()


def find_task(key: str) -> Task:
    """The task of a name, of a TOML file, or of a definition as in `Task.definition`.

    Raises:
        UnknownNameError: there is no such task.
        InputError: the file is missing, or is not TOML.
        SettingError: a definition is invalid.
    """
    if key in TASKS:
        return TASKS[key]
    if key.startswith("{"):
        return _defined(key)
    if Path(key).suffix == ".toml":
        return task_from(read_definition(Path(key)), TASKS, key)
    return pick(TASKS, key, "task")


def known_task(key: str | None) -> Task | None:
    """The task of a model card; None where it names none that is known here."""
    if not key or not (key in TASKS or key.startswith("{")):
        return None
    try:
        return find_task(key)
    except SettingError:
        return None


@lru_cache(maxsize=64)
def _defined(definition: str) -> Task:
    try:
        values = json.loads(definition)
    except ValueError as error:
        raise SettingError(f"Invalid definition of a task: {error}") from error
    return task_from(values, TASKS, "the definition of the task")
