"""Makes test/fixtures/parity/labels.json: the demo model's label of 60 drawings, prepared by Hugging Face's processors.

    pip install torch torchvision timm transformers pillow numpy onnxruntime
    npx tsx scripts/parity/drawings.ts /tmp/drawings
    python scripts/parity/labels.py /tmp/drawings

See docs/parity.md.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from processors import CLIP, IMAGENET, processor_of
from transformers.image_utils import load_image

ROOT = Path(__file__).parents[2]
OUT = ROOT / "test" / "fixtures" / "parity" / "labels.json"
HALF = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
CROP = {"crop_size": {"height": 120, "width": 120}}
EDGE = {"size": {"shortest_edge": 120}}
EXACT = {"size": {"height": 120, "width": 120}}


def kind(name: str, **words) -> dict:
    return {"image_processor_type": f"{name}ImageProcessor", **HALF, **words}


# The demo model takes 120 x 120. Families that prepare differently may well see another label: the same as here.
CASES = {
    "ViT": ("vit", kind("ViT", **EXACT)),
    "ViT, fast": ("vit", kind("ViT", **EXACT) | {"image_processor_type": "ViTImageProcessorFast", "do_center_crop": None, "crop_size": None}),
    "ViT, ImageNet's mean": ("vit", kind("ViT", **EXACT) | IMAGENET),
    "no type": ("swin", {**EXACT, **HALF}),
    "DeiT": ("deit", kind("DeiT", size={"height": 136, "width": 136}, **CROP)),
    "BEiT": ("beit", kind("Beit", **EXACT)),
    "ConvNeXT": ("convnext", kind("ConvNext", crop_pct=0.875, **EDGE)),
    "CLIP": ("clip", kind("CLIP", **EDGE, **CROP) | CLIP),
    "SigLIP": ("siglip", kind("Siglip", **EXACT)),
    "DINOv2": ("dinov2", kind("Bit", size={"shortest_edge": 128}, **CROP)),
    "MobileNetV2": ("mobilenet_v2", kind("MobileNetV2", **EDGE, **CROP)),
    "EfficientNet": ("efficientnet", kind("EfficientNet", include_top=False, resample=0, **EXACT)),
    "LeViT": ("levit", kind("Levit", **EDGE, **CROP)),
    "PVT": ("pvt", kind("Pvt", **EXACT)),
    "timm": (None, {"input_size": [3, 120, 120], "mean": [0.5] * 3, "std": [0.5] * 3, "crop_pct": 0.95}),
}


def main(folder: str) -> None:
    session = onnxruntime.InferenceSession(ROOT / "models" / "demo" / "onnx" / "model.onnx")
    pictures = [load_image(str(path)) for path in sorted(Path(folder).glob("*.png"))]
    cases = {}
    for name, (model_type, words) in CASES.items():
        timm = model_type is None
        config = {"architecture": "resnet18", "num_classes": 4, "pretrained_cfg": words} if timm else {"model_type": model_type}
        preprocessor = None if timm else words
        processor = processor_of(config, preprocessor)
        pixels = [np.asarray(processor(picture, return_tensors="pt")["pixel_values"], np.float32) for picture in pictures]
        logits = np.concatenate([session.run(["logits"], {"pixel_values": batch})[0] for batch in pixels])
        shares = np.exp(logits - logits.max(1, keepdims=True))
        shares /= shares.sum(1, keepdims=True)
        order = np.sort(shares, 1)
        cases[name] = {
            "config": config,
            "preprocessor": preprocessor,
            "labels": "".join(str(label) for label in logits.argmax(1)),
        }
        print(name, cases[name]["labels"], "closest call", round(float((order[:, -1] - order[:, -2]).min()), 4))
    OUT.write_text(json.dumps(cases, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
