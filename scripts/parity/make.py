"""Makes test/fixtures/parity: what Hugging Face transformers computes, for reroll to be compared with.

    pip install torch transformers pillow numpy scikit-learn
    python scripts/parity/make.py

See docs/parity.md. Weights and pixels follow from their names alone, by the generator that
scripts/parity/random-vit.ts has as well: both sides must change together.
"""

import json
import struct
import zlib
from pathlib import Path

import numpy as np
import torch
import transformers
from PIL import Image
from sklearn.datasets import load_sample_image
from transformers import AutoConfig
from transformers.image_utils import load_image
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

OUT = Path(__file__).parents[2] / "test" / "fixtures" / "parity"
LABELS = ["Realistic_Bad_Anatomy", "Realistic_Good_Anatomy", "Unrealistic_Bad_Anatomy", "Unrealistic_Good_Anatomy"]

BASE = {
    "architecture": "ViTForImageClassification",
    "model_type": "vit",
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-12,
    "image_size": 224,
    "patch_size": 16,
    "num_channels": 3,
    "qkv_bias": True,
    "labels": LABELS,
}
SMALL = BASE | {
    "hidden_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 96,
    "image_size": 32,
    "patch_size": 8,
}
MODELS = {
    "vit-base-patch16-224": BASE,
    "no-qkv-bias-gelu_new-pooler": SMALL | {"qkv_bias": False, "hidden_act": "gelu_new", "pooler": True},
    "oblong-quick_gelu-one-layer": SMALL
    | {
        "image_size": [48, 32],
        "patch_size": [16, 8],
        "hidden_act": "quick_gelu",
        "num_hidden_layers": 1,
        "labels": LABELS[:2],
    },
    "deit-gelu_pytorch_tanh": SMALL
    | {
        "architecture": "DeiTForImageClassification",
        "model_type": "deit",
        "hidden_act": "gelu_pytorch_tanh",
        "labels": LABELS[:3],
    },
    "deit-with-teacher-relu": SMALL
    | {
        "architecture": "DeiTForImageClassificationWithTeacher",
        "model_type": "deit",
        "hidden_act": "relu",
        "num_attention_heads": 1,
    },
    "vit-msn-new-names": SMALL
    | {
        "architecture": "ViTMSNForImageClassification",
        "model_type": "vit_msn",
        "layer_norm_eps": 1e-6,
        "new_names": True,
        "hidden_size": 64,
        "patch_size": 16,
    },
}


def random_floats(name: str, shape: tuple[int, ...], spread: float, centre: float = 0.0) -> np.ndarray:
    """randomFloats of scripts/parity/random-vit.ts."""
    seed = 0x811C9DC5
    for byte in name.encode():
        seed = ((seed ^ byte) * 0x01000193) & 0xFFFFFFFF
    x = np.arange(int(np.prod(shape)), dtype=np.uint64) + np.uint64(seed)
    x = x.astype(np.uint32)
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D)
    x = (x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B)
    x = x ^ (x >> np.uint32(16))
    values = centre + ((x >> np.uint32(8)).astype(np.float64) / 2**23 - 1) * spread
    return values.astype(np.float32).reshape(shape)


def old_name(name: str) -> str:
    """The name that transformers saves, which seeds the weight, from the one that its module has."""
    for new, old in (
        (".layers.", ".encoder.layer."),
        (".attention.q_proj.", ".attention.attention.query."),
        (".attention.k_proj.", ".attention.attention.key."),
        (".attention.v_proj.", ".attention.attention.value."),
        (".attention.o_proj.", ".attention.output.dense."),
        (".mlp.fc1.", ".intermediate.dense."),
        (".mlp.fc2.", ".output.dense."),
    ):
        name = name.replace(new, old)
    return name


def spread_of(name: str, shape: tuple[int, ...]) -> tuple[float, float]:
    """How far a weight spreads, and about what: randomTensors of scripts/parity/random-vit.ts."""
    if "layernorm" in name:
        return (0.2, 1.0) if name.endswith("weight") else (0.1, 0.0)
    if name.endswith("bias"):
        return 0.1, 0.0
    if "token" in name or "position" in name:
        return 0.5, 0.0
    return float(np.sqrt(3 / np.prod(shape[1:]))), 0.0


def make_model(spec: dict) -> torch.nn.Module:
    labels = spec["labels"]
    ours = ("architecture", "model_type", "labels", "new_names", "pooler")
    config = AutoConfig.for_model(
        spec["model_type"],
        **{key: tuple(value) if isinstance(value, list) else value for key, value in spec.items() if key not in ours},
        id2label=dict(enumerate(labels)),
        label2id={label: index for index, label in enumerate(labels)},
        attn_implementation="eager",
    )
    model = getattr(transformers, spec["architecture"])(config).eval()
    weights = {}
    for name, tensor in model.state_dict().items():
        shape = tuple(tensor.shape)
        weights[name] = torch.from_numpy(random_floats(old_name(name), shape, *spread_of(name, shape)))
    model.load_state_dict(weights)
    return model


