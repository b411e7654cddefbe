"""Frozen values behave as the standard library's frozen, slotted dataclasses, and leave no second class behind."""

import copy
import gc
import pickle
from dataclasses import FrozenInstanceError, dataclass, field, fields, replace

import pytest

from tidegate.base.frozen import frozen


@frozen
class Login:
    """A value with a field that is not shown."""

    name: str
    password: str = field(default="", repr=False)
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Standard:
    name: str
    password: str = field(default="", repr=False)
    tags: tuple[str, ...] = ()


@frozen(order=True)
class Version:
    major: int
    minor: int = 0


@frozen(kw_only=True)
class Named:
    name: str

    def __repr__(self):
        return f"<{self.name}>"


def test_it_looks_compares_and_hashes_as_a_dataclass():
    ours, theirs = Login("me", "secret", ("a",)), Standard("me", "secret", ("a",))
    assert repr(ours) == repr(theirs).replace("Standard", "Login")
    assert "secret" not in repr(ours)
    assert ours == Login("me", "secret", ("a",)) != Login("me", "other", ("a",))
    assert hash(ours) == hash(theirs)
    assert [one.name for one in fields(ours)] == [one.name for one in fields(theirs)]
    assert replace(ours, name="you") == Login("you", "secret", ("a",))
    assert Login.__slots__ == Standard.__slots__
    assert not hasattr(ours, "__dict__")


def test_it_orders_and_takes_names_where_asked():
    assert Version(1, 2) < Version(1, 10) < Version(2)
    assert repr(Named(name="x")) == "<x>"
    with pytest.raises(TypeError):
        Named("x")


def test_nothing_of_it_changes():
    login = Login("me")
    for change in (lambda: setattr(login, "name", "you"), lambda: setattr(login, "other", 1)):
        with pytest.raises(FrozenInstanceError, match="is not to be changed"):
            change()
    with pytest.raises(FrozenInstanceError):
        del login.name
    assert login == Login("me")


def test_copies_are_the_same():
    login = Login("me", "secret")
    assert copy.deepcopy(login) == pickle.loads(pickle.dumps(login)) == login


def test_there_is_one_class_of_it():
    gc.collect()
    found = [one for one in gc.get_objects() if isinstance(one, type) and one.__qualname__ == "Login"]
    assert [one for one in found if one.__module__ == __name__] == [Login]
