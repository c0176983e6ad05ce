"""Trains the demo model on drawings by render.ts, and exports it as ONNX. See README.md.

    python train.py train --data DATA --work WORK --minutes 60 --processes 2
    python train.py export --data DATA --work WORK

A ViT learns to count slowly from labels alone, on a CPU with few drawings above all. Three things make it quick:
the render knows where fingertips are, so the patches of a middle layer learn to mark them; patches start as
principal components of the drawings, positions as waves; and attention starts by looking nearby
(mimetic initialisation, Trockman and Kolter 2023). Muon takes the place of Adam for the weight matrices.
"""

import argparse
import json
import math
import shutil
import time
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F
from transformers import ViTConfig, ViTForImageClassification

LABELS = ["Realistic_Bad_Anatomy", "Realistic_Good_Anatomy", "Unrealistic_Bad_Anatomy", "Unrealistic_Good_Anatomy"]
DEFECTS = [None, "six fingers", "four fingers", "fused fingers", "forked finger", "two thumbs"]
MARKS = ["fingers", "thumbs", "webs", "forks"]
SIDE, PATCH, GRID = 120, 15, 8
MARKED_LAYER = 3
VALIDATION_SEED = 1_000_000_000


class Drawings:
    """All chunks of the data folder, or only the validation chunk. Pixels stay on disk."""

    def __init__(self, folder: Path, validation: bool):
        pixels, lines = [], []
        for file in sorted(folder.glob("*.jsonl")):
            if (int(file.stem) >= VALIDATION_SEED) == validation and file.with_suffix(".rgb").exists():
                lines += [json.loads(line) for line in file.read_text().splitlines()]
                pixels.append(np.memmap(file.with_suffix(".rgb"), np.uint8).reshape(-1, SIDE, SIDE, 3))
        self.pixels = np.concatenate(pixels)
        self.label = torch.tensor([line["label"] for line in lines])
        self.defect = torch.tensor([DEFECTS.index(line["defect"]) for line in lines])
        self.marks = torch.tensor(np.stack([mark_map(line) for line in lines]))

    def __len__(self):
        return len(self.label)

    def batch(self, index, training: bool):
        """Pixels as ViTImageProcessor makes them (mean and deviation 0.5), and the targets."""
        x = torch.from_numpy(self.pixels[np.asarray(index)]).permute(0, 3, 1, 2).float() / 127.5 - 1
        marks = self.marks[index]
        if training:
            n = len(x)
            flip = torch.rand(n) < 0.5
            x = torch.where(flip[:, None, None, None], x.flip(3), x)
            marks = torch.where(flip[:, None, None, None], marks.flip(3), marks)
            x = x * (1 + 0.3 * (torch.rand(n, 1, 1, 1) - 0.5)) + 0.3 * (torch.rand(n, 3, 1, 1) - 0.5)
        return x, self.label[index], self.defect[index], marks


def mark_map(line) -> np.ndarray:
    """How many fingertips, thumb tips, webs and forks lie in each patch, shared out among the nearest four."""
    out = np.zeros((len(MARKS), GRID, GRID), np.float32)
    for channel, name in enumerate(MARKS):
        for x, y in line[name]:
            gx, gy = x * GRID - 0.5, y * GRID - 0.5
            for i in (math.floor(gy), math.floor(gy) + 1):
                for j in (math.floor(gx), math.floor(gx) + 1):
                    if 0 <= i < GRID and 0 <= j < GRID:
                        out[channel, i, j] += (1 - abs(gy - i)) * (1 - abs(gx - j))
    return out


