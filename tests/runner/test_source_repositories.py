"""Which source is a Runner's repository."""

import pytest

from tidegate.runner.repositories import is_url_of


@pytest.mark.parametrize(
    ("url", "repository", "fits"),
    [
        ("https://github.com/acme/shop", "acme/shop", True),
        ("https://github.com/acme/shop.git", "acme/shop", True),
        ("ssh://git@github.com/Acme/Shop.git", "acme/shop", True),
        ("https://github.com/acme/shop/", "acme/shop", True),
        ("https://github.com/acme/bookshop", "acme/shop", False),
        ("https://github.com/notacme/shop", "acme/shop", False),
        ("https://github.com/acme/shop-api", "acme/shop", False),
    ],
)
def test_a_url_is_matched_by_owner_and_name(url, repository, fits):
    assert is_url_of(url, repository) is fits
