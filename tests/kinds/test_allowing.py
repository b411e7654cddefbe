"""Which namespaces an ImagePolicy's annotation lets use it."""

import pytest

from tidegate.base.errors import InvalidInput
from tidegate.kinds.allowing import ALLOW_FROM, allowed_namespaces, allows


def policy(value=None):
    annotations = {} if value is None else {ALLOW_FROM: value}
    return {"kind": "ImagePolicy", "metadata": {"name": "web", "namespace": "shared", "annotations": annotations}}


@pytest.mark.parametrize(
    ("value", "namespace", "allowed"),
    [
        (None, "shared", True),
        (None, "apps", False),
        ("apps", "apps", True),
        ("apps", "shop", False),
        ("apps , shop", "shop", True),
        ("*", "anything", True),
        ("apps,*", "anything", True),
        ("app", "apps", False),
        ("Apps", "shared", True),
        ("Apps", "Apps", False),
        ("*,Apps", "other", False),
        ("", "", False),
    ],
)
def test_a_namespace_may_use_it_or_not(value, namespace, allowed):
    assert allows(policy(value), namespace) is allowed


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("", "it names no namespace"),
        ("apps,,shop", "between two commas stands no namespace"),
        ("apps shop", "'apps shop' is no namespace"),
        ("apps,**", "'**' is no namespace"),
        (f"{'a' * 64}", f"'{'a' * 64}' is no namespace"),
    ],
)
def test_a_wrong_one_is_one_clear_error(value, said):
    with pytest.raises(InvalidInput) as caught:
        allowed_namespaces(policy(value))
    assert caught.value.explain() == (
        f"metadata.annotations[tidegate.dev/allow-from]: {said}\n"
        'write namespaces with commas between them, as apps,shop, or "*" for all of them'
    )