def build(drawings: Drawings) -> ViTForImageClassification:
    config = ViTConfig(
        image_size=SIDE, patch_size=PATCH, hidden_size=128, num_hidden_layers=5, num_attention_heads=4,
        intermediate_size=256, hidden_act="relu", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
        id2label=dict(enumerate(LABELS)), label2id={label: i for i, label in enumerate(LABELS)},
    )
    model = ViTForImageClassification(config)
    embeddings, d = model.vit.embeddings, config.hidden_size
    with torch.no_grad():
        x, *_ = drawings.batch(torch.arange(min(len(drawings), 1000)), training=False)
        patches = F.unfold(x, PATCH, stride=PATCH).transpose(1, 2).reshape(-1, 3 * PATCH * PATCH)
        mean = patches.mean(0)
        values, vectors = torch.linalg.eigh((patches - mean).T @ (patches - mean) / len(patches))
        basis = (vectors / (values.clamp_min(0).sqrt() + 0.3)).flip(1)[:, :d].T
        embeddings.patch_embeddings.projection.weight.copy_(basis.reshape(d, 3, PATCH, PATCH))
        embeddings.patch_embeddings.projection.bias.copy_(-basis @ mean)
        embeddings.position_embeddings[0, 1:] = waves(d)
        for layer in model.vit.layers:
            attention = layer.attention
            for head in range(config.num_attention_heads):
                rows = slice(head * d // 4, (head + 1) * d // 4)
                u, s, v = torch.linalg.svd(0.7 * torch.randn(d, d) / math.sqrt(d) + 0.7 * torch.eye(d))
                attention.q_proj.weight[rows] = (u[:, : d // 4] * s[: d // 4].sqrt()).T
                attention.k_proj.weight[rows] = v[: d // 4] * s[: d // 4, None].sqrt()
            u, s, v = torch.linalg.svd(0.4 * torch.randn(d, d) / math.sqrt(d) - 0.4 * torch.eye(d))
            attention.v_proj.weight.copy_(s.sqrt()[:, None] * v)
            attention.o_proj.weight.copy_(u * s.sqrt())
    return model


def waves(d: int) -> torch.Tensor:
    """Sine and cosine of the row and of the column, at d/4 rates each."""
    rate = math.pi / 2 * torch.pow(0.05, torch.arange(d // 4) / (d // 4))
    place = torch.arange(GRID)[:, None] * rate
    one = torch.cat([place.sin(), place.cos()], 1)
    rows, columns = one[:, None].expand(GRID, GRID, -1), one[None].expand(GRID, GRID, -1)
    return 0.5 * torch.cat([rows, columns], 2).reshape(GRID * GRID, d)


class Teacher(torch.nn.Module):
    """The model and the extra heads that only training needs."""

    def __init__(self, model):
        super().__init__()
        self.model = model
        d = model.config.hidden_size
        self.mark_norm, self.mark = torch.nn.LayerNorm(d), torch.nn.Linear(d, len(MARKS))
        self.defect = torch.nn.Linear(d, len(DEFECTS))
        torch.nn.init.constant_(self.mark.bias, -3.0)

    def loss(self, x, label, defect, marks):
        hidden = self.model.vit.embeddings(x)
        for depth, layer in enumerate(self.model.vit.layers, 1):
            hidden = layer(hidden)
            if depth == MARKED_LAYER:
                found = self.mark(self.mark_norm(hidden[:, 1:])).transpose(1, 2).reshape(marks.shape)
        last = self.model.vit.layernorm(hidden)[:, 0]
        weight = torch.tensor([1.0, 1.0, 0.5, 1.0])[:, None, None]
        marking = F.binary_cross_entropy_with_logits(found, (marks / 2).clamp(0, 1), reduction="none") * weight
        marking = marking.sum((1, 2, 3)).mean()
        counting = (2 * found.sigmoid() - marks).sum((2, 3)).square().sum(1).mean()
        naming = F.cross_entropy(self.model.classifier(last), label)
        extra = 0.5 * F.cross_entropy(self.defect(last), defect) + 0.15 * marking + 0.3 * counting
        return naming + extra, naming, counting


def all_logits(model, drawings: Drawings) -> torch.Tensor:
    model.eval()
    with torch.no_grad():
        parts = torch.arange(len(drawings)).split(100)
        return torch.cat([model(drawings.batch(part, training=False)[0]).logits for part in parts])


def balance(model, drawings: Drawings):
    """Shifts the bad labels' bias until as large a share of the bad is missed as of the good is called bad."""
    logits = all_logits(model, drawings)
    margin = logits[:, [0, 2]].logsumexp(1) - logits[:, [1, 3]].logsumexp(1)
    bad = drawings.label % 2 == 0
    shifts = torch.linspace(-3, 3, 601)
    gaps = [((margin[bad] < -s).float().mean() - (margin[~bad] >= -s).float().mean()).abs() for s in shifts]
    shift = shifts[int(torch.stack(gaps).argmin())]
    with torch.no_grad():
        model.classifier.bias[[0, 2]] += shift
    print(f"bad labels' bias + {shift:.2f}: {json.dumps(evaluate(model, drawings))}")


def evaluate(model, drawings: Drawings) -> dict:
    p = all_logits(model, drawings).softmax(1)
    truth_bad, called_bad = drawings.label % 2 == 0, p[:, 0] + p[:, 2] >= 0.5
    return {
        "accuracy": (p.argmax(1) == drawings.label).float().mean().item(),
        "recall": (called_bad & truth_bad).sum().item() / truth_bad.sum().item(),
        "falseAlarms": (called_bad & ~truth_bad).sum().item() / (~truth_bad).sum().item(),
        "missed": {
            name: round((~called_bad[drawings.defect == i]).float().mean().item(), 3)
            for i, name in enumerate(DEFECTS) if name
        },
    }


def train(rank: int, args):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{args.port}", rank=rank, world_size=args.processes)
    torch.manual_seed(1)
    drawings = Drawings(args.data, validation=False)
    teacher = Teacher(build(drawings))
    if args.start:
        teacher.load_state_dict(torch.load(args.start))
    model, everything = teacher.model, list(teacher.parameters())
    matrices = [p for name, p in model.vit.layers.named_parameters() if p.ndim == 2]
    chosen = {id(p) for p in matrices}
    rest = [p for p in everything if id(p) not in chosen]
    optimizers = [
        torch.optim.Muon(matrices, lr=args.lr, weight_decay=0.05, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(rest, lr=args.lr, weight_decay=0.02, betas=(0.9, 0.98)),
    ]
    mean = {name: value.clone() for name, value in model.state_dict().items()}
    validation = Drawings(args.data, validation=True) if rank == 0 else None
    random = np.random.default_rng(rank)
    best, step, progress, started, checked, looked = 0.0, 0, 0.0, time.time(), time.time(), time.time()
    while progress < 1:
        index = torch.from_numpy(random.integers(0, len(drawings), args.batch))
        loss, naming, counting = teacher.loss(*drawings.batch(index, training=True))
        loss.backward()
        # One message: gradients, how far the clock is (so that all agree on the rate), and the losses.
        clock = torch.tensor([(time.time() - started) / 60 / args.minutes, naming.item(), counting.item()])
        message = torch.cat([clock] + [p.grad.flatten() for p in everything])
        dist.all_reduce(message)
        message /= args.processes
        progress, naming, counting = message[:3].tolist()
        at = 3
        for p in everything:
            p.grad.copy_(message[at : at + p.numel()].view_as(p))
            at += p.numel()
        rate = args.lr * min(1, (step + 1) / 100) * (0.5 + 0.5 * math.cos(math.pi * min(1, progress)))
        for optimizer, factor in zip(optimizers, (3, 1)):  # Muon bears larger steps
            for group in optimizer.param_groups:
                group["lr"] = rate * factor
            optimizer.step()
            optimizer.zero_grad(set_to_none=False)
        step += 1
        keep = min(0.99, step / (step + 20))
        with torch.no_grad():
            for name, value in model.state_dict().items():
                mean[name].lerp_(value, 1 - keep)
        if step % 25 == 0 and rank == 0:
            print(f"{step} {progress:.3f} naming {naming:.3f} counting {counting:.3f}", flush=True)
        if rank == 0 and (time.time() - checked > args.check or progress >= 1):
            student = ViTForImageClassification(model.config)
            student.load_state_dict(mean)
            result = evaluate(student, validation)
            print(json.dumps({"step": step, "drawings": len(drawings), **result}), flush=True)
            if result["accuracy"] > best:
                best = result["accuracy"]
                student.save_pretrained(args.work / "best")
            torch.save(teacher.state_dict(), args.work / "teacher.pt")
            checked = time.time()


def export(args):
    """Writes the Hugging Face layout next to this file, weights stored as fp16 (the graph casts them to fp32)."""
    here = Path(__file__).parent
    model = ViTForImageClassification.from_pretrained(args.work / "best", attn_implementation="eager").eval()
    balance(model, Drawings(args.data, validation=True))
    (here / "onnx").mkdir(exist_ok=True)
    target = here / "onnx" / "model.onnx"
    torch.onnx.export(
        model, (torch.zeros(2, 3, SIDE, SIDE),), str(target), input_names=["pixel_values"], output_names=["logits"],
        dynamic_axes={"pixel_values": {0: "batch"}, "logits": {0: "batch"}}, opset_version=17, dynamo=False,
    )
    halve(target, least=64)
    model.config.save_pretrained(here)
    (here / "preprocessor_config.json").write_text(json.dumps({
        "image_processor_type": "ViTImageProcessor", "do_resize": True, "size": {"height": SIDE, "width": SIDE},
        "resample": 2, "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True,
        "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5],
    }, indent=2) + "\n")
    # What `reroll model convert` makes the int8 variant of.
    model.save_pretrained(args.work / "balanced")
    shutil.copy(here / "preprocessor_config.json", args.work / "balanced")
    print(f"{target}: {target.stat().st_size / 1e6:.2f} MB")


def halve(target: Path, least: int):
    """Stores the float weights of an ONNX file that have `least` numbers or more as fp16, cast to fp32 at load."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    graph = onnx.load(target)
    casts = []
    for tensor in graph.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if tensor.data_type == TensorProto.FLOAT and values.size >= least:
            half = tensor.name + "_fp16"
            casts.append(helper.make_node("Cast", [half], [tensor.name], to=TensorProto.FLOAT))
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), half))
    nodes = casts + list(graph.graph.node)
    del graph.graph.node[:]
    graph.graph.node.extend(nodes)
    onnx.checker.check_model(graph)
    onnx.save(graph, target)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["train", "export", "export-int8"])
    parser.add_argument("--data", type=Path, required=True, help="drawings by render.ts")
    parser.add_argument("--work", type=Path, required=True, help="checkpoints")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--batch", type=int, default=32, help="per process")
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--check", type=float, default=240, help="seconds between evaluations")
    parser.add_argument("--start", type=Path, help="a teacher.pt to go on from")
    parser.add_argument("--port", type=int, default=29555)
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    if args.command == "export":
        export(args)
    elif args.command == "export-int8":
        int8 = Path(__file__).parent / "onnx" / "model_quantized.onnx"
        shutil.copy(args.work / "onnx" / "onnx" / "model_quantized.onnx", int8)
        # The integers' scales stay as they are; the patches' kernel is a third of the file.
        halve(int8, least=4096)
    else:
        torch.multiprocessing.spawn(train, (args,), args.processes)
