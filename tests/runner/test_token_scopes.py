import pytest

from tidegate.runner.token import scopes


@pytest.mark.parametrize(
    ("permissions", "expected"),
    [
        ({}, []),
        ({"contents": "read", "packages": "read"}, ["repo:acme/shop:read", "packages:acme:read"]),
        ({"contents": "read", "packages": "write"}, ["repo:acme/shop:read", "packages:acme:write"]),
        ({"*": "write"}, ["repo:acme/shop:write", "packages:acme:write"]),
        ({"*": "read", "packages": "none"}, ["repo:acme/shop:read"]),
        ({"issues": "write"}, []),
    ],
)
def test_a_token_reaches_as_far_as_its_jobs_permissions(permissions, expected):
    assert scopes(permissions, "acme/shop") == expected


def test_an_owner_with_capitals_pushes_images_without():
    assert scopes({"packages": "write"}, "Acme/Shop") == ["packages:acme:write"]
