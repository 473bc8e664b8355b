"""What the demo shows: bundled samples, and the models and methods that explain them."""

from dataclasses import dataclass
from pathlib import Path

SAMPLES = Path(__file__).parents[1] / "samples"


@dataclass(frozen=True)
class Demo:
    """Samples that one model explains by some methods."""

    model: str
    files: tuple[str, ...]
    methods: tuple[str, ...]
    needs_audio: bool = False


DEMOS = (
    Demo(
        "audio_mobilenetv2",
        ("speech_human.wav", "speech_synthetic.wav", "speech_synthetic_long.flac"),
        ("grad_cam", "integrated_gradients", "occlusion"),
        needs_audio=True,
    ),
    Demo(
        "xray_mobilenetv2",
        ("xray_normal.jpg", "xray_opacity.jpg"),
        ("grad_cam", "grad_cam_pp", "occlusion"),
    ),
    Demo(
        "brain_mobilenetv2",
        ("brain_head_notumor.png", "brain_head_lesion.png"),
        ("grad_cam", "smooth_grad", "occlusion"),
    ),
    Demo("dogs_mobilenetv2", ("beagle.jpg", "dog.jpg"), ("grad_cam", "lime", "kernel_shap")),
)
