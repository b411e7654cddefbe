from hypothesis import given
from hypothesis import strategies as st

from tidegate.runner.lines import LineSplitter


def test_lines_come_whole_whatever_the_chunks():
    splitter = LineSplitter()
    assert splitter.feed(b"one\ntw") == ["one"]
    assert splitter.feed(b"o\r\n\nthree") == ["two", ""]
    assert splitter.end() == ["three"]
    assert splitter.end() == []


def test_a_line_without_an_end_comes_in_pieces():
    splitter = LineSplitter(limit=4)
    assert splitter.feed(b"abcdefghij") == ["abcd", "efgh"]
    assert splitter.feed(b"k\nl") == ["ijk"]


def test_bytes_that_are_no_text_do_no_harm():
    assert LineSplitter().feed(b"\xff\xfe ok\n") == ["\ufffd\ufffd ok"]


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_nothing_is_lost_and_no_line_is_longer_than_the_limit(chunks):
    splitter = LineSplitter(limit=7)
    lines = [line for chunk in chunks for line in splitter.feed(chunk)] + splitter.end()
    assert all(len(line.encode("utf-8", "replace")) <= 7 * 3 for line in lines)
    data = b"".join(chunks)
    assert sum(len(line) for line in lines) >= len(data.decode("ascii", "ignore").replace("\n", "").replace("\r", ""))
