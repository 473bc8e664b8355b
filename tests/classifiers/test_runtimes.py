"""The examples of docs/any_model.md run, each where its runtime is installed."""

import keras
import numpy as np
import pytest
from PIL import Image

from tests.conftest import ROOT
from tests.test_readme import blocks
from xai_tf.attribution.methods import METHODS
from xai_tf.classifiers.access import ACCESS

PAGE = ROOT / "docs" / "any_model.md"
WEIGHTS = np.array([[4, 0, 0], [0, 4, 0], [0, 0, 4]], np.float32)  # of the mean colors


def example(runtime: str) -> str:
    (found,) = (code for code in blocks("python", PAGE) if f"import {runtime}\n" in code)
    return found


def write_onnx(path):
    onnx = pytest.importorskip("onnx")
    helper, float32 = onnx.helper, onnx.TensorProto.FLOAT
    nodes = [
        helper.make_node("GlobalAveragePool", ["pictures"], ["means"]),
        helper.make_node("Flatten", ["means"], ["colors"]),
        helper.make_node("MatMul", ["colors", "weights"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "flowers",
        [helper.make_tensor_value_info("pictures", float32, ["batch", 3, 64, 64])],
        [helper.make_tensor_value_info("logits", float32, ["batch", 3])],
        [helper.make_tensor("weights", float32, (3, 3), WEIGHTS.ravel())],
    )
    opset = [helper.make_opsetid("", 13)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)


def write_tflite(path):
    import tensorflow as tf

    pooled = keras.layers.GlobalAveragePooling2D()
    dense = keras.layers.Dense(3, activation="softmax", use_bias=False)
    model = keras.Sequential([keras.Input((64, 64, 3)), pooled, dense])
    dense.set_weights([WEIGHTS])
    path.write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())


def write_torch(path):
    torch = pytest.importorskip("torch")
    linear = torch.nn.Linear(3, 3, bias=False)
    linear.weight.data = torch.from_numpy(WEIGHTS.T.copy())
    layers = (torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), linear)
    torch.jit.script(torch.nn.Sequential(*layers)).save(str(path))


RUNTIMES = {
    "onnxruntime": ("flowers.onnx", write_onnx, "torch"),
    "tensorflow as tf": ("flowers.tflite", write_tflite, "unit"),
    "torch": ("flowers.pt", write_torch, "torch"),
}


@pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated:UserWarning")
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_example_of_a_runtime_runs(runtime, tmp_path, monkeypatch):
    pytest.importorskip(runtime.split()[0])
    monkeypatch.chdir(tmp_path)
    file, write, scaling = RUNTIMES[runtime]
    write(tmp_path / file)
    picture = np.full((64, 64, 3), 40, np.uint8)
    picture[:, :32, 1] = 250  # green on the left
    Image.fromarray(picture).save(tmp_path / "photo.jpg", quality=100)
    variables: dict = {}

    exec(example(runtime), variables)

    classifier, explanation = variables["classifier"], variables["explanation"]
    assert classifier.preprocessing == scaling
    assert explanation.prediction.name == "rose"
    assert explanation.attribution[:, :32].sum() > 2 * explanation.attribution[:, 32:].sum()


def test_the_page_lists_the_methods_of_each_kind_of_model():
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")][2:]
    needing = {
        access: [name for name, method in METHODS.items() if method.needs == access]
        for access in ACCESS
    }

    expected = [
        f"| {access} | {kinds} | {'also ' * (number > 0)}"
        + ", ".join(f"`{name}`" for name in needing[access])
        + " |"
        for number, (access, kinds) in enumerate(ACCESS.items())
    ]
    assert rows == expected
