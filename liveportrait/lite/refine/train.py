"""Train the mouth refiner: L1 at two scales and on gradients, one thread of a CPU is enough."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from liveportrait.lite.refine.network import MouthRefiner, edge_fade, lit, save_refiner
from liveportrait.lite.refine.pairs import Pairs, read_pairs
from models.errors import ConfigError

_SCALES = ((1, 0.6), (2, 0.4))  # tracking is off by a pixel: coarser scales forgive it
_MOUTH_WEIGHT = 3.0  # of a pixel between the lips
_GRADIENT_WEIGHT = 0.5
_LIGHT_WEIGHT = 0.02  # of the mean light: change only what pays
_EMA = 0.998
_PARTS = ("network", "average", "optimiser")
_EXPOSURE, _COLOUR = 0.25, 0.06  # of augmentation


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """How long, how fast, from which seed."""

    steps: int = 6000
    minutes: float = 60.0  # it stops there, the learning rate following the clock
    batch: int = 16
    rate: float = 2e-3
    seed: int = 0
    save_every: int = 200

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch < 1 or self.minutes <= 0:
            raise ConfigError("steps, batch and minutes must be above 0")


@dataclass(frozen=True, slots=True)
class Batch:
    """Tensors of b pairs."""

    window: Tensor  # [b, PLANES, W, W] 0..1
    state: Tensor  # [b, STATES]
    target: Tensor  # [b, 3, W, W] 0..1


def to_batch(pairs: Pairs, rows: Any, rng: np.random.Generator | None) -> Batch:
    """Some rows of ``pairs``; with ``rng`` mirrored and in another light at random."""
    pictures = [
        torch.from_numpy(x[rows]).permute(0, 3, 1, 2).float() / 255.0
        for x in (pairs.window, pairs.rest, pairs.target)
    ]
    mask = torch.from_numpy(pairs.mask[rows])[:, None].float() / 255.0
    if rng is not None:
        size = (len(mask), 3, 1, 1)
        exposure = rng.uniform(1 - _EXPOSURE, 1 + 0.5 * _EXPOSURE, (len(mask), 1, 1, 1))
        light = exposure * rng.uniform(1 - _COLOUR, 1 + _COLOUR, size)
        gain = torch.from_numpy(light.astype(np.float32))
        pictures = [(picture * gain).clamp(0, 1) for picture in pictures]
        mirrored = torch.from_numpy(rng.random(len(mask)) < 0.5)[:, None, None, None]
        mask = torch.where(mirrored, mask.flip(3), mask)
        pictures = [torch.where(mirrored, picture.flip(3), picture) for picture in pictures]
    window, rest, target = pictures
    state = torch.from_numpy(pairs.state[rows])
    whole = torch.cat([window, mask, rest], 1).contiguous(memory_format=torch.channels_last)
    return Batch(whole, state, target)


def refiner_loss(network: torch.nn.Module, batch: Batch) -> Tensor:
    """What is left between the lit window and the target, weighted as above."""
    light = network(batch.window, batch.state)
    made = lit(batch.window[:, :3], light)
    weight = edge_fade() * (1 + (_MOUTH_WEIGHT - 1) * batch.window[:, 3:4])
    loss = _LIGHT_WEIGHT * light.abs().mean()
    for factor, share in _SCALES:
        a, b, w = (F.avg_pool2d(x, factor) for x in (made, batch.target, weight))
        loss = loss + share * _weighted(a - b, w)
        if factor == 1:
            for axis in (2, 3):
                edges = a.diff(dim=axis) - b.diff(dim=axis)
                loss = loss + _GRADIENT_WEIGHT * _weighted(
                    edges, w.narrow(axis, 1, edges.shape[axis])
                )
    return loss


def _weighted(difference: Tensor, weight: Tensor) -> Tensor:
    return (difference.abs() * weight).sum() / (3 * weight.sum())


@torch.inference_mode()
def validate(network: MouthRefiner, pairs: Pairs) -> dict[str, float]:
    """Mean L1 in grey levels, before and after, between the lips and in the window."""
    sums = {"mouth before": 0.0, "mouth after": 0.0, "window before": 0.0, "window after": 0.0}
    inside = whole = 0.0
    for start in range(0, len(pairs), 32):
        batch = to_batch(pairs, slice(start, start + 32), None)
        made = lit(batch.window[:, :3], network(batch.window, batch.state))
        mouth = batch.window[:, 3:4]
        inside += float(3 * mouth.sum())
        whole += float(made.numel())
        for name, picture in (("before", batch.window[:, :3]), ("after", made)):
            off = 255 * (picture - batch.target).abs()
            sums[f"mouth {name}"] += float((off * mouth).sum())
            sums[f"window {name}"] += float(off.sum())
    return {
        name: round(total / max(inside if name.startswith("mouth") else whole, 1.0), 2)
        for name, total in sums.items()
    }


def joined(folders: list[Path]) -> Pairs:
    """All pairs of some folders. Raises ConfigError when there are none."""
    files = [path for folder in folders for path in sorted(folder.glob("*.npz"))]
    if not files:
        raise ConfigError(
            f"no pairs in {', '.join(map(str, folders))}; make them with refiner-pairs"
        )
    read = [read_pairs(path) for path in files]
    names = ("window", "mask", "rest", "state", "target")
    return Pairs(*(np.concatenate([getattr(pairs, name) for pairs in read]) for name in names))


def _batches(pairs: Pairs, size: int, seed: int) -> Iterator[Batch]:
    rng = np.random.default_rng(seed)
    while True:
        yield to_batch(pairs, rng.integers(0, len(pairs), size), rng)


class _Run:
    """Network, its average and optimiser: what a checkpoint holds."""

    def __init__(self, rate: float) -> None:
        self.network = MouthRefiner().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = MouthRefiner().eval()
        self.average.load_state_dict(self.network.state_dict())
        self.optimiser = torch.optim.AdamW(self.network.parameters(), rate, weight_decay=1e-4)
        self.step = 0
        self.seconds = 0.0

    def advance(self, batch: Batch, rate: float) -> float:
        """One step; its loss."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        loss = refiner_loss(self.network, batch)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        keep = min(_EMA, self.step / (self.step + 10))
        with torch.no_grad():
            pairs = zip(self.average.parameters(), self.network.parameters(), strict=True)
            for old, new in pairs:
                old.lerp_(new, 1 - keep)
        self.step += 1
        return float(loss.detach())

    def save(self, path: Path) -> None:
        """Everything that is needed to go on."""
        parts = {
            name: getattr(self, name).state_dict() for name in ("network", "average", "optimiser")
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(parts | {"step": self.step, "seconds": self.seconds}, path)

    def resume(self, path: Path) -> None:
        """Go on from ``save``'s file."""
        stored = torch.load(path, weights_only=True)
        for name in _PARTS:
            getattr(self, name).load_state_dict(stored[name])
        self.step, self.seconds = stored["step"], stored["seconds"]


def train_refiner(
    folders: list[Path], validation: Path | None, run_folder: Path, out: Path, options: TrainOptions
) -> dict[str, float]:
    """Train on the pairs in ``folders``, go on from ``run_folder`` where it was begun, write the
    averaged network to ``out``; the errors on ``validation``'s pairs, empty without."""
    from tqdm import tqdm

    torch.manual_seed(options.seed)
    pairs = joined(folders)
    held_out = joined([validation]) if validation is not None else None
    run, state = _Run(options.rate), run_folder / "state.pt"
    if state.exists():
        run.resume(state)
    report: dict[str, float] = {}
    begun = time.monotonic() - run.seconds
    batches = _batches(pairs, options.batch, options.seed + run.step)
    bar = tqdm(total=options.steps, initial=run.step, desc=f"{len(pairs)} pairs", mininterval=10)
    while run.step < options.steps and run.seconds < 60 * options.minutes:
        done = max(run.step / options.steps, run.seconds / (60 * options.minutes))
        warm = min(1.0, (run.step + 1) / 100)
        loss = run.advance(
            next(batches), options.rate * warm * (0.02 + 0.49 * (1 + np.cos(np.pi * done)))
        )
        run.seconds = time.monotonic() - begun
        bar.update()
        if run.step % options.save_every == 0 or run.step == options.steps:
            run.save(state)
            report = validate(run.average, held_out) if held_out is not None else {}
            tqdm.write(f"step {run.step}, loss {loss:.4f}, {report}")
    bar.close()
    run.save(state)
    save_refiner(run.average, out)
    return validate(run.average, held_out) if held_out is not None else report
