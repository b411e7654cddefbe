from tidegate.cli.tables import table_lines


def test_a_cell_of_several_lines_is_one_line_and_marked_as_cut():
    assert table_lines(["NAME", "STATUS"], [["a", "no such repository\nlook at the URL"], ["long-name", "fine"]]) == [
        "NAME        STATUS",
        "a           no such repository …",
        "long-name   fine",
    ]
