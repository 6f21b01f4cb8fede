"""The brightfield simulator: phase objects in partially coherent light, with ground truth."""

from pipeline_lib.optics.camera import Camera
from pipeline_lib.optics.captions import settings_to_caption
from pipeline_lib.optics.display import picture_to_8bit
from pipeline_lib.optics.drawing import draw_scene_settings
from pipeline_lib.optics.scenes import KINDS, Picture, SceneSettings
from pipeline_lib.optics.simulation import simulate_picture

__all__ = [
    "KINDS",
    "Camera",
    "Picture",
    "SceneSettings",
    "draw_scene_settings",
    "picture_to_8bit",
    "settings_to_caption",
    "simulate_picture",
]
