"""The price list, costs.yml: bundled, or the host's own (docs/costs.md)."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum
from functools import lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from app.hostfile import HostFile, HostFileError
from cloud_jobs.settings import CloudSettings

# As fine as the store keeps an amount.
NANO: Final = Decimal("0.000000001")
OTHER: Final = "other"


class CostsError(ValueError):
    """The price list can't be used; the message has a line for each mistake: where, and the way."""


class UnknownItemError(CostsError):
    """Something was metered that the price list doesn't have."""


class Per(StrEnum):
    """How often an allowance begins anew."""

    DAY = "day"
    MONTH = "month"

    def period(self, at: datetime) -> str:
        """The day or month of UTC that ``at`` is in, as text."""
        return at.astimezone(UTC).strftime("%Y-%m-%d" if self is Per.DAY else "%Y-%m")


def _is_kept(value: Decimal) -> Decimal:
    if value != value.quantize(NANO):
        raise ValueError("prices are kept to nine places: write it by more units (per)")
    return value


Price = Annotated[Decimal, Field(ge=0, le=1_000_000), AfterValidator(_is_kept)]
Currency = Annotated[str, Field(pattern="^[A-Z]{3}$")]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Allowance(_Section):
    """What is free: ``amount`` of ``currency``, or ``units``; each day or month of UTC."""

    per: Per
    units: int | None = Field(None, ge=0)
    amount: Price | None = None
    currency: Currency | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.units is None) is (self.amount is None):
            raise ValueError("write either units, or amount with its currency")
        if (self.amount is None) is not (self.currency is None):
            raise ValueError("an amount has a currency, and units have none")
        return self


class Item(_Section):
    """What is paid by use: ``price`` for ``per`` units, or a price for each country."""

    group: str
    currency: Currency
    price: Price | None = None
    per: int = Field(1, ge=1)
    by_country: dict[str, Price] = {}
    allowance: str | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.price is None) is not bool(self.by_country):
            raise ValueError("write either price or by_country")
        if self.by_country and OTHER not in self.by_country:
            raise ValueError(f"by_country needs a price for {OTHER}")
        if self.price is not None:
            _is_kept(self.price / self.per)
        return self

    def unit_price(self, country: str | None) -> Decimal:
        """Of one unit, in the item's currency."""
        if self.price is not None:
            return self.price / self.per
        return self.by_country.get(country or OTHER, self.by_country[OTHER]) / self.per


class Fixed(_Section):
    """What is paid every month."""

    group: str
    price: Price
    currency: Currency


class Budgets(_Section):
    """What a month may cost, in all and by group; None and missing: as much as it will."""

    currency: Currency
    total: Price | None = None
    groups: dict[str, Price] = {}


class Costs(_Section):
    """The price list. ``exchange``: what one unit of a currency is worth in a common one."""

    exchange: dict[Currency, Annotated[Decimal, Field(gt=0)]]
    allowances: dict[str, Allowance] = {}
    items: dict[str, Item]
    fixed: dict[str, Fixed] = {}
    budgets: Budgets

    @model_validator(mode="after")
    def _all_is_there(self) -> Self:
        used = {item.currency for item in self.items.values()}
        used |= {fixed.currency for fixed in self.fixed.values()}
        used |= {self.budgets.currency}
        used |= {one.currency for one in self.allowances.values() if one.currency}
        if missing := used - set(self.exchange):
            raise ValueError(f"exchange has no rate for {', '.join(sorted(missing))}")
        for name, item in self.items.items():
            self._check_allowance(name, item)
        if unknown := set(self.budgets.groups) - self.groups:
            raise ValueError(f"there is a budget for {', '.join(sorted(unknown))}, but no item")
        return self

    def _check_allowance(self, name: str, item: Item) -> None:
        if item.allowance is None:
            return
        allowance = self.allowances.get(item.allowance)
        if allowance is None:
            raise ValueError(f"{name}: there is no allowance {item.allowance}")
        if allowance.currency not in {None, item.currency}:
            raise ValueError(f"{name}: its allowance is in {allowance.currency}")

    @property
    def groups(self) -> set[str]:
        """The groups of what costs."""
        items = {item.group for item in self.items.values()}
        return items | {fixed.group for fixed in self.fixed.values()}

    def group(self, item: str) -> str:
        """The group of a metered item; of one that is no longer in the list, its own name."""
        if (fixed := self.fixed.get(item)) is not None:
            return fixed.group
        found = self.items.get(item) or self.items.get(item.rpartition(".")[0])
        return found.group if found else item

    def allowance(self, item: str) -> str | None:
        """The allowance that a metered item uses up; None for one that is no longer in the list."""
        found = self.items.get(item) or self.items.get(item.rpartition(".")[0])
        return found.allowance if found else None

    def find(self, name: str) -> tuple[Item, str | None]:
        """The item called ``name``, and the country of one that is priced by country.

        ``whatsapp.service.IT`` is whatsapp.service in IT. Raises :class:`UnknownItemError`.
        """
        if (item := self.items.get(name)) is not None:
            return item, None
        base, _, country = name.rpartition(".")
        item = self.items.get(base)
        if item is None or not item.by_country:
            raise UnknownItemError(
                f"{name} has no price: add it to costs.yml, under items (docs/costs.md)"
            )
        return item, country

    def convert(self, amount: Decimal, currency: str, to: str) -> Decimal:
        """``amount`` in another currency, to nine places."""
        if currency == to:
            return amount
        worth = amount * self.exchange[currency] / self.exchange[to]
        return worth.quantize(NANO, ROUND_HALF_EVEN)


def load(settings: CloudSettings) -> Costs:
    """The price list, read once a process. Raises :class:`CostsError`."""
    costs = _load(settings.costs_file)
    if settings.currency not in costs.exchange:
        raise CostsError(f"exchange has no rate for {settings.currency} (PORTIERE_CURRENCY)")
    return costs


@lru_cache(maxsize=8)
def _load(own: Path | None) -> Costs:
    path: Traversable = own or resources.files("cloud_jobs.costs") / "costs.yml"
    try:
        found = HostFile.read(path)
    except HostFileError as error:
        raise CostsError(str(error)) from None
    try:
        return Costs.model_validate(found.data)
    except ValidationError as error:
        raise CostsError("\n".join(_mistakes(path, found, error))) from None


def _mistakes(path: Traversable, found: HostFile, error: ValidationError) -> Iterator[str]:
    for mistake in error.errors():
        place = mistake["loc"]
        what = f"{'.'.join(map(str, place))}: {mistake['msg']}" if place else mistake["msg"]
        yield f"{path}, line {found.line(place) or 1}: {what}"
