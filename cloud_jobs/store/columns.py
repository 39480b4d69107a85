"""How moments and money are kept: as whole numbers, so that sums and comparisons are exact."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from sqlalchemy import BigInteger, Dialect, Integer
from sqlalchemy.types import TypeDecorator

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
# A token of a language model costs a few ten-millionths: nine places leave room.
_NANOS: Final = Decimal(10) ** 9

Key = BigInteger().with_variant(Integer, "sqlite")
"""For a row's number: SQLite counts up only what it calls INTEGER."""


class Moment(TypeDecorator[datetime]):
    """An aware time, kept as milliseconds since 1970 in UTC."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """To milliseconds; a time without a zone is an error."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment needs a time zone")
        return (value - _EPOCH) // _MILLISECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        """To an aware time in UTC."""
        return None if value is None else _EPOCH + value * _MILLISECOND


class Money(TypeDecorator[Decimal]):
    """An amount, kept as billionths."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:
        """To billionths; what is finer than that is an error."""
        if value is None:
            return None
        nanos = value * _NANOS
        if nanos != nanos.to_integral_value():
            raise ValueError("an amount is kept to nine places")
        return int(nanos)

    def process_result_value(self, value: int | None, dialect: Dialect) -> Decimal | None:
        """From billionths."""
        return None if value is None else (Decimal(value) / _NANOS).normalize()
