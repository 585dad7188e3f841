import type { Children } from "../children.ts";
import type { Row } from "../row.ts";

/** Measures one or more rows of the table. */
export type Figure = (children: Children) => Promise<readonly Row[]>;
