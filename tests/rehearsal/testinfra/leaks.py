"""Looks for the vault's values where they must not be. Findings name a secret, never show it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

# Shorter pieces (a key's id) stand in innocent texts.
SHORTEST = 12


@dataclass(frozen=True)
class Secrets:
    """The vault's values by name. Some hold several: all parts of each are looked for."""

    parts: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, variables: Mapping[str, Any], not_secret: Iterable[str]) -> "Secrets":
        """Take every `vault_…` of a host's variables but those that are named.

        Raises:
            ValueError: There is none, so a search would always come back empty.
        """
        excluded = set(not_secret)
        parts = {
            name: _parts(str(value))
            for name, value in variables.items()
            if name.startswith("vault_") and name not in excluded
        }
        if not parts or not all(parts.values()):
            raise ValueError("a secret of the inventory's vault is missing or too short")
        return cls(parts)

    def within(self, text: str) -> list[str]:
        """Names of the secrets that `text` holds."""
        return sorted(
            name for name, parts in self.parts.items() if any(part in text for part in parts)
        )

    def __repr__(self) -> str:
        """The names: pytest prints arguments of a test that fails."""
        return f"Secrets({', '.join(sorted(self.parts))})"


def _parts(value: str) -> tuple[str, ...]:
    return tuple(part for part in re.split(r"[,:]", value) if len(part) >= SHORTEST)
