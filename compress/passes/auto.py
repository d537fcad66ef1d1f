"""Weight sharing for a loss: the highest price of a bit that keeps the metric.

What is lost is told by the metric on the validation part, where that has samples enough to tell;
else by what the dense network says itself: by its own chances, how much more often its answers are
right than those of the compressed network. For vectors it is what independent errors of their size
take from a correlation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from compress.errors import SettingsError, require
from compress.passes.apart import Lost
from compress.passes.chosen import all_of
from compress.passes.context import Context, Passed
from compress.passes.network import Network
from compress.passes.prices import Curve
from compress.passes.settings import JUDGES, QuantizeSettings
from compress.passes.sharing import Sharing, cancelling, sharing

_MAX_BITS = 8  # of a code
_TELLS = 0.5  # of the points that may be lost: a standard error below tells
_START = 4.0  # bits a weight
_TRIES = 9
_NEAR = 0.85  # of the points that may be lost is near enough
_FINEST = 0.05  # logarithm of two prices between which a file hardly changes


def smallest(network: Network, settings: QuantizeSettings, context: Context) -> Passed:
    """Share a network's weights in place, in the fewest bits that keep the metric.

    Raises:
        SettingsError: when there are no samples.
        DataError: when weights are not finite.
        UnsupportedLayerError: when there are no weights.
    """
    require(settings.samples > 0, "samples", "above 0 where bits are auto", settings.samples)
    weights, skipped = all_of(network)
    shared = sharing(network, weights, context, settings.samples, judges=JUDGES)
    if shared.steps is None:
        raise SettingsError(
            "bits auto needs samples to judge by; give --calibration or --task, or a number of bits"
        )
    curve = Curve(shared.layers, _MAX_BITS)
    judged = _Judged(shared, curve, settings.max_drop, context)
    price = judged.highest_price()
    if judged.written != price:
        judged.lost(price)
    if context.fit is not None:
        context.fit(None)
    passed = shared.passed(skipped, dict.fromkeys((w.name for w in weights), _MAX_BITS))
    return judged.told(passed, price)


@dataclass(slots=True)
class _Judged:
    """Prices, and what they lose."""

    shared: Sharing
    curve: Curve
    max_drop: float
    context: Context
    written: float | None = None  #: the price that the network is at
    by_metric: bool = True  #: until the validation part turns out too small
    points: dict[float, float] = field(default_factory=dict)  #: lost, and the margin, by price

    def highest_price(self) -> float:
        """Return the logarithm of the highest price found that keeps the metric; else the lowest.

        What is lost grows about as a power of the price.
        """
        price = self.curve.price_of(_START * self.curve.weights / 8)
        for _ in range(_TRIES):
            lost = self.lost(price)
            if _NEAR * self.max_drop <= lost <= self.max_drop:
                break
            kept = max((p for p, x in self.points.items() if x <= self.max_drop), default=None)
            gone = min((p for p, x in self.points.items() if x > self.max_drop), default=None)
            if kept is not None and gone is not None:
                if gone - kept < _FINEST:
                    break
                price = kept + self._part(kept, gone) * (gone - kept)
            elif gone is not None:
                price = max(gone - 1.5, self.curve.low)
            else:
                assert kept is not None
                price = min(kept + 1, self.curve.high)
            if price in self.points:
                break
        kept_prices = [p for p, x in self.points.items() if x <= self.max_drop]
        return max(kept_prices, default=min(self.points))

    def lost(self, price: float) -> float:
        """Give the network a price; return the points that it loses, with a margin for noise."""
        found = self.curve.at(price)
        self.shared.write(found, lambda: cancelling(self.shared.layers, found))
        self.shared.correct()
        self.written = price
        assert self.shared.steps is not None
        expected = self.shared.steps.apart.lost(self.shared.network)
        self.points[price] = self._with_margin(expected)
        self.context.note(
            f"a try of about {self.curve.entropy(price):,.0f} B loses {self.points[price]:.2f} "
            "points at most"
        )
        return self.points[price]

    def _with_margin(self, expected: Lost) -> float:
        if self.context.drop is not None and self.by_metric:
            points, n = self.context.drop(self.shared.network)
            # The same samples are asked twice: only those that changed make noise.
            error = 100 * math.sqrt(expected.changed / max(n, 1))
            if error <= _TELLS * max(self.max_drop, points):
                return points + error
            self.by_metric = False
        return expected.points + expected.error

    def _part(self, kept: float, gone: float) -> float:
        *_, before, last = (lost <= self.max_drop for lost in self.points.values())
        if before == last:  # else one end would stay where it is, and the other creep towards it
            return 0.5
        low, high = (max(self.points[p], 1e-3) for p in (kept, gone))
        aim = (1 + _NEAR) / 2 * self.max_drop
        if not (math.isfinite(high) and aim > 0):
            return 0.5
        part = math.log(aim / low) / math.log(high / low) if high > low else 0.5
        return min(max(part, 0.1), 0.9)

    def told(self, passed: Passed, price: float) -> Passed:
        """Return what the pass did, with what it is expected to lose."""
        lost, notes = self.points[price], passed.notes
        if lost > self.max_drop:
            notes = (
                *notes,
                f"max_drop {self.max_drop:g} is not kept for sure by any size that was tried: "
                f"about {lost:.2f} points may be lost",
            )
        by = "metric" if self.by_metric and self.context.drop is not None else "expectation"
        return Passed(
            layers=passed.layers,
            skipped=passed.skipped,
            notes=notes,
            figures={"points_lost_at_most": round(lost, 3), "judged_by": by},
        )
