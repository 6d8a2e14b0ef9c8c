from __future__ import annotations

import pytest

from server.kinds.ticker.symbols import CODE, SYMBOLS, Sector, Symbol


def test_twenty_of_them() -> None:
    """The market has 20 symbols with their own codes and names, in order."""
    codes = [symbol.code for symbol in SYMBOLS]
    assert len(codes) == 20
    assert codes == sorted(set(codes))
    assert len({symbol.company for symbol in SYMBOLS}) == 20
    assert all(CODE.fullmatch(code) for code in codes)


def test_start_ticks() -> None:
    """Prices are counted in ticks, exactly."""
    assert Symbol("AB", "A", Sector.FOOD, "0.001", "8.640").start_ticks == 8640
    assert Symbol("AB", "A", Sector.FOOD, "0.05", "742.50").start_ticks == 14850


@pytest.mark.parametrize("code", ["A", "ABCDEF", "ab", "A1", "", "AB\n"])
def test_bad_code(code: str) -> None:
    """A code that could not name a channel is refused."""
    with pytest.raises(ValueError, match="capital letters"):
        Symbol(code, "A", Sector.FOOD, "0.01", "1.00")


@pytest.mark.parametrize(
    ("tick", "price"), [("0.05", "1.02"), ("0.01", "0"), ("-0.01", "1"), ("1", "-1")]
)
def test_bad_price(tick: str, price: str) -> None:
    """A start price that is no positive multiple of the tick is refused."""
    with pytest.raises(ValueError, match="multiple"):
        Symbol("AB", "A", Sector.FOOD, tick, price)


def test_nothing_stands_still() -> None:
    """A symbol without volatility or trades is refused."""
    with pytest.raises(ValueError, match="above 0"):
        Symbol("AB", "A", Sector.FOOD, "1", "1", daily_volatility=0.0)
    with pytest.raises(ValueError, match="above 0"):
        Symbol("AB", "A", Sector.FOOD, "1", "1", trades_per_s=0.0)
