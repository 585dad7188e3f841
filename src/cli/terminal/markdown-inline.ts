import { createStyle, type Style } from "./style.ts";

/** One line of Markdown without its block marks: emphasis, code, links. What is not closed in the line stays as it is. */
export function inlineMarkdown(text: string, style: Style): string {
  return text.replace(INLINE, (whole: string, ...found: unknown[]) => {
    const { escaped, code, strong, strongLow, gone, em, emLow, label, url, auto } = found.at(-1) as Found;
    if (escaped !== undefined) return escaped;
    if (code !== undefined) return style.cyan(code.replace(/^ (.*[^ ].*) $/, "$1"));
    const bold = strong ?? strongLow;
    if (bold !== undefined) return style.bold(inlineMarkdown(bold, style));
    if (gone !== undefined) return style.dim(inlineMarkdown(gone, style));
    const leaning = em ?? emLow;
    if (leaning !== undefined) return style.italic(inlineMarkdown(leaning, style));
    if (url !== undefined) return link(inlineMarkdown(label ?? "", style), label ?? "", url, style);
    if (auto !== undefined) return style.underline(auto);
    return whole;
  });
}

/** The same without any colour: as long as it is shown. */
export function plainMarkdown(text: string): string {
  return inlineMarkdown(text, NO_STYLE);
}

const NO_STYLE = createStyle(false);

/** A link whose words and address differ shows both: what one would open is never hidden. */
function link(shown: string, label: string, url: string, style: Style): string {
  return label === "" || label === url ? style.underline(url) : `${style.underline(shown)} ${style.dim(`(${url})`)}`;
}

type Found = Readonly<
  Partial<
    Record<"escaped" | "code" | "strong" | "strongLow" | "gone" | "em" | "emLow" | "label" | "url" | "auto", string>
  >
>;

// An underscore inside a word is no mark, as in snake_case and __init__.py; a star with a space beside it is a bullet or a product.
const INLINE = new RegExp(
  [
    String.raw`\\(?<escaped>[!-/:-@[-\u0060{-~])`,
    String.raw`(?<ticks>\u0060+)(?!\u0060)(?<code>.+?)(?<!\u0060)\k<ticks>(?!\u0060)`,
    String.raw`\*\*(?=\S)(?<strong>.+?)(?<=\S)\*\*`,
    String.raw`(?<![\p{L}\p{N}_])__(?=\S)(?<strongLow>.+?)(?<=\S)__(?![.(]?[\p{L}\p{N}_)])`,
    String.raw`~~(?=\S)(?<gone>.+?)(?<=\S)~~`,
    String.raw`\*(?=[^\s*])(?<em>[^*]*?[^\s*])\*`,
    String.raw`(?<![\p{L}\p{N}_])_(?=[^\s_])(?<emLow>[^_]*?[^\s_])_(?![\p{L}\p{N}_])`,
    String.raw`!?\[(?<label>[^\]]*)\]\((?<url>[^\s()]+(?:\([^\s()]*\)[^\s()]*)?)(?:\s+"[^"]*")?\)`,
    String.raw`<(?<auto>https?://[^\s<>]+)>`,
  ].join("|"),
  "gu",
);
