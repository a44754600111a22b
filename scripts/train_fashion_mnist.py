#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Trains the demo network: a CIFAR-style ResNet on Fashion-MNIST, exported as ONNX.

Needed only to make models/fashion_mnist_resnet.onnx again; no other script calls it. Needs Debian's python3-torch,
python3-numpy and dataset-fashion-mnist (`scripts/install_packages.sh --train`). The seed is fixed and one thread is
the default, so the same PyTorch on the same kind of CPU repeats the run; another CPU may sum in another order.
After every epoch the network is exported, so an interrupted run leaves a usable file. The state for --resume is
kept beside it in OUT.checkpoint.
"""

import argparse
import gzip
import hashlib
import json
import math
import os
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional

DATA = "/usr/share/datasets/fashion-mnist"
# Over all pixels of the 60,000 training images, in 0..255. input = (pixel - MEAN) / STD.
MEAN = 72.94
STD = 90.02


def read_idx(path):
    """Reads a gzipped IDX file of bytes (the MNIST format: magic, big-endian sizes, data)."""
    with gzip.open(path, "rb") as stream:
        data = stream.read()
    if data[:3] != b"\x00\x00\x08":
        raise ValueError(f"{path}: not an IDX file of unsigned bytes")
    rank = data[3]
    shape = np.frombuffer(data, ">u4", rank, 4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(shape)


def load_split(data, name):
    images = torch.from_numpy(read_idx(f"{data}/{name}-images-idx3-ubyte.gz").copy())
    labels = torch.from_numpy(read_idx(f"{data}/{name}-labels-idx1-ubyte.gz").astype(np.int64))
    return images, labels


def normalise(pixels):
    return ((pixels.float() - MEAN) / STD).unsqueeze(1)


def augment(pixels, generator):
    """Shifts each image by up to two pixels (border value 0 = background) and mirrors every other one."""
    count, height, width = pixels.shape
    padded = functional.pad(pixels, (2, 2, 2, 2))
    top = torch.randint(0, 5, (count, 1, 1), generator=generator)
    left = torch.randint(0, 5, (count, 1, 1), generator=generator)
    rows = torch.arange(height).view(1, height, 1) + top
    columns = torch.arange(width).view(1, 1, width).expand(count, 1, width)
    mirrored = torch.rand((count, 1, 1), generator=generator) < 0.5
    columns = torch.where(mirrored, width - 1 - columns, columns) + left
    return padded[torch.arange(count).view(count, 1, 1), rows, columns]


class Block(nn.Module):
    """Two 3x3 convolutions and a shortcut; the shortcut is a strided 1x1 convolution where the shape changes."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class ResNet(nn.Module):
    def __init__(self, widths, blocks):
        super().__init__()
        layers = [nn.Conv2d(1, widths[0], 3, 1, 1, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU()]
        inputs = widths[0]
        for stage, outputs in enumerate(widths):
            for block in range(blocks):
                layers.append(Block(inputs, outputs, 2 if stage > 0 and block == 0 else 1))
                inputs = outputs
        self.features = nn.Sequential(*layers)
        self.classify = nn.Linear(inputs, 10)

    def forward(self, x):
        x = functional.adaptive_avg_pool2d(self.features(x), 1)
        return self.classify(torch.flatten(x, 1))


def count_correct(network, images, labels):
    network.eval()
    correct = 0
    with torch.no_grad():
        for start in range(0, len(images), 500):
            x = normalise(images[start : start + 500]).contiguous(memory_format=torch.channels_last)
            correct += int((network(x).argmax(1) == labels[start : start + 500]).sum())
    return correct


def export(network, path):
    """Writes the network atomically and returns the file's SHA-256."""
    network.eval()
    partial = path + ".partial"
    torch.onnx.export(
        network, torch.zeros(1, 1, 28, 28), partial, opset_version=13, input_names=["input"], output_names=["logits"],
        dynamic_axes={"input": {0: "batch"}, "logits": {0: "batch"}},
    )
    os.replace(partial, path)
    with open(path, "rb") as stream:
        return hashlib.sha256(stream.read()).hexdigest()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--out", default="fashion_mnist_resnet.onnx", help="the ONNX file to write")
    parser.add_argument("--data", default=DATA, help="folder with the four Fashion-MNIST .gz files")
    parser.add_argument("--widths", type=int, nargs=3, default=[16, 32, 64], help="channels of the three stages")
    parser.add_argument("--blocks", type=int, default=1, help="residual blocks per stage")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rate", type=float, default=0.1, help="highest learning rate")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--resume", action="store_true", help="go on from OUT.checkpoint")
    parser.add_argument("--steps", type=int, default=0, help="stop after this many steps, to measure speed")
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    train_images, train_labels = load_split(options.data, "train")
    test_images, test_labels = load_split(options.data, "t10k")

    network = ResNet(options.widths, options.blocks).to(memory_format=torch.channels_last)
    # No decay on BatchNorm and biases: they do not grow with the size of the weights.
    matrices = [p for p in network.parameters() if p.dim() > 1]
    vectors = [p for p in network.parameters() if p.dim() == 1]
    optimiser = torch.optim.SGD(
        [{"params": matrices, "weight_decay": 5e-4}, {"params": vectors, "weight_decay": 0.0}],
        lr=options.rate, momentum=0.9, nesterov=True,
    )
    steps_per_epoch = len(train_images) // options.batch
    total, warm = options.epochs * steps_per_epoch, steps_per_epoch // 2
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda s: min(1.0, (s + 1) / warm) * 0.5 * (1.0 + math.cos(math.pi * min(1.0, s / total)))
    )

    first, checkpoint = 0, options.out + ".checkpoint"
    if options.resume and os.path.exists(checkpoint):
        state = torch.load(checkpoint)
        network.load_state_dict(state["network"])
        optimiser.load_state_dict(state["optimiser"])
        schedule.load_state_dict(state["schedule"])
        first = state["epoch"]

    print(f"parameters: {sum(p.numel() for p in network.parameters())}, steps per epoch: {steps_per_epoch}", flush=True)
    for epoch in range(first, options.epochs):
        # One generator per epoch, so that a resumed run sees the same images as an uninterrupted one.
        generator = torch.Generator().manual_seed(options.seed * 1000 + epoch)
        order = torch.randperm(len(train_images), generator=generator)
        began, loss_sum = time.time(), 0.0
        network.train()
        for step in range(steps_per_epoch):
            index = order[step * options.batch : (step + 1) * options.batch]
            x = normalise(augment(train_images[index], generator)).contiguous(memory_format=torch.channels_last)
            loss = functional.cross_entropy(network(x), train_labels[index])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            schedule.step()
            loss_sum += loss.item()
            if options.steps and step + 1 == options.steps:
                print(f"{(time.time() - began) / options.steps * steps_per_epoch:.1f} s per epoch")
                return
        correct = count_correct(network, test_images, test_labels)
        digest = export(network, options.out)
        torch.save({"network": network.state_dict(), "optimiser": optimiser.state_dict(),
                    "schedule": schedule.state_dict(), "epoch": epoch + 1}, checkpoint)
        print(json.dumps({
            "epoch": epoch + 1, "loss": round(loss_sum / steps_per_epoch, 4),
            "test_top1": round(100.0 * correct / len(test_images), 2), "seconds": round(time.time() - began, 1),
            "bytes": os.path.getsize(options.out), "sha256": digest,
        }), flush=True)


if __name__ == "__main__":
    main()
