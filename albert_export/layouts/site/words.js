// Texts as tokens that know their characters, and the words of a text: what albert_export.pipelines.{encoding,words} do.

// Scripts written without spaces between words, by the ranges of their letters: there a run of letters is no word.
const NO_SPACES = [
  [0x0e00, 0x0eff], // Thai, Lao
  [0x1000, 0x109f], // Myanmar
  [0x1780, 0x17ff], // Khmer
  [0x2e80, 0x9fff], // CJK radicals, kana, bopomofo, ideographs and extension A
  [0xf900, 0xfaff], // CJK compatibility ideographs
  [0xff66, 0xff9f], // halfwidth kana
  [0x20000, 0x3ffff], // CJK extensions B and later
];
const IN_WORD = /^[\p{L}\p{N}\p{Mn}\p{Mc}]$/u;
const SPACE = /^\s$/u;
// What tokenizers cut before they look words up: SentencePiece at white space, WordPiece (BERT) at signs and ideographs too.
const BETWEEN_SPACES = /\S+/gu;
const AS_BERT =
  /\[(?:PAD|UNK|CLS|SEP|MASK)\]|[!-\/:-@\[-`{-~]|\p{P}|\p{Script=Han}|[^\s!-\/:-@\[-`{-~\p{P}\p{Script=Han}]+/gu;
// A letter with the marks that stand behind it: they change together.
const WITH_MARKS = /\P{M}\p{M}*|\p{M}+/gu;
// The mark that SentencePiece puts before a word.
const META = "\u2581";

/**
 * Tokens of a text, each with the characters it stands for.
 *
 * Tokenizers cut each word into tokens by itself: so is each encoded here.
 *
 * @param {import("@huggingface/tokenizers").Tokenizer} tokenizer
 * @param {string} text
 * @returns {{ids: number[], offsets: [number, number][]}} Offsets count UTF-16 units, as strings do.
 */
export function tokensOf(tokenizer, text) {
  const ids = [];
  const offsets = [];
  const pieces = tokenizer.tokenizer.model.continuing_subword_prefix;
  for (const { 0: word, index } of text.matchAll(pieces ? AS_BERT : BETWEEN_SPACES)) {
    const encoded = tokenizer.encode(word, { add_special_tokens: false });
    ids.push(...encoded.ids);
    const places = placesOf(tokenizer, word, encoded.tokens);
    // The mark of the first word alone stands for its first character; of others, for the space before them.
    if (index === 0 && encoded.tokens[0] === META) places[0] = [0, word.match(WITH_MARKS)[0].length];
    for (const [start, end] of places) offsets.push([index + start, index + end]);
  }
  if (!pieces && ids.length > 0 && SPACE.test(text.at(-1))) {
    // White space at the end is a word of nothing.
    ids.push(tokenizer.token_to_id(META));
    offsets.push([text.length, text.length]);
  }
  return { ids, offsets };
}

function placesOf(tokenizer, word, tokens) {
  // Which character of the word each character of its normal form comes from.
  const origin = [];
  let normal = "";
  for (const { 0: character, index: at } of word.matchAll(WITH_MARKS)) {
    const form = tokenizer.normalizer ? tokenizer.normalizer(character) : character;
    for (let unit = 0; unit < form.length; unit++) origin.push([at, at + character.length]);
    normal += form;
  }
  const texts = tokens.map((token) => bare(token, tokenizer));
  // Where characters change together, such as two grave accents for a quotation mark, the word is told as a whole.
  if (texts.join("") !== normal.replaceAll(/\s/gu, "")) return tokens.map(() => [0, word.length]);
  const visible = origin.filter((_, unit) => !SPACE.test(normal[unit]));
  let unit = 0;
  return texts.map((text) => {
    if (text === "") return [visible[unit]?.[0] ?? word.length, visible[unit]?.[0] ?? word.length];
    const place = [visible[unit][0], visible[unit + text.length - 1][1]];
    unit += text.length;
    return place;
  });
}

/** The characters of a token, without what marks where a word begins or goes on. */
function bare(token, { tokenizer: { model } }) {
  const inside = model.continuing_subword_prefix;
  return inside && token.startsWith(inside) ? token.slice(inside.length) : token.replaceAll(META, "");
}

/** Take white space off both ends of [start, end). */
export function trimmed(text, start, end) {
  while (start < end && SPACE.test(text[start])) start++;
  while (start < end && SPACE.test(text[end - 1])) end--;
  return [start, end];
}

/** Widen [start, end) to whole words, and take white space off its ends. */
export function wholeWords(text, first, last) {
  let [start, end] = trimmed(text, first, last);
  if (start === end) return [start, end];
  for (let before; start > 0 && inWord((before = characterBefore(text, start))) && inWord(characterAt(text, start)); )
    start -= before.length;
  for (let next; end < text.length && inWord(characterBefore(text, end)) && inWord((next = characterAt(text, end))); )
    end += next.length;
  return [start, end];
}

function characterAt(text, at) {
  return String.fromCodePoint(text.codePointAt(at));
}

function characterBefore(text, at) {
  const low = text.charCodeAt(at - 1);
  return at > 1 && low >= 0xdc00 && low <= 0xdfff ? text.slice(at - 2, at) : text[at - 1];
}

function inWord(character) {
  const code = character.codePointAt(0);
  return IN_WORD.test(character) && !NO_SPACES.some(([low, high]) => low <= code && code <= high);
}
