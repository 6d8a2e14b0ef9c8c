"""The twenty invented companies of the market."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

CODE = re.compile(r"[A-Z]{2,5}")
"""What a symbol's code looks like; it names the channel `ticker:CODE`."""


class Sector(StrEnum):
    """What a company does."""

    ENERGY = "Energy"
    FINANCE = "Finance"
    FOOD = "Food"
    HEALTH = "Health"
    INDUSTRY = "Industry"
    MEDIA = "Media"
    TECHNOLOGY = "Technology"
    TRANSPORT = "Transport"


@dataclass(frozen=True, slots=True)
class Symbol:
    """A company that is traded, and how wildly.

    `tick` is the smallest step of its price and `start_price` its first price,
    both decimal strings ("0.01", "128.40"); all other prices of the market are
    whole numbers of ticks. `daily_volatility` is the standard deviation of the
    logarithm of the price over one trading day of 6.5 hours, `trades_per_s` the
    mean in calm times.

    Raises ValueError for a bad code, or a price that is no multiple of the tick.
    """

    code: str
    company: str
    sector: Sector
    tick: str
    start_price: str
    daily_volatility: float = 0.02
    trades_per_s: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what the market could not trade."""
        if not CODE.fullmatch(self.code):
            raise ValueError(f"a code is 2 to 5 capital letters, not {self.code!r}")
        price, tick = Decimal(self.start_price), Decimal(self.tick)
        if price <= 0 or tick <= 0 or price % tick:
            raise ValueError(f"{self.code}: {price} is no positive multiple of {tick}")
        if self.daily_volatility <= 0 or self.trades_per_s <= 0:
            raise ValueError(f"{self.code}: volatility and rate must be above 0")

    @property
    def start_ticks(self) -> int:
        """The first price in ticks."""
        return int(Decimal(self.start_price) / Decimal(self.tick))


SYMBOLS = (
    Symbol("ACME", "Acme Anvil Works", Sector.INDUSTRY, "0.01", "128.40", 0.020, 1.4),
    Symbol("BRYO", "Bryony Botanicals", Sector.HEALTH, "0.01", "41.25", 0.035, 0.7),
    Symbol("CIRQ", "Cirque Quantum", Sector.TECHNOLOGY, "0.01", "312.60", 0.055, 1.6),
    Symbol("DUNA", "Dunavale Solar", Sector.ENERGY, "0.01", "64.10", 0.026, 0.9),
    Symbol("EMBR", "Emberline Power", Sector.ENERGY, "0.01", "87.95", 0.015, 0.8),
    Symbol("FJRD", "Fjordic Shipping", Sector.TRANSPORT, "0.05", "742.50", 0.022, 0.6),
    Symbol("GLOW", "Glowworm Lighting", Sector.INDUSTRY, "0.01", "23.70", 0.024, 0.6),
    Symbol("HUBB", "Hubbub Broadcasting", Sector.MEDIA, "0.01", "256.00", 0.030, 1.8),
    Symbol("IRYS", "Iryshire Optics", Sector.HEALTH, "0.01", "149.30", 0.018, 0.7),
    Symbol("JUMB", "Jumble Games", Sector.MEDIA, "0.01", "58.85", 0.042, 1.3),
    Symbol("KELP", "Kelp & Tide Foods", Sector.FOOD, "0.01", "36.40", 0.012, 0.7),
    Symbol("LOOM", "Loomworks Textiles", Sector.INDUSTRY, "0.01", "71.15", 0.017, 0.5),
    Symbol("MOSS", "Mosswood Timber", Sector.INDUSTRY, "0.01", "94.60", 0.016, 0.6),
    Symbol("NIMB", "Nimbus Weather", Sector.TECHNOLOGY, "0.01", "187.20", 0.028, 1.2),
    Symbol("ORKA", "Orkavik Fisheries", Sector.FOOD, "0.05", "418.75", 0.014, 0.5),
    Symbol("PYLO", "Pylon & Larch Grid", Sector.ENERGY, "0.01", "52.30", 0.013, 0.8),
    Symbol("QUIL", "Quill & Inkwell", Sector.MEDIA, "0.001", "8.640", 0.032, 0.6),
    Symbol("RUNE", "Runestone Bank", Sector.FINANCE, "0.01", "112.75", 0.019, 1.1),
    Symbol("SORL", "Sorrel Pharma", Sector.HEALTH, "0.01", "19.55", 0.080, 1.0),
    Symbol("TARN", "Tarnwater Trust", Sector.FINANCE, "0.01", "205.90", 0.015, 0.8),
)
"""The market as it is delivered, in the order of their codes."""
