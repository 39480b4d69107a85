"""Looking for secrets."""

import pytest

from tests.rehearsal.testinfra.leaks import Secrets

PASSWORD = "long-enough-password"
KEYS = "k1:AAAAAAAAAAAAAAAA=,k2:BBBBBBBBBBBBBBBB="


def test_a_value_and_each_part_of_it() -> None:
    secrets = Secrets.of({"vault_password": PASSWORD, "vault_keys": KEYS, "other": "x"}, [])
    assert secrets.within("nothing") == []
    assert secrets.within(f"redis://:{PASSWORD}@host") == ["vault_password"]
    assert secrets.within("BBBBBBBBBBBBBBBB=") == ["vault_keys"]
    assert secrets.within("k1 k2") == []


def test_what_is_no_secret_is_left_out() -> None:
    secrets = Secrets.of({"vault_id": "0123456789abcdef", "vault_password": PASSWORD}, ["vault_id"])
    assert secrets.within("0123456789abcdef") == []


def test_repr_names_and_hides() -> None:
    secrets = Secrets.of({"vault_password": PASSWORD}, [])
    assert "vault_password" in repr(secrets)
    assert PASSWORD not in repr(secrets)


@pytest.mark.parametrize("variables", [{}, {"vault_empty": ""}, {"vault_short": "abc"}])
def test_a_search_that_could_not_find_anything(variables: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="vault"):
        Secrets.of(variables, [])
