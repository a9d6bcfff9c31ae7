// What transformers.js answers, in the form of questions.py: the same lines in Node and in a browser.

const ASK = {
  "question-answering": async (ask, { question, context }) => {
    const { answer, score } = await ask(question, context);
    return { text: answer, score };
  },
  "text-classification": async (ask, { text }) => {
    const labels = await ask(text, { top_k: null });
    return { scores: Object.fromEntries(labels.map(({ label, score }) => [label, score])) };
  },
  "token-classification": async (ask, { text }) => {
    const tokens = await ask(text, { ignore_labels: [] });
    return { labels: tokens.map(({ entity }) => entity), scores: tokens.map(({ score }) => score) };
  },
  "fill-mask": async (ask, { text }) => {
    const fills = await ask(text, { top_k: 5 });
    return { tokens: fills.map((fill) => fill.token_str), scores: fills.map(({ score }) => score) };
  },
  "feature-extraction": async (ask, { text }) => {
    const vectors = await ask(text, { pooling: "mean", normalize: true });
    return { vector: vectors.tolist()[0] };
  },
};

const DTYPES = { fp32: "fp32", fp16: "fp16", int8: "q8" };

// A job's directory is a path in Node, and an address in a browser; its last part is the model's name.
export async function answers({ env, pipeline }, { directory, task, precision, records }) {
  const [, parent, name] = directory.match(/^(.*\/)([^/]+)$/);
  Object.assign(env, { allowRemoteModels: false, allowLocalModels: true, localModelPath: parent });
  // Browsers take q8 where no dtype is named: the one that the layout's file name is made for.
  const unnamed = precision === "int8" && typeof window !== "undefined";
  const ask = await pipeline(task, name, unnamed ? {} : { dtype: DTYPES[precision] });
  const found = [];
  for (const record of records) found.push(await ASK[task](ask, record));
  await ask.dispose();
  return found;
}
