import { type BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

const MS_PER_S = 1000;
const NANOS_PER_MS = 1_000_000;
// Of google.protobuf.Timestamp, which never changes.
const SECONDS = 1;
const NANOS = 2;

/** Begins a message in a field; `writer.join()` ends it. */
export function openField(writer: BinaryWriter, field: number): void {
  writer.tag(field, WireType.LengthDelimited).fork();
}

/** A string; nothing where it is empty, as in all these. */
export function writeText(writer: BinaryWriter, field: number, value: string): void {
  if (value !== "") writer.tag(field, WireType.LengthDelimited).string(value);
}

/** A whole number of any size, or an enum. */
export function writeWhole(writer: BinaryWriter, field: number, value: number): void {
  if (value !== 0) writer.tag(field, WireType.Varint).int64(value);
}

/** A timestamp, of milliseconds since 1970. */
export function writeTime(writer: BinaryWriter, field: number, timeMs: number): void {
  openField(writer, field);
  writeWhole(writer, SECONDS, Math.floor(timeMs / MS_PER_S));
  writeWhole(writer, NANOS, (((timeMs % MS_PER_S) + MS_PER_S) % MS_PER_S) * NANOS_PER_MS);
  writer.join();
}
