// Run plain ONNX files in onnxruntime-node. What it reads and prints: clients.py.
//
// Usage: node ask_onnxruntime.mjs NODE_ENVIRONMENT < JOBS
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { outputs } from "./sessions.mjs";

const installed = createRequire(resolve(process.argv[2], "package.json"));
const found = [];
for (const job of JSON.parse(readFileSync(0, "utf-8"))) found.push(await outputs(installed("onnxruntime-node"), job));
console.log(JSON.stringify(found));
