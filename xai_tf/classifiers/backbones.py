"""The backbones, and classifiers built on them: preprocessing, backbone, pooling, linear head."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from xai_tf.classifiers.graph import flatten
from xai_tf.classifiers.preprocessing import DEFAULT_SIZE, scaled
from xai_tf.errors import ModelError, pick

if TYPE_CHECKING:
    import keras


ALEXNET_SMALLEST = 57  # pixels: its poolings leave one place of them


@dataclass(frozen=True)
class Backbone:
    """A convolutional network to build a classifier on.

    Attributes:
        title: its name on pages and in tables.
        scaling: the color scaling it was trained with, a name in `SCALINGS`.
        application: its name in keras.applications, or None for one that is defined here.
        markers: names of layers by which a model on this backbone is recognized.
        image_size: (height, width) it was first trained with.
        bare: the scaling it expects instead where Keras builds it without the preprocessing that it
            has inside (`include_preprocessing=False`); empty for one that has none inside.
    """

    title: str
    scaling: str
    application: str | None = None
    markers: tuple[str, ...] = ()
    image_size: tuple[int, int] = DEFAULT_SIZE
    bare: str = ""


BACKBONES: dict[str, Backbone] = {
    "vgg16": Backbone("VGG16", "caffe", "VGG16", ("block5_conv3", "block1_conv2")),
    "resnet50": Backbone("ResNet50", "caffe", "ResNet50", ("conv5_block3_out", "conv1_bn")),
    "inception_v3": Backbone(
        "InceptionV3", "tf", "InceptionV3", ("mixed9_1", "mixed10"), image_size=(299, 299)
    ),
    "mobilenet_v2": Backbone("MobileNetV2", "tf", "MobileNetV2", ("block_16_project", "Conv_1")),
    "densenet121": Backbone("DenseNet121", "torch", "DenseNet121", ("conv5_block16_concat",)),
    "efficientnet_b0": Backbone(
        "EfficientNetB0", "raw", "EfficientNetB0", ("block7a_se_excite",), bare="raw"
    ),
    "convnext_tiny": Backbone(
        "ConvNeXtTiny", "raw", "ConvNeXtTiny", ("convnext_tiny_stage_3_block_2_gelu",), bare="torch"
    ),
    "alexnet": Backbone("AlexNet", "unit"),
    "cnn": Backbone("Plain CNN", "unit"),
}

# Backbones that cannot be built here, but are recognized in models that users bring.
RECOGNIZED_BACKBONES: dict[str, Backbone] = {
    "vgg19": Backbone("VGG19", "caffe", markers=("block5_conv4",)),
    "resnet101": Backbone("ResNet101 or 152", "caffe", markers=("conv4_block7_out", "conv1_bn")),
    "densenet169": Backbone("DenseNet169 or 201", "torch", markers=("conv5_block17_concat",)),
    "resnet_v2": Backbone("ResNetV2", "tf", markers=("conv5_block3_out", "post_relu")),
    "xception": Backbone("Xception", "tf", markers=("block14_sepconv2",), image_size=(299, 299)),
    "inception_resnet_v2": Backbone(
        "InceptionResNetV2", "tf", markers=("conv_7b",), image_size=(299, 299)
    ),
    "nasnet": Backbone("NASNet", "tf", markers=("normal_concat_12",)),
    "mobilenet": Backbone("MobileNet", "tf", markers=("conv_pw_13",)),
    "mobilenet_v3": Backbone(
        "MobileNetV3", "raw", markers=("expanded_conv_10_project", "conv_1_bn"), bare="tf"
    ),
    "efficientnet_v2": Backbone("EfficientNetV2", "raw", markers=("block6h_dwconv2",), bare="tf"),
}


def build_model(
    backbone: str,
    num_logits: int,
    image_size: tuple[int, int] = (224, 224),
    weights: str | Path | None = "imagenet",
    dropout: float = 0.2,
) -> keras.Model:
    """Build a classifier: RGB in [0, 1] to logits.

    Args:
        backbone: a name in `BACKBONES`.
        num_logits: 1 for two classes, else the number of classes.
        image_size: (height, width) of the input.
        weights: "imagenet" (downloaded by Keras), a file with the weights of the backbone without
            its top, or None for random weights. AlexNet and the plain CNN have no weights to load.
        dropout: the dropout rate of the pooled features.

    Returns:
        A flat Functional model: `preprocessing` (a frozen Dense layer that scales the colors), the
        layers of the backbone, `pool`, `dropout`, and `logits`.

    Raises:
        ModelError: the weights do not fit the backbone, or it has none.
    """
    import keras

    base = build_backbone(backbone, image_size, weights)
    pooled = keras.layers.GlobalAveragePooling2D(name="pool")(base.output)
    logits = keras.layers.Dense(num_logits, name="logits")(
        keras.layers.Dropout(dropout, name="dropout")(pooled)
    )
    return keras.Model(base.input, logits, name=backbone)


def build_backbone(
    backbone: str,
    image_size: tuple[int, int] = (224, 224),
    weights: str | Path | None = "imagenet",
) -> keras.Model:
    """Build a backbone with its preprocessing: RGB in [0, 1] to feature maps.

    Arguments and errors are those of `build_model`.

    Returns:
        A flat Functional model: `preprocessing` and the layers of the backbone.
    """
    import keras

    entry = pick(BACKBONES, backbone, "backbone")
    inputs = keras.Input((*image_size, 3), name="input")
    # In this order: layers draw their seeds as they are built, and searches are resumed.
    colors = scaled(inputs, entry.scaling)
    features = _backbone(backbone, image_size, weights)(colors)
    return flatten(keras.Model(inputs, features, name=backbone))


def recognize_backbone(layer_names: set[str]) -> str | None:
    """The name of the backbone that a model with these layers is built on, or None.

    The names are those of `RECOGNIZED_BACKBONES` and `BACKBONES`.
    """
    backbones = RECOGNIZED_BACKBONES | BACKBONES
    return next(
        (
            name
            for name, backbone in backbones.items()
            if backbone.markers and layer_names.issuperset(backbone.markers)
        ),
        None,
    )


def default_size(backbone: str | None) -> tuple[int, int]:
    """The (height, width) a known backbone was first trained with; `DEFAULT_SIZE` of others."""
    entry = (RECOGNIZED_BACKBONES | BACKBONES).get(backbone or "")
    return entry.image_size if entry else DEFAULT_SIZE


def _backbone(name: str, image_size: tuple[int, int], weights: str | Path | None) -> keras.Model:
    import keras

    shape = (*image_size, 3)
    application = BACKBONES[name].application
    if application is None:
        if weights not in (None, "imagenet"):
            raise ModelError(f"{name!r} has no pretrained weights. Omit `weights`.")
        return {"alexnet": _alexnet, "cnn": _cnn}[name](shape)
    if isinstance(weights, Path) or (weights and weights != "imagenet"):
        if not Path(weights).is_file():
            raise ModelError(f"There is no weights file {weights}. Check the name.")
        weights = str(weights)
    try:
        return getattr(keras.applications, application)(
            weights=weights, include_top=False, input_shape=shape
        )
    except Exception as error:  # a wrong file and a missing network raise many types
        raise ModelError(
            f"Cannot build {name!r} with the weights {weights!r} ({_first_line(error)}). Give the "
            "weights file of this backbone without its top, or none for random weights."
        ) from error


def _alexnet(shape: tuple[int, int, int]) -> keras.Model:
    """The convolutions of AlexNet (Krizhevsky et al. 2012), with batch normalization."""
    import keras
    from keras import layers

    blocks = [
        (96, 11, 4, True),
        (256, 5, 1, True),
        (384, 3, 1, False),
        (384, 3, 1, False),
        (256, 3, 1, True),
    ]
    if min(shape[:2]) < ALEXNET_SMALLEST:
        raise ModelError(
            f"AlexNet takes pictures of {ALEXNET_SMALLEST} pixels a side or more, not of "
            f"{shape[0]} x {shape[1]}: its poolings would leave nothing of them."
        )
    inputs = x = keras.Input(shape)
    for number, (filters, size, stride, pool) in enumerate(blocks, start=1):
        x = layers.Conv2D(filters, size, stride, "same", use_bias=False, name=f"conv{number}")(x)
        x = layers.BatchNormalization(name=f"bn{number}")(x)
        x = layers.ReLU(name=f"relu{number}")(x)
        if pool:
            x = layers.MaxPooling2D(3, 2, name=f"pool{number}")(x)
    return keras.Model(inputs, x, name="alexnet")


def _cnn(shape: tuple[int, int, int]) -> keras.Model:
    """A small network: Conv32, Conv64, pool, Conv128, Conv128, pool."""
    import keras
    from keras import layers

    inputs = x = keras.Input(shape)
    for number, (filters, pool) in enumerate(
        [(32, False), (64, True), (128, False), (128, True)], start=1
    ):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu", name=f"conv{number}")(x)
        if pool:
            x = layers.MaxPooling2D(name=f"pool{number}")(x)
    return keras.Model(inputs, x, name="cnn")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200].rstrip(".")
