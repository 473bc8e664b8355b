"""The stock networks of Keras with their ImageNet weights, from Keras' own cache."""

from __future__ import annotations

import hashlib
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from xai_tf.classifiers.class_names import read_classes
from xai_tf.errors import InputError, ModelError, pick

if TYPE_CHECKING:
    import keras

PREFIX = "imagenet:"
CLASS_INDEX = "imagenet_class_index.json"
CLASS_INDEX_URL = f"https://storage.googleapis.com/download.tensorflow.org/data/{CLASS_INDEX}"
# The networks in keras.applications by the color scaling they were trained with.
_BY_SCALING = {
    "caffe": ("VGG16", "VGG19", "ResNet50", "ResNet101", "ResNet152"),
    "tf": (
        *("ResNet50V2", "ResNet101V2", "ResNet152V2", "InceptionV3", "InceptionResNetV2"),
        *("Xception", "MobileNet", "MobileNetV2", "NASNetMobile", "NASNetLarge"),
    ),
    "torch": ("DenseNet121", "DenseNet169", "DenseNet201"),
    "raw": (
        *("MobileNetV3Small", "MobileNetV3Large"),
        *(f"EfficientNetB{number}" for number in range(8)),
        *(f"EfficientNetV2{size}" for size in ("B0", "B1", "B2", "B3", "S", "M", "L")),
        *(f"ConvNeXt{size}" for size in ("Tiny", "Small", "Base", "Large", "XLarge")),
    ),
}
# File names in the cache that are not the last part of the address.
_NAMES_IN_CACHE = {
    "NASNet-mobile.h5": "nasnet_mobile.h5",
    "NASNet-large.h5": "nasnet_large.h5",
}
# File names in the cache that do not follow `_cached_file`'s pattern.
_TENSORFLOW = "_weights_tf_dim_ordering_tf_kernels"
_IRREGULAR = {
    "InceptionV3": f"inception_v3{_TENSORFLOW}.h5",
    "InceptionResNetV2": f"inception_resnet_v2{_TENSORFLOW}.h5",
    "MobileNet": "mobilenet_1_0_224_tf.h5",
    "MobileNetV2": f"mobilenet_v2{_TENSORFLOW}_1.0_224.h5",
    "MobileNetV3Small": "weights_mobilenet_v3_small_224_1.0_float.h5",
    "MobileNetV3Large": "weights_mobilenet_v3_large_224_1.0_float.h5",
    "NASNetMobile": "nasnet_mobile.h5",
    "NASNetLarge": "nasnet_large.h5",
}


@dataclass(frozen=True)
class Application:
    """A stock network: its name in keras.applications, and the color scaling it expects."""

    title: str
    scaling: str


APPLICATIONS: dict[str, Application] = {
    title.lower(): Application(title, scaling)
    for scaling, titles in _BY_SCALING.items()
    for title in titles
}


@dataclass(frozen=True)
class StockModel:
    """A stock network as it was loaded.

    Attributes:
        model: the network, with its top layer.
        application: its entry in `APPLICATIONS`.
        classes: the names of the classes, None where they are not known.
        sha256: of its weights.
        problem: why the names are not known, one sentence; else empty.
    """

    model: keras.Model
    application: Application
    classes: tuple[str, ...] | None
    sha256: str
    problem: str


def load_imagenet(name: str, download: bool = True) -> StockModel:
    """Load a stock network by its name in `APPLICATIONS`.

    Args:
        name: of the network.
        download: whether Keras may download what is not in its cache.

    Raises:
        UnknownNameError: there is no such network.
        ModelError: its weights are not in the cache and cannot be downloaded, or must not be.
    """
    import keras

    application = pick(APPLICATIONS, name.lower(), "network in keras.applications")
    weights = "imagenet" if download else _weights_in_cache(application)
    try:
        model = getattr(keras.applications, application.title)(weights=weights)
    except Exception as error:  # Keras raises many types on a failed download or a damaged file
        raise ModelError(_missing(name, application, str(error))) from error
    classes, problem = _classes(download)
    digest = hashlib.sha256()
    for values in model.get_weights():
        digest.update(values.tobytes())
    return StockModel(model, application, classes, digest.hexdigest(), problem)


def cache_folder() -> Path:
    """The folder in which Keras keeps what it has downloaded."""
    return Path(os.environ.get("KERAS_HOME") or Path("~/.keras").expanduser(), "models")


def cached() -> dict[str, Path]:
    """The files of the stock networks whose weights are in Keras' cache, by name."""
    files = {name: _cached_file(application) for name, application in APPLICATIONS.items()}
    return {name: file for name, file in files.items() if file.is_file()}


def cached_classes() -> tuple[str, ...]:
    """The names of the ImageNet classes if they are in Keras' cache, else nothing."""
    try:
        return read_classes(cache_folder() / CLASS_INDEX)
    except InputError:
        return ()


def _cached_file(application: Application) -> Path:
    title = application.title
    if title in _IRREGULAR:
        name = _IRREGULAR[title]
    elif title.startswith("EfficientNetV2"):
        name = f"{title.lower().replace('v2', 'v2-')}.h5"
    elif title.startswith("EfficientNet"):
        name = f"{title.lower()}.h5"
    elif title.startswith("ConvNeXt"):
        name = f"{title.lower().replace('next', 'next_')}.h5"
    else:
        name = f"{title.lower()}{_TENSORFLOW}.h5"
    return cache_folder() / name


def _weights_in_cache(application: Application) -> str:
    """What Keras is given so that it reads the weights from its cache, and from nowhere else."""
    import keras

    file = _cached_file(application)
    if not file.is_file():
        raise ModelError(f"The weights of {application.title} are not in Keras' cache: {file}.")
    if not application.title.startswith("EfficientNetB"):
        return str(file)
    # Keras builds these with a layer more for "imagenet". It downloads a file that is not official.
    module = sys.modules[getattr(keras.applications, application.title).__module__]
    official = module.WEIGHTS_HASHES[application.title[-2:].lower()][0]
    if hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest() != official:
        raise ModelError(f"{file} is not Keras' file of {application.title}. Download it again.")
    return "imagenet"


def _missing(name: str, application: Application, cause: str) -> str:
    address = re.search(r"https?://\S+?(?=:? |:?$)", cause)
    if address is None:
        return f"Cannot load {PREFIX}{name} ({cause.splitlines()[0][:200]})."
    last = address[0].rsplit("/", 1)[-1]
    file = cache_folder() / _NAMES_IN_CACHE.get(last, last)
    return (
        f"Cannot download the ImageNet weights of {application.title}. On a machine with a network "
        f"download {address[0]} and put it here as {file}. Keras deletes a file there that is not "
        "the official one."
    )


def _classes(download: bool) -> tuple[tuple[str, ...] | None, str]:
    """The names of the ImageNet classes, or why they are not known."""
    import keras

    file = cache_folder() / CLASS_INDEX
    try:
        if download and not file.is_file():
            keras.utils.get_file(CLASS_INDEX, CLASS_INDEX_URL, cache_subdir="models")
        return read_classes(file), ""
    except InputError as error:
        return None, str(error)
    except Exception:  # Keras raises a bare Exception where it cannot download
        return None, (
            f"The names of the ImageNet classes are not known, so the classes are numbered. "
            f"Download {CLASS_INDEX_URL} and put it here: {file}."
        )
