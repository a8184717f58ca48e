"""Text of other people and of libraries that reaches a terminal or a log: on one line, obeyed by nothing."""

from __future__ import annotations

import unicodedata

import pytest
import torch

from toolkit.errors import UserError, first_line, in_halves, last_reason, one_line, visible


def test_escape_sequences_and_bidirectional_controls_are_spelled_out():
    """ESC (a colour, a window title, the screen cleared), CSI of one byte, a return, an override."""
    assert visible("\x1b[31mred\x1b]0;title\x07") == "\\x1b[31mred\\x1b]0;title\\x07"
    assert visible("\x9b2J\r\x7f\b") == "\\x9b2J\\x0d\\x7f\\x08"
    assert visible("a\u202eb\u2066c\u200f\u2028") == "a\\u202eb\\u2066c\\u200f\\u2028"
    assert visible("\ud800") == "\\ud800"


def test_words_line_ends_tabs_and_emoji_stay_as_they_are():
    """Nothing of ordinary text changes, a joined emoji (with its zero-width joiner) among it."""
    text = "Crème brûlée\n\t½ cup שלום 👩‍🍳"
    assert visible(text) == text


def test_no_control_character_of_unicode_is_left():
    """Of all characters, those of category Cc other than line feed and tab (63 of 65) and all surrogates."""
    controls = [chr(n) for n in range(0x110000) if unicodedata.category(chr(n)) in ("Cc", "Cs")]
    left = [character for character in controls if visible(character) == character]
    assert (len(controls), left) == (65 + 2048, ["\t", "\n"])


def test_a_librarys_error_becomes_one_line():
    """Its first line without the full stop, or all of it folded; an error without text is its type."""
    error = ValueError("no such option.\n  Choose another.")
    assert first_line(error) == "no such option"
    assert one_line(error) == "no such option. Choose another."
    assert first_line(ValueError()) == one_line(ValueError(" \n")) == "ValueError"
    assert len(one_line(ValueError("x" * 400))) == 300


def test_a_user_error_is_one_line_whatever_it_quotes():
    """An override with line ends, as a shell may pass it; other spaces stay."""
    assert str(UserError("override 'a=\n  b\r\nc':  expected")) == "override 'a= b c':  expected"


def test_an_error_quotes_the_start_of_an_endless_name():
    """5,000 nines, and a path as long as paths may be in one part: the first is cut, the second is whole."""
    text = str(UserError(f"unknown method '{9:9<5000}': correct it"))
    assert len(text) < 600
    assert text.startswith("unknown method '999")
    assert text.endswith("9… correct it")
    path = f"cannot read /{'a' * 255}/{'b' * 255}: no such file"
    assert str(UserError(path)) == path


def test_the_reason_of_a_process_is_its_last_exception():
    """Not the advice below it, nor the one that it was raised from; without any the last line."""
    traceback = "Traceback …\nKeyError: 'a'\n\nTraceback …\nlib.ImportError: needs b>=2, found 1\nTry: pip\n"
    assert last_reason(traceback) == "lib.ImportError: needs b>=2, found 1"
    assert last_reason("bakeoff: no study\n") == "bakeoff: no study"
    assert last_reason(" \n") == "no message"


def test_what_does_not_fit_into_memory_is_done_in_halves():
    """Seven rows where two fit: four, then two and two; three, then two and one. One alone may not fit."""
    tried = []

    def work(rows):
        tried.append(len(rows))
        if len(rows) > 2 or 13 in rows:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return [row * 10 for row in rows]

    assert in_halves(range(7), work) == [0, 10, 20, 30, 40, 50, 60]
    assert tried == [7, 4, 2, 2, 3, 2, 1]
    with pytest.raises(UserError, match="out of memory on a single text: .*data.max_characters"):
        in_halves([1, 13], work)
    with pytest.raises(RuntimeError, match="shape"):
        in_halves([1, 2], lambda _: (_ for _ in ()).throw(RuntimeError("shape")))
