"""ResNet-18 on 32x32x3, batch 64, Adam: with its published stem, and with that for small images."""

import torch
from torch import nn

import shoal as sh
from cnn import torch_channels
from common import Claim, all_rows, alternate, random_data, report, steady

from peers import best, torch_arms

ROWS, BATCH = 128, 64


class Block(nn.Module):
    """Two convolutions 3x3 with batch-norm, and a shortcut."""

    def __init__(self, before: int, filters: int, stride: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(before, filters, 3, stride, 1, bias=False), nn.BatchNorm2d(filters),
            nn.ReLU(),
            nn.Conv2d(filters, filters, 3, 1, 1, bias=False), nn.BatchNorm2d(filters),
        )  # fmt: skip
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or before != filters:
            self.shortcut = nn.Sequential(
                nn.Conv2d(before, filters, 1, stride, bias=False), nn.BatchNorm2d(filters)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.main(x) + self.shortcut(x))


def resnet18(small: bool) -> nn.Module:
    """The network of ``sh.zoo.resnet18(10, small)``."""
    if small:
        layers: list[nn.Module] = [nn.Conv2d(3, 64, 3, 1, 1, bias=False)]
    else:
        layers = [nn.Conv2d(3, 64, 7, 2, 3, bias=False)]
    layers += [nn.BatchNorm2d(64), nn.ReLU()]
    if not small:
        layers.append(nn.MaxPool2d(3, 2, 1))
    before = 64
    for filters, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        layers += [Block(before, filters, stride), Block(filters, filters, 1)]
        before = filters
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10))


def measure(small: bool) -> Claim:
    data = random_data(ROWS, (32, 32, 3), 10)
    net = sh.zoo.resnet18(10, small)
    recipe = sh.Recipe(net, loss="cross_entropy", batch_size=BATCH, preparation=all_rows())
    x = torch_channels(data.inputs)
    made = resnet18(small)
    assert sum(p.numel() for p in made.parameters()) == net.parameter_count(data.shape)
    arms = {"shoal": steady(recipe, data, 1, 1)}
    arms |= torch_arms(lambda: resnet18(small), x, data.targets, BATCH, 1)
    last = lambda: resnet18(small).to(memory_format=torch.channels_last)  # noqa: E731
    arms |= {
        name.replace("PyTorch", "PyTorch channels last"): arm
        for name, arm in torch_arms(last, x, data.targets, BATCH, 1).items()
    }
    times = {n: s / (ROWS // BATCH) * 1e3 for n, s in alternate(arms, 5).items()}
    stem = "stem for small images" if small else "published stem"
    report(f"ResNet-18 on 32x32x3, {stem}, batch 64, Adam", times, "ms per step", [])
    ours, peer = times["shoal"], best(times, "PyTorch")
    name = f"ResNet-18 on 32x32x3, {stem}, against PyTorch"
    return Claim(name, ours, peer, peer / ours, 1.0, "ms per step")


def main() -> None:
    claims = [measure(small) for small in (False, True)]
    report("ResNet-18", {claim.name: claim.ours for claim in claims}, "ms per step", claims)


if __name__ == "__main__":
    main()