@torch.no_grad()
def logits_of(model: torch.nn.Module, pixels: np.ndarray) -> np.ndarray:
    return model(pixel_values=torch.from_numpy(pixels)).logits.numpy()


def make_models() -> None:
    expected = {}
    for name, spec in MODELS.items():
        size = spec["image_size"]
        height, width = size if isinstance(size, list) else (size, size)
        pixels = random_floats(f"pixels.{name}", (2, spec["num_channels"], height, width), 1.0)
        expected[name] = {"vit": spec, "logits": logits_of(make_model(spec), pixels).tolist()}
    (OUT / "models.json").write_text(json.dumps(expected, indent=1) + "\n")


def png16(path: Path, pixels: np.ndarray) -> None:
    """A PNG of 16 bits a channel, which Pillow cannot write in colour."""
    height, width = pixels.shape[:2]
    rows = pixels.astype(">u2").reshape(height, -1)
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 2 if pixels.ndim == 3 else 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(raw, 9)),
        (b"IEND", b""),
    ]
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


def ramp(height: int, width: int, top: int) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x / 9) * np.cos(y / 7), np.sin((x + y) / 11), np.cos(x / 5) * y / height]
    return np.stack([(wave / 2 + 0.5) * top for wave in waves], axis=2)


def shapes(height: int, width: int) -> np.ndarray:
    """Hard edges and fine stripes: what coarse resizing gets wrong."""
    y, x = np.mgrid[0:height, 0:width]
    disc = (x - width / 3) ** 2 + (y - height / 2) ** 2 < (height / 3) ** 2
    stripes = (x // 3 + y // 5) % 2 == 0
    return np.stack([disc * 220 + 20, stripes * 255, (x > width / 2) * 180 + 30], axis=2).astype(np.uint8)


def make_pictures() -> None:
    folder = OUT / "pictures"
    for old in folder.glob("*"):
        old.unlink()
    photo = Image.fromarray(load_sample_image("china.jpg"))
    photo.crop((101, 90, 402, 293)).save(folder / "photo-301x203.jpg", quality=88)
    photo.crop((250, 120, 507, 431)).convert("L").save(folder / "grey-257x307.jpg", quality=85)
    photo.crop((0, 0, 160, 241)).convert("CMYK").save(folder / "cmyk-160x241.jpg", quality=85)
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    photo.crop((300, 60, 583, 251)).save(folder / "exif-turned-283x191.jpg", quality=85, exif=exif)
    alpha = Image.fromarray(ramp(141, 190, 255)[:, :, 0].astype(np.uint8))
    rgba = photo.crop((30, 200, 220, 341))
    rgba.putalpha(alpha)
    rgba.save(folder / "rgba-190x141.png", optimize=True)
    png16(folder / "16-bit-97x150.png", ramp(150, 97, 65535))
    Image.fromarray(shapes(768, 1024)).save(folder / "shapes-1024x768.png", optimize=True)
    Image.fromarray(shapes(53, 37)).save(folder / "tiny-37x53.png", optimize=True)
    photo.crop((200, 100, 460, 300)).quantize(64).save(folder / "palette-260x200.png", optimize=True)

    processor = ViTImageProcessorPil(image_mean=[0.5] * 3, image_std=[0.5] * 3)
    model = make_model(BASE)
    probabilities = {}
    for path in sorted(folder.glob("*")):
        # As transformers' pipelines read a file.
        picture = load_image(str(path))
        pixels = processor(picture, return_tensors="np")["pixel_values"].astype(np.float32)
        # Back to the 8-bit values that they were made from.
        bytes_ = np.rint((pixels[0].transpose(1, 2, 0) * 0.5 + 0.5) * 255).astype(np.uint8)
        Image.fromarray(bytes_).save(folder / f"{path.stem}.pixels.png", optimize=True)
        logits = torch.from_numpy(logits_of(model, pixels)[0]).double()
        probabilities[path.name] = torch.softmax(logits, 0).tolist()
    (OUT / "pictures.json").write_text(json.dumps({"vit": BASE, "probabilities": probabilities}, indent=1) + "\n")


if __name__ == "__main__":
    (OUT / "pictures").mkdir(parents=True, exist_ok=True)
    make_models()
    make_pictures()
    print({module.__name__: module.__version__ for module in (torch, transformers, np)})
