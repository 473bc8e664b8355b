"""The errors a user can fix, and the search for the name a user meant.

    Exception
    └── XaiTfError            a problem the user can fix; the command prints it as one line
        ├── InputError        a file or a data set cannot be read as what it should be
        ├── OutputError       a file or a folder cannot be written
        ├── ModelError        a model cannot be loaded, trusted or explained
        ├── UnknownNameError  a name is in no table (a method, a class, a layer, ...)
        ├── SettingError      a setting has an invalid value
        └── MissingExtraError an optional package is not installed

A text names the file or the value, the cause and the next step: "Cannot read X: .... Do Y." or
"Invalid value for Z: .... Expected ...". Anything else that is raised is a defect of this library
and keeps its traceback. `weights_keras` raises its own `ModelFileError`, which
`xai_tf.load` turns into a `ModelError`.
"""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import TypeVar

T = TypeVar("T")

# Abbreviations and other spellings in use, and the names they stand for here. They only serve the
# hint in an error text, and only where the table that is searched holds the name.
ALIASES = {
    "gradcam": "grad_cam",
    "cam": "grad_cam",
    "gradcam++": "grad_cam_pp",
    "gradcamplusplus": "grad_cam_pp",
    "gradient": "saliency",
    "gradients": "saliency",
    "vanillagradient": "saliency",
    "vanillagradients": "saliency",
    "inputxgradient": "gradient_input",
    "inputtgradient": "gradient_input",
    "gradientxinput": "gradient_input",
    "guidedbackpropagation": "guided_backprop",
    "gbp": "guided_backprop",
    "deconvolution": "deconv_net",
    "ig": "integrated_gradients",
    "intgrad": "integrated_gradients",
    "sg": "smooth_grad",
    "smoothgradsquared": "square_grad",
    "smoothgradsq": "square_grad",
    "shap": "kernel_shap",
    "shapley": "kernel_shap",
    "slidingwindow": "occlusion",
    "sobolattribution": "sobol",
    "sobolattributionmethod": "sobol",
    "hsicattribution": "hsic",
    "hsicattributionmethod": "hsic",
    "iauc": "insertion",
    "dauc": "deletion",
    "auc": "deletion",
    "randomization": "randomisation",
    "sanitycheck": "randomisation",
    "resnet": "resnet50",
    "vgg": "vgg16",
    "densenet": "densenet121",
    "efficientnet": "efficientnet_b0",
    "convnext": "convnext_tiny",
    "inception": "inception_v3",
}


class XaiTfError(Exception):
    """A problem the user can fix; its text names the file or value, the cause and the next step."""


class InputError(XaiTfError):
    """A file or a data set cannot be read as what it should be."""


class OutputError(XaiTfError):
    """A file or a folder cannot be written."""


class ModelError(XaiTfError):
    """A model cannot be loaded, trusted or explained."""


class UnknownNameError(XaiTfError):
    """A name is in no table."""


class SettingError(XaiTfError):
    """A setting has an invalid value."""


class MissingExtraError(XaiTfError):
    """An optional package is not installed."""


def pick(table: Mapping[str, T], name: str, kind: str, aliases: Mapping[str, str] = ALIASES) -> T:
    """Look up `name` in a table of `kind`s.

    >>> pick({"grad_cam": "Grad-CAM", "kernel_shap": "Kernel SHAP"}, "shap", "method")
    Traceback (most recent call last):
        ...
    xai_tf.errors.UnknownNameError: There is no method 'shap'. Did you mean 'kernel_shap'?

    Args:
        table: the entries by name.
        name: the name that is looked up, as a user gave it.
        kind: what the table holds, in the singular, for the error text.
        aliases: other names in use, lower case and without separators, to names of the table.

    Raises:
        UnknownNameError: the table has no such name; the text suggests the nearest one.
    """
    if name in table:
        return table[name]
    raise UnknownNameError(f"There is no {kind} {name!r}. {nearest(name, list(table), aliases)}")


def nearest(name: str, names: list[str], aliases: Mapping[str, str] = ALIASES) -> str:
    """One sentence that suggests which of `names` the user meant, or lists them all.

    Case and separators are ignored; an alias of a name in `names` counts as that name.

    >>> nearest("Grad-CAM++", ["grad_cam", "grad_cam_pp"])
    "Did you mean 'grad_cam_pp'?"
    """
    if (meant := aliases.get(_fold(name))) in names:
        return f"Did you mean {meant!r}?"
    by_folded = {_fold(candidate): candidate for candidate in names}
    close = get_close_matches(_fold(name), list(by_folded), n=1, cutoff=0.6)
    if close:
        return f"Did you mean {by_folded[close[0]]!r}?"
    return f"Choose from: {', '.join(names)}." if names else "There are none yet."


def _fold(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "").replace(" ", "")
