// The few forms of GitHub's Markdown that the reference is written in.

/** As GitHub makes it of a heading. */
export function anchor(heading) {
  return heading.toLowerCase().replaceAll(/[^\w-]/g, "");
}

/** A comment as one line. */
export function tidy(comment) {
  return comment
    .trim()
    .split("\n")
    .map((line) => line.trim())
    .join(" ");
}

export function firstSentence(text) {
  return /^.*?[.:](?= |$)/.exec(text)?.[0].replace(/:$/, ".") ?? text;
}

export function table(head, rows) {
  return [row(head), row(head.map(() => "---")), ...rows.map(row)].join("\n");
}

function row(cells) {
  return `| ${cells.map((cell) => String(cell).replaceAll(/(?<!\\)\|/g, "\\|")).join(" | ")} |`;
}
