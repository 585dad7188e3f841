/** A line of a file, without its end. */
export interface NumberedLine {
  readonly number: number;
  readonly bytes: Buffer;
}

/** A line is longer than it may be; it was not read. */
export class LineTooLong extends Error {
  override readonly name = "LineTooLong";
  readonly line: number;

  constructor(line: number) {
    super(`line ${line} is too long`);
    this.line = line;
  }
}

const NEWLINE = 0x0a;

/** Cuts bytes that come in any pieces into lines; holds no more than one line and one piece. Throws `LineTooLong`. */
export async function* readLines(
  pieces: AsyncIterable<Uint8Array>,
  maxLineBytes: number,
): AsyncGenerator<NumberedLine> {
  let number = 1;
  let rest: Buffer[] = [];
  let restBytes = 0;
  for await (const piece of pieces) {
    const bytes = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
    let start = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
      if (restBytes + end - start > maxLineBytes) throw new LineTooLong(number);
      yield { number, bytes: Buffer.concat([...rest, bytes.subarray(start, end)]) };
      number++;
      start = end + 1;
      rest = [];
      restBytes = 0;
    }
    rest.push(bytes.subarray(start));
    restBytes += bytes.length - start;
    if (restBytes > maxLineBytes) throw new LineTooLong(number);
  }
  if (restBytes > 0) yield { number, bytes: Buffer.concat(rest) };
}
