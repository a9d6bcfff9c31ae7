// What ONNX Runtime computes, from the package onnxruntime-node or onnxruntime-web.

export async function outputs(ort, { file, records }) {
  const session = await ort.InferenceSession.create(file);
  const found = [];
  for (const record of records) {
    const inputs = Object.fromEntries(Object.entries(record).map(([name, rows]) => [name, tensor(ort, rows)]));
    const run = await session.run(inputs);
    const told = await Promise.all(Object.entries(run).map(async ([name, one]) => [name, nested(await one.getData(), one.dims)]));
    found.push(Object.fromEntries(told));
  }
  await session.release();
  return found;
}

function tensor(ort, rows) {
  const dims = [];
  for (let part = rows; Array.isArray(part); part = part[0]) dims.push(part.length);
  return new ort.Tensor("int64", BigInt64Array.from(rows.flat(Infinity), BigInt), dims);
}

function nested(data, dims) {
  if (dims.length === 1) return Array.from(data, Number);
  const size = data.length / dims[0];
  return Array.from({ length: dims[0] }, (_, i) => nested(data.subarray(i * size, (i + 1) * size), dims.slice(1)));
}
