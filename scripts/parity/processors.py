"""Makes test/fixtures/parity/processors.json: the pixels that Hugging Face's image processors make of pictures.

    pip install torch torchvision timm transformers pillow numpy
    python scripts/parity/processors.py

See docs/parity.md. The pictures follow from their sizes alone, by a formula that test/unit/processors.test.ts has
as well: both sides must change together.
"""

import base64
import json
import tempfile
import zlib
from pathlib import Path

import numpy as np
import timm
import torch
import transformers
from PIL import Image
from transformers import AutoImageProcessor

OUT = Path(__file__).parents[2] / "test" / "fixtures" / "parity" / "processors.json"

# Width and height: one larger than what is asked for, and odd; one that grows in some.
SIZES = [(61, 113), (40, 30)]

CLIP = {"image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711]}
IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}

# By name: the model's config.json, and its preprocessor_config.json (none for timm). Sizes are small, so that the
# fixtures are; the words are those of real models.
CASES = {
    "ViT": ({"model_type": "vit"}, {"image_processor_type": "ViTImageProcessor", "size": {"height": 32, "width": 32}, "resample": 2}),
    "ViT, fast, with nulls": (
        {"model_type": "vit"},
        {
            "image_processor_type": "ViTImageProcessorFast", "size": {"height": 32, "width": 40}, "crop_size": None,
            "data_format": "channels_first", "default_to_square": True, "device": None, "disable_grouping": None,
            "do_center_crop": None, "do_convert_rgb": None, "do_normalize": True, "do_rescale": True, "do_resize": True,
            "input_data_format": None, "resample": 2, "rescale_factor": 1 / 255, "return_tensors": None, **IMAGENET,
        },
    ),
    "ViT, shortest edge and crop": (
        {"model_type": "vit"},
        {"image_processor_type": "ViTImageProcessor", "size": {"shortest_edge": 36}, "do_center_crop": True, "crop_size": 32},
    ),
    "ViT, no type, size a number": ({"model_type": "vit"}, {"do_resize": True, "size": 32, "resample": 0}),
    "Swin, no type, Lanczos": ({"model_type": "swin"}, {"size": 32, "resample": 1, **IMAGENET}),
    "DeiT": (
        {"model_type": "deit"},
        {"feature_extractor_type": "DeiTFeatureExtractor", "size": 36, "resample": 3, "do_center_crop": True, "crop_size": 32, **IMAGENET},
    ),
    "BEiT": (
        {"model_type": "beit"},
        {"feature_extractor_type": "BeitFeatureExtractor", "size": 36, "crop_size": 32, "do_center_crop": False, "do_reduce_labels": False},
    ),
    "ConvNeXT below 384": (
        {"model_type": "convnext"},
        {"feature_extractor_type": "ConvNextFeatureExtractor", "size": {"shortest_edge": 32}, "crop_pct": 0.875, **IMAGENET},
    ),
    "ConvNeXT from 384 on": ({"model_type": "convnextv2"}, {"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 384}}),
    "ResNet, defaults": ({"model_type": "resnet"}, {"size": 32}),
    "CLIP": (
        {"model_type": "clip"},
        {"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}, "do_convert_rgb": True, **CLIP},
    ),
    "CLIP, old words": ({"model_type": "clip"}, {"feature_extractor_type": "CLIPFeatureExtractor", "size": 32, "crop_size": 32, "resample": 3}),
    "SigLIP": ({"model_type": "siglip"}, {"image_processor_type": "SiglipImageProcessor", "size": {"height": 32, "width": 32}}),
    "DINOv2": (
        {"model_type": "dinov2"},
        {"image_processor_type": "BitImageProcessor", "size": {"shortest_edge": 36}, "crop_size": {"height": 32, "width": 32}, **IMAGENET},
    ),
    "MobileNetV1": ({"model_type": "mobilenet_v1"}, {"image_processor_type": "MobileNetV1ImageProcessor", "size": {"shortest_edge": 36}, "crop_size": 31}),
    "MobileNetV2, no do_rescale": (
        {"model_type": "mobilenet_v2"},
        {"image_processor_type": "MobileNetV2ImageProcessor", "size": {"height": 32, "width": 32}, "do_center_crop": False, "resample": 3},
    ),
    "MobileViT": ({"model_type": "mobilevit"}, {"image_processor_type": "MobileViTImageProcessor", "size": {"shortest_edge": 28}, "crop_size": {"height": 32, "width": 32}}),
    "EfficientNet": (
        {"model_type": "efficientnet"},
        {"image_processor_type": "EfficientNetImageProcessor", "size": {"height": 36, "width": 36}, "crop_size": {"height": 28, "width": 28}, "resample": 0, "include_top": True},
    ),
    "EfficientNet, offset": (
        {"model_type": "efficientnet"},
        {"image_processor_type": "EfficientNetImageProcessor", "size": 32, "do_center_crop": True, "crop_size": 28, "include_top": False, "rescale_factor": 1 / 127.5, "rescale_offset": True, "do_normalize": False},
    ),
    "LeViT": ({"model_type": "levit"}, {"image_processor_type": "LevitImageProcessor", "size": {"shortest_edge": 32}, "crop_size": 32}),
    "PoolFormer": ({"model_type": "poolformer"}, {"image_processor_type": "PoolFormerImageProcessor", "size": {"shortest_edge": 32}, "crop_size": 32, "crop_pct": 0.9}),
    "PoolFormer, square": ({"model_type": "poolformer"}, {"image_processor_type": "PoolFormerImageProcessor", "size": 32, "crop_size": 32, "crop_pct": 0.95}),
    "PVT": ({"model_type": "pvt_v2"}, {"image_processor_type": "PvtImageProcessor", "size": {"height": 32, "width": 32}}),
    "SegFormer": ({"model_type": "segformer"}, {"image_processor_type": "SegformerImageProcessor", "size": 32}),
    "shortest and longest edge, padded": (
        {"model_type": "vit"},
        {"image_processor_type": "ViTImageProcessor", "size": {"shortest_edge": 28, "longest_edge": 36}, "do_pad": True, "pad_size": {"height": 40, "width": 40}},
    ),
    "no more than, padded": (
        {"model_type": "vit"},
        {"image_processor_type": "ViTImageProcessor", "size": {"max_height": 32, "max_width": 24}, "do_pad": True, "pad_size": {"height": 40, "width": 40}},
    ),
    "not resized, cropped and padded": (
        {"model_type": "vit"},
        {"image_processor_type": "ViTImageProcessor", "do_resize": False, "do_center_crop": True, "crop_size": {"height": 45, "width": 37}},
    ),
    "box filter, one mean": ({"model_type": "vit"}, {"size": 32, "resample": 4, "image_mean": 0.4, "image_std": 0.3}),
    "Hamming filter": ({"model_type": "vit"}, {"size": 32, "resample": 5}),
    "timm": (
        {"architecture": "resnet18", "num_classes": 2, "pretrained_cfg": {"input_size": [3, 32, 32], "interpolation": "bicubic", "crop_pct": 0.95, "crop_mode": "center", "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}},
        None,
    ),
    "timm, defaults": ({"architecture": "resnet18", "num_classes": 2, "pretrained_cfg": {"input_size": [3, 33, 33]}}, None),
    "timm, squashed, oblong": (
        {"architecture": "resnet18", "num_classes": 2, "pretrained_cfg": {"input_size": [3, 32, 40], "interpolation": "bilinear", "crop_pct": 1.0, "crop_mode": "squash"}},
        None,
    ),
    "timm, oblong": ({"architecture": "resnet18", "num_classes": 2, "pretrained_cfg": {"input_size": [3, 32, 41], "crop_pct": 0.9}}, None),
    "timm, border": (
        {"architecture": "resnet18", "num_classes": 2, "pretrained_cfg": {"input_size": [3, 32, 32], "crop_pct": 0.9, "crop_mode": "border"}},
        None,
    ),
}


def picture(width: int, height: int) -> Image.Image:
    """patternPixels of test/unit/processors.test.ts."""
    i = np.arange(width * height)
    x, y = i % width, i // width
    channels = [x * 7 + y * 3, x * y, 255 * ((x // 8 + y // 8) % 2)]
    return Image.fromarray(np.stack([c % 256 for c in channels], axis=1).astype(np.uint8).reshape(height, width, 3))


def processor_of(config: dict, preprocessor: dict | None):
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps(config))
        if preprocessor is None:
            return AutoImageProcessor.from_pretrained(folder)
        (Path(folder) / "preprocessor_config.json").write_text(json.dumps(preprocessor))
        return AutoImageProcessor.from_pretrained(folder, backend="pil")


def main() -> None:
    cases = {}
    for name, (config, preprocessor) in CASES.items():
        processor = processor_of(config, preprocessor)
        results = []
        # 384 x 384 would be most of the file.
        for width, height in SIZES if "384 on" not in name else SIZES[:1]:
            made = processor(picture(width, height), return_tensors="pt")["pixel_values"][0]
            values = np.asarray(made, dtype=np.float32)
            kept = values if values.size < 20_000 else values[:, ::8, ::8]
            # A step of 8 bits in every family is larger than a half float's in this range.
            data = base64.b64encode(zlib.compress(kept.astype("<f2").tobytes(), 9)).decode()
            results.append({"picture": [width, height], "shape": list(values.shape), "every": 1 if kept is values else 8, "values": data})
        cases[name] = {"config": config, "preprocessor": preprocessor, "by": type(processor).__name__, "results": results}
    versions = {module.__name__: module.__version__ for module in (transformers, timm, torch, np)}
    OUT.write_text(json.dumps({"versions": versions, "cases": cases}, indent=1) + "\n")
    print(versions, len(cases), {case["by"] for case in cases.values()}, OUT.stat().st_size)


if __name__ == "__main__":
    main()
