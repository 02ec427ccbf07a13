"""What the scales' own log says: which valve opened for what stood on the scale, and where the weight stopped."""

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(slots=True)
class OnTheScale:
    """One placing of one cylinder on one scale."""

    opened: int = 0
    shut: int = 0
    stop_at_gross_g: int = 0
    last_gross_g: int = 0


def read_scale_log(path: Path) -> dict[str, OnTheScale]:
    """Label → what happened while it stood there."""
    placed: dict[str, OnTheScale] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        change = json.loads(line)
        if not (label := change.get("label")):
            continue
        item = placed.setdefault(label, OnTheScale())
        item.last_gross_g = change["gross_g"] if change["event"] != "removed" else item.last_gross_g
        match change["event"]:
            case "valve_opened":
                item.opened += 1
                item.stop_at_gross_g = change["stop_at_gross_g"]
            case "valve_shut":
                item.shut += 1
    return placed


def filled_to_the_limit(item: OnTheScale, tolerance_g: int = 40) -> bool:
    """Whether the valve opened once, shut again, and the weight stopped at the limit it was given."""
    return item.opened == 1 and item.shut >= 1 and abs(item.last_gross_g - item.stop_at_gross_g) <= tolerance_g


def stayed_shut(item: OnTheScale) -> bool:
    """Whether no gas flowed at all."""
    return item.opened == 0
