"""The tasks: every module in this folder that has a `TASK` is found by itself."""

from importlib import import_module
from pkgutil import iter_modules

from xai_tf.inputs.task import Task

TASKS: dict[str, Task] = {
    module.name: import_module(f"{__name__}.{module.name}").TASK
    for module in iter_modules(__path__)
}
