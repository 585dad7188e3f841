import { describe, expect, test } from "vitest";
import { type EditedText, editKey, EMPTY_TEXT, insert, type Key, moveLine, typedText } from "./line-editor.ts";

const FAMILY = "👩‍👩‍👧";
const ctrl = (name: string): Key => ({ name, ctrl: true });
const meta = (name: string): Key => ({ name, meta: true });
const plain = (name: string): Key => ({ name });

/** Shows the cursor as |. */
function after(start: EditedText, ...keys: readonly Key[]): string {
  const { text, cursor } = keys.reduce((now, key) => editKey(now, key) ?? now, start);
  return `${text.slice(0, cursor)}|${text.slice(cursor)}`;
}

describe("a text that is typed", () => {
  test("takes every character as a reader sees it: emoji, accents and wide ones are one step", () => {
    const text = typedText(`a${FAMILY}é日`);
    expect(after(text, plain("left"), plain("left"), plain("left"))).toBe(`a|${FAMILY}é日`);
    expect(after(text, plain("backspace"), plain("backspace"), plain("backspace"))).toBe("a|");
    expect(after({ ...text, cursor: 1 }, plain("delete"))).toBe("a|é日");
  });

  test("moves and cuts by words, and gives back what was cut", () => {
    const text = typedText("one two-three");
    expect(after(text, ctrl("w"), ctrl("w"))).toBe("one |");
    expect(after(text, meta("b"), meta("b"), meta("b"), meta("f"))).toBe("one| two-three");
    expect(after(text, ctrl("w"), ctrl("a"), ctrl("y"))).toBe("three|one two-");
    expect(after(typedText("größe"), ctrl("w"))).toBe("|");
  });

  test("has lines: Alt-Enter begins one, Ctrl-A, Ctrl-E, Ctrl-U and Ctrl-K keep to one", () => {
    const text = typedText("first\nsecond");
    expect(after(EMPTY_TEXT, { sequence: "a" }, meta("return"), { sequence: "b" })).toBe("a\nb|");
    expect(after(text, ctrl("a"))).toBe("first\n|second");
    expect(after(text, ctrl("u"))).toBe("first\n|");
    expect(after(text, ctrl("u"), ctrl("u"))).toBe("first|");
    expect(after({ ...text, cursor: 2 }, ctrl("k"))).toBe("fi|\nsecond");
    expect(after({ ...text, cursor: 2 }, ctrl("e"))).toBe("first|\nsecond");
  });

  test("keeps its column from line to line, and says where there is no line more", () => {
    const text = typedText("long line\nab\nlonger");
    const up = moveLine(text, -1);
    expect(up?.cursor).toBe("long line\nab".length);
    expect(moveLine({ ...text, cursor: 4 }, -1)).toBeUndefined();
    expect(moveLine(text, 1)).toBeUndefined();
    expect(moveLine({ ...text, cursor: 4 }, 1)?.cursor).toBe("long line\nab".length);
    // Never into the middle of a character.
    expect(moveLine(typedText(`${FAMILY}\nab`), -1)?.cursor).toBe(0);
  });

  test("at its ends nothing happens", () => {
    for (const key of ["left", "right", "backspace", "delete", "home", "end"].map(plain))
      expect(after(EMPTY_TEXT, key)).toBe("|");
    for (const key of ["w", "u", "k", "y"].map(ctrl)) expect(after(EMPTY_TEXT, key)).toBe("|");
  });

  test("takes no control characters, whether typed or pasted", () => {
    expect(insert(EMPTY_TEXT, "a\u001B[31m\r\nb\u0007\tc").text).toBe("a[31m\nb\tc");
    expect(editKey(EMPTY_TEXT, { sequence: "\u001B[5~", name: "pageup" })).toBeUndefined();
    expect(editKey(EMPTY_TEXT, { sequence: "\u0000" })).toBeUndefined();
  });
});
