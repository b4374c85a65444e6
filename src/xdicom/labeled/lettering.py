"""Small letters in a picture: the place of a frame, readable without a font."""

from __future__ import annotations

import numpy as np

LETTERS = "0123456789-.+/abcdefghijklmnopqrstuvwxyz"
"""Letters that can be written."""
_CELL = (8, 6)
"""Rows and columns of a letter with the space behind it [px]."""
_STRIPS = """
.###. ..#.. .###. .###. ...#. ##### ..##. ##### .###. .###. ..... ..... ..... ....# ..... #.... ..... ....# ..... ..##.
#...# .##.. #...# #...# ..##. #.... .#... ....# #...# #...# ..... ..... ..#.. ....# ..... #.... ..... ....# ..... .#...
#..## ..#.. ....# ....# .#.#. ####. #.... ...#. #...# #...# ..... ..... ..#.. ...#. .###. ####. .###. .#### .###. ####.
#.#.# ..#.. ..##. ..##. #..#. ....# ####. ..#.. .###. .#### .###. ..... ##### ..#.. ....# #...# #.... #...# #...# .#...
##..# ..#.. .#... ....# ##### ....# #...# ..#.. #...# ....# ..... ..... ..#.. .#... .#### #...# #.... #...# ##### .#...
#...# ..#.. #.... #...# ...#. #...# #...# ..#.. #...# ...#. ..... .##.. ..#.. #.... #...# #...# #.... #...# #.... .#...
.###. .###. ##### .###. ...#. .###. .###. ..#.. .###. .##.. ..... .##.. ..... #.... .#### ####. .###. .#### .###. .#...
..... ..... ..... ..... ..... ..... ..... ..... ..... ..... ..... ..... ..... ..... ..... ..... ..... ..... ..... .....

..... #.... ..#.. ...#. #.... .##.. ..... ..... ..... ..... ..... ..... ..... .#... ..... ..... ..... ..... ..... .....
..... #.... ..... ..... #.... ..#.. ..... ..... ..... ..... ..... ..... ..... .#... ..... ..... ..... ..... ..... .....
.#### ####. .##.. ..##. #..#. ..#.. ##.#. ####. .###. ####. .#### #.##. .#### ####. #...# #...# #.#.# #...# #...# #####
#...# #...# ..#.. ...#. #.#.. ..#.. #.#.# #...# #...# #...# #...# ##..# #.... .#... #...# #...# #.#.# .#.#. #...# ...#.
#...# #...# ..#.. ...#. ##... ..#.. #.#.# #...# #...# #...# #...# #.... .###. .#... #...# #...# #.#.# ..#.. #...# ..#..
.#### #...# ..#.. ...#. #.#.. ..#.. #.#.# #...# #...# ####. .#### #.... ....# .#..# #...# .#.#. #.#.# .#.#. .#### .#...
....# #...# .###. #..#. #..#. .###. #.#.# #...# .###. #.... ....# #.... ####. ..##. .#### ..#.. .#.#. #...# ....# #####
.###. ..... ..... .##.. ..... ..... ..... ..... ..... #.... ....# ..... ..... ..... ..... ..... ..... ..... .###. .....
"""
_SHAPES = {
    letter: np.array([[*line.split()[i % 20], "."] for line in _STRIPS.split("\n\n")[i // 20].strip().split("\n")]) == "#"
    for i, letter in enumerate(LETTERS)
}


def write_letters(tile: np.ndarray, lines: list[str]) -> None:
    """Write `lines` into the lower left corner of a picture: white, with a dark edge.

    A line that does not fit is left out. Capitals become small letters, `_` a space, and letters that are not in `LETTERS` a space too.

    Parameters
    ----------
    tile
        uint8, shape `(height, width, samples)`; it is changed.
    lines
        Texts, from top to bottom.
    """
    zoom = max(1, round(min(tile.shape[:2]) / 200))
    lines = [line for line in lines if line and (len(line) * _CELL[1] + 4) * zoom <= tile.shape[1]]
    for number, text in enumerate(reversed(lines), start=1):
        blank = np.zeros(_CELL, bool)
        mask = np.pad(np.hstack([_SHAPES.get(letter, blank) for letter in text.lower().replace("_", " ")]), ((1, 1), (1, 0)))
        edge = mask.copy()
        for axis in (0, 1):
            edge |= np.roll(edge, 1, axis) | np.roll(edge, -1, axis)
        top = tile.shape[0] - (number * (_CELL[0] + 2) + 2) * zoom
        if top < 0:
            return
        for shape, gray in ((edge, 0), (mask, 255)):
            large = np.kron(shape, np.ones((zoom, zoom), bool))
            tile[top : top + large.shape[0], 3 * zoom : 3 * zoom + large.shape[1]][large] = gray
