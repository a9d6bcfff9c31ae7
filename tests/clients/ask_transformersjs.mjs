// Answer with layouts for transformers.js in Node. What it reads and prints: clients.py.
//
// Usage: node ask_transformersjs.mjs NODE_ENVIRONMENT < JOBS
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { answers } from "./answers.mjs";

const installed = createRequire(resolve(process.argv[2], "package.json"));
const transformers = await import(pathToFileURL(installed.resolve("@huggingface/transformers")));
const found = [];
for (const job of JSON.parse(readFileSync(0, "utf-8"))) found.push(await answers(transformers, job));
console.log(JSON.stringify(found));
