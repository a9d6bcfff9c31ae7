// From start and end logits to the best answer: what albert_export.pipelines.spans does, in float64 as there.

/**
 * Rows for the model: question and text, a long text in overlapping windows.
 *
 * @param {number[]} question Ids.
 * @param {number[]} text Ids.
 * @param {{cls: number, sep: number, longest: number, overlap: number, longestAnswer: number}} form Ids around the
 *   texts; most tokens of a row, how many of the text's a row shares with the next, and most of an answer.
 * @returns {{ids: number[], types: number[], first: number, begin: number, count: number}[]} `first` is the number of
 *   the window's first token in the text, `begin` its place in the row, `count` how many there are.
 */
export function windowsOf(question, text, { cls, sep, longest, overlap, longestAnswer }) {
  const room = longest - question.length - 3;
  if (text.length > room && room < Math.max(2, longestAnswer))
    throw new Error(`The question is too long: it leaves no room for the text within ${longest} tokens.`);
  const starts = [0];
  if (text.length > room) {
    const step = room - Math.min(overlap, Math.floor(room / 2));
    for (let start = step; start < text.length - room + step; start += step) starts.push(start);
  }
  return starts.map((first) => {
    const part = text.slice(first, first + room);
    const before = [cls, ...question, sep];
    const ids = [...before, ...part, sep];
    const types = ids.map((_, place) => (place < before.length ? 0 : 1));
    return { ids, types, first, begin: before.length, count: part.length };
  });
}

/**
 * The spans of all windows, scored against each other, the best first; of equals the earlier, then the shorter.
 *
 * @param {{window: {first: number, begin: number, count: number}, start: Float32Array, end: Float32Array}[]} rows
 * @param {number} most Most tokens of an answer.
 * @returns {{spans: {first: number, last: number, log: number}[], none: number}} Natural logarithms of probabilities;
 *   `none` is that of no answer.
 */
export function spansOf(rows, most) {
  const null_ = rows.reduce((least, row) => (row.start[0] + row.end[0] < least.start[0] + least.end[0] ? row : least));
  const logStarts = logTotal(rows.map(({ window, start }) => part(start, window)), null_.start[0]);
  const logEnds = logTotal(rows.map(({ window, end }) => part(end, window)), null_.end[0]);
  const spans = [];
  for (const { window, start, end } of rows) {
    const [starts, ends] = [part(start, window), part(end, window)];
    for (let first = 0; first < window.count; first++)
      for (let last = first; last < Math.min(window.count, first + most); last++)
        spans.push({
          first: window.first + first,
          last: window.first + last,
          log: starts[first] - logStarts + (ends[last] - logEnds),
        });
  }
  spans.sort((a, b) => b.log - a.log || a.first - b.first || a.last - b.last);
  return { spans, none: null_.start[0] - logStarts + (null_.end[0] - logEnds) };
}

function part(logits, { begin, count }) {
  return logits.slice(begin, begin + count);
}

function logTotal(parts, none) {
  let peak = none;
  for (const logits of parts) for (const logit of logits) peak = Math.max(peak, logit);
  let sum = Math.exp(none - peak);
  for (const logits of parts) for (const logit of logits) sum += Math.exp(logit - peak);
  return peak + Math.log(sum);
}
