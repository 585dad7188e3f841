import { expect, test } from "vitest";
import { createOutputBuffer, createTail } from "./output-buffer.ts";

test("what fits is held as it is, in whatever pieces it comes", () => {
  const buffer = createOutputBuffer(10, 10);
  for (const piece of ["one ", "", "two ", "three ", "four"]) buffer.add(piece);
  expect(buffer.text()).toBe("one two three four");
});

test("of what is longer the beginning and the end are held, and how much is not", () => {
  const buffer = createOutputBuffer(4, 4);
  for (const piece of ["abcdef", "ghij", "klmnop"]) buffer.add(piece);
  expect(buffer.text()).toBe("abcd\n[8 characters of output are not kept]\nmnop");
});

test("no character is cut in two, at neither border", () => {
  const buffer = createOutputBuffer(3, 3);
  for (let i = 0; i < 20; i++) buffer.add("🐦");
  const text = buffer.text();
  expect(text.isWellFormed()).toBe(true);
  expect(text).toMatch(/^🐦\n\[\d+ characters of output are not kept\]\n🐦$/);
});

test("a tail tells what is new since a place, and how much of it is gone", () => {
  const tail = createTail(5);
  tail.add("abc");
  expect(tail.read()).toEqual({ text: "abc", dropped: 0 });
  const place = tail.length();
  tail.add("defg");
  expect(tail.read(place)).toEqual({ text: "defg", dropped: 0 });
  tail.add("hijkl");
  expect(tail.read(place)).toEqual({ text: "hijkl", dropped: 4 });
  expect(tail.read(tail.length())).toEqual({ text: "", dropped: 0 });
  expect(tail.read(0)).toEqual({ text: "hijkl", dropped: 7 });
});

test("a tail holds little more than it is to hold, however small the pieces are", () => {
  const tail = createTail(100_000);
  for (let i = 0; i < 300_000; i++) tail.add("ab");
  expect(tail.length()).toBe(600_000);
  expect(tail.read().text).toHaveLength(100_000);
});
