// The reader: a worker with tokenizer and model, so that the page answers to keys while a text is read.

import { Tokenizer } from "./vendor/tokenizers.min.mjs";
import * as ort from "./vendor/ort.wasm.bundle.min.mjs";
import { spansOf, windowsOf } from "./spans.js";
import { tokensOf, trimmed, wholeWords } from "./words.js";

ort.env.wasm.wasmPaths = { wasm: new URL("./vendor/ort-wasm-simd-threaded.wasm", import.meta.url).href };
// More threads need headers from the server that a static site seldom has.
ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(4, navigator.hardwareConcurrency) : 1;

const ready = load();
// Told to each question as well; here it only keeps a failed load from being reported twice.
ready.then(
  (reader) => self.postMessage({ loaded: { milliseconds: reader.loading, threads: ort.env.wasm.numThreads } }),
  (error) => self.postMessage({ failed: error.message }),
);

self.onmessage = async ({ data: { number, question, text } }) => {
  try {
    self.postMessage({ number, answer: await answer(await ready, question, text) });
  } catch (error) {
    self.postMessage({ number, error: error.message });
  }
};

async function load() {
  const began = performance.now();
  const [facts, json, config] = await Promise.all(
    ["site.json", "model/tokenizer.json", "model/tokenizer_config.json"].map(fetched),
  );
  const session = await ort.InferenceSession.create(new URL(facts.file, import.meta.url).href, {
    executionProviders: ["wasm"],
    externalData: facts.weights.map((path) => ({
      path: path.split("/").at(-1),
      data: new URL(path, import.meta.url).href,
    })),
  });
  return { facts, session, tokenizer: new Tokenizer(json, config), loading: performance.now() - began };
}

async function fetched(path) {
  const response = await fetch(new URL(path, import.meta.url));
  if (!response.ok) throw new Error(`${path} must be on the site: the server said ${response.status}.`);
  return response.json();
}

async function answer({ facts, session, tokenizer }, question, text) {
  const began = performance.now();
  const asked = tokensOf(tokenizer, question);
  const read = tokensOf(tokenizer, text);
  if (asked.ids.length === 0) throw new Error("Type a question first.");
  if (read.ids.length === 0) throw new Error("Type a text first.");
  const windows = windowsOf(asked.ids, read.ids, facts);
  const rows = [];
  for (const window of windows) rows.push({ window, ...(await run(session, facts, window)) });
  const { spans, none } = spansOf(rows, facts.longestAnswer);
  const found = firstSpan(spans, read.offsets, text, facts.wholeWords ? wholeWords : trimmed);
  if (found === undefined) throw new Error("The text has no words that the model can read.");
  const impossible = facts.mayBeImpossible && none - facts.noAnswerThreshold > found.log;
  const { start, end, log } = impossible ? { start: 0, end: 0, log: none } : found;
  return {
    start,
    end,
    text: text.slice(start, end),
    score: Math.exp(log),
    noAnswer: Math.exp(none),
    tokens: asked.ids.length + read.ids.length,
    windows: windows.length,
    milliseconds: performance.now() - began,
  };
}

function firstSpan(spans, offsets, text, placed) {
  for (const { first, last, log } of spans) {
    const [start, end] = placed(text, offsets[first][0], offsets[last][1]);
    if (start < end && Number.isFinite(log)) return { start, end, log };
  }
  return undefined;
}

async function run(session, facts, { ids, types }) {
  const values = { input_ids: ids, attention_mask: ids.map(() => 1), token_type_ids: types };
  const feeds = Object.fromEntries(
    facts.inputs.map(({ name, dtype }) => [
      name,
      dtype === "int32"
        ? new ort.Tensor("int32", Int32Array.from(values[name]), [1, ids.length])
        : new ort.Tensor("int64", BigInt64Array.from(values[name], BigInt), [1, ids.length]),
    ]),
  );
  const outputs = await session.run(feeds);
  return { start: outputs.start_logits.data, end: outputs.end_logits.data };
}
