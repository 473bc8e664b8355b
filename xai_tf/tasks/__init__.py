"""The tasks: each module in this folder defines one `TASK` and is registered automatically."""

from importlib import import_module
from pkgutil import iter_modules

from xai_tf.inputs.task import Task

TASKS: dict[str, Task] = {
    module.name: import_module(f"{__name__}.{module.name}").TASK
    for module in iter_modules(__path__)
}
