from components.records.text import first_few, one_line, printable, spell


def test_ids_in_an_error_stay_on_its_line() -> None:
    assert spell("a\nb") == '"a\\nb"' and spell("Größe; 'x'") == "Größe; 'x'"
    assert spell("a\u2028b\u202e") == '"a\\u2028b\\u202e"'
    assert first_few(["d", "b\r", "a", "c"]) == '4 (a, "b\\r", c, ...)'


def test_what_does_not_print_moves_no_cursor() -> None:
    assert printable("  \x1b[2Ja\tb") == "   [2Ja b"
    assert one_line(" a\n\n b\u202ec ") == "a b\ufffdc"
    assert one_line("a\r\nb\x1b[31m\u202ec\u2028d", " ") == "a b [31m c d"
