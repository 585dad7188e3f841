"""What a human sees of what a program writes to a terminal: the rows of the screen, and those that scrolled off it.

Knows what modern terminals have in common: wrapping (a row that wrapped and the next are one line when copied), wide
characters, the cursor movements that parley uses, and that a resize wraps all lines anew.
"""
import codecs, re, unicodedata

CONTROL = re.compile(r"\x1b\[([0-9;?]*)([@-~])|\x1b[()][0-9A-B]|\x1b[=>78cDEHM]")
BEGUN = re.compile(r"\x1b(\[[0-9;?]*|[()])?$")


class Row:
    def __init__(self):
        self.cells, self.wraps = [], False


def width(char):
    if unicodedata.combining(char) or char in "\u200d\ufe0f":
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


class Screen:
    def __init__(self, rows=24, columns=80):
        self.height, self.columns = rows, columns
        self.rows, self.row, self.column = [Row()], 0, 0
        self.decoder, self.rest = codecs.getincrementaldecoder("utf-8")("replace"), ""

    def feed(self, data):
        text, self.rest = self.rest + self.decoder.decode(data), ""
        if BEGUN.search(text):
            cut = text.rindex("\x1b")
            text, self.rest = text[:cut], text[cut:]
        at = 0
        for found in CONTROL.finditer(text):
            self.write(text[at : found.start()])
            if found.group(2):
                self.control(found.group(1), found.group(2))
            at = found.end()
        self.write(text[at:])

    def top(self):
        return max(0, len(self.rows) - self.height)

    def write(self, text):
        for char in text:
            if char == "\r":
                self.column = 0
            elif char == "\n":
                self.down()
            elif char == "\b":
                self.column = max(0, self.column - 1)
            elif char >= " ":
                self.put(char)

    def down(self):
        self.row += 1
        if self.row == len(self.rows):
            self.rows.append(Row())

    def put(self, char):
        wide, cells = width(char), self.rows[self.row].cells
        joins = self.column > 0 and self.column <= len(cells) and cells[self.column - 1].endswith("\u200d")
        if wide == 0 or joins:
            place = self.column - 1
            while place > 0 and place < len(cells) and cells[place] == "":
                place -= 1
            if 0 <= place < len(cells):
                cells[place] += char
            return
        if self.column + wide > self.columns:
            self.rows[self.row].wraps = True
            self.down()
            self.column, cells = 0, self.rows[self.row].cells
        while len(cells) < self.column + wide:
            cells.append(" ")
        cells[self.column : self.column + wide] = [char] + [""] * (wide - 1)
        self.column += wide

    def control(self, given, final):
        count = int(given) if given.isdigit() else 0
        if final == "A":
            self.row = max(self.top(), self.row - max(1, count))
        elif final == "C":
            self.column = min(self.columns - 1, self.column + max(1, count))
        elif final == "H":
            self.row, self.column = self.top(), 0
        elif final == "K":
            del self.rows[self.row].cells[self.column :]
            self.rows[self.row].wraps = False
        elif final == "J" and count == 2:
            self.rows += [Row() for _ in range(self.height)]
            self.row = self.top()
        elif final == "J":
            del self.rows[self.row].cells[self.column :]
            self.rows[self.row].wraps = False
            del self.rows[self.row + 1 :]

    def resize(self, rows, columns):
        lines, place = self.lines(), None
        start = self.row
        while start > 0 and self.rows[start - 1].wraps:
            start -= 1
        line = sum(not row.wraps for row in self.rows[:start])
        offset = sum(len(row.cells) for row in self.rows[start : self.row]) + self.column
        self.height, self.columns, self.rows = rows, columns, []
        for index, cells in enumerate(lines):
            for at in range(0, max(1, len(cells)), columns):
                row = Row()
                row.cells, row.wraps = cells[at : at + columns], at + columns < len(cells)
                if index == line and (at <= offset < at + columns or not row.wraps and place is None):
                    place = (len(self.rows), min(offset - at, columns))
                self.rows.append(row)
        self.row, self.column = place

    def lines(self):
        """As they would be copied: rows that wrapped are one."""
        lines, open_line = [], None
        for row in self.rows:
            open_line = (open_line or []) + row.cells
            if not row.wraps:
                lines.append(open_line)
                open_line = None
        return lines + ([open_line] if open_line is not None else [])

    def text(self):
        return "\n".join("".join(cells).rstrip() for cells in self.lines())
