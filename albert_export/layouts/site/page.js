// The page: what is typed goes to the reader, what it answers is shown and marked in the text.

const byId = (id) => document.getElementById(id);
// A worker from an address follows the rules that its server sends along, one from a blob those of this page: that it may
// ask no other server for anything.
const start = `import ${JSON.stringify(new URL("./reader.js", import.meta.url).href)};`;
const reader = new Worker(URL.createObjectURL(new Blob([start], { type: "text/javascript" })), { type: "module" });
const form = byId("form");
const text = byId("text");
const question = byId("question");
let facts;
let number = 0;
let asked;
let failed = "";

tell("Loading the model…");
show();

async function show() {
  const response = await fetch("site.json");
  if (!response.ok) return fail(`site.json must be on the site: the server said ${response.status}.`);
  facts = await response.json();
  byId("name").textContent = facts.name;
  text.value = facts.example.text;
  for (const example of facts.example.questions) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = example;
    button.addEventListener("click", () => {
      text.value = facts.example.text;
      question.value = example;
      form.requestSubmit();
    });
    byId("examples").append(button);
  }
  list(byId("facts"), facts.facts);
  // A link can bring a question along, and a text: #question=Where does she live?
  const linked = new URLSearchParams(location.hash.slice(1));
  if (linked.has("text")) text.value = linked.get("text");
  if (linked.has("question")) {
    question.value = linked.get("question");
    form.requestSubmit();
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (failed) return fail(failed);
  // The newest question counts: an answer to an older one is not shown.
  number += 1;
  asked = text.value;
  busy(true);
  byId("problem").hidden = true;
  tell("Reading…");
  reader.postMessage({ number, question: question.value, text: asked });
});

text.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
});

reader.onerror = (event) => fail((failed = event.message || "The reader could not be started."));
reader.onmessage = ({ data }) => {
  if (data.failed !== undefined) return fail((failed = `The model could not be loaded: ${data.failed}`));
  if (data.loaded !== undefined) {
    document.documentElement.dataset.loaded = "";
    if (number === 0) tell(`Ready: the model was loaded in ${time(data.loaded.milliseconds)}.`);
    return undefined;
  }
  if (data.number !== number || failed) return undefined;
  busy(false);
  if (data.error !== undefined) return fail(data.error);
  return answered(data.answer);
};

function answered(answer) {
  const none = answer.start === answer.end;
  const shown = none ? "The text does not say." : answer.text;
  // The line of the status is always there: what changes in it is read aloud.
  tell(none ? shown : `Answer: ${shown}`);
  byId("answer").textContent = shown;
  const mark = document.createElement("mark");
  mark.textContent = answer.text;
  byId("marked").replaceChildren(asked.slice(0, answer.start), ...(none ? [] : [mark]), asked.slice(answer.end));
  list(byId("measured"), [
    ["Probability", answer.score.toFixed(3)],
    ...(facts.mayBeImpossible ? [["Of no answer", answer.noAnswer.toFixed(3)]] : []),
    ["Time", time(answer.milliseconds)],
    ["Read", `${answer.tokens} tokens${answer.windows > 1 ? ` in ${answer.windows} windows` : ""}`],
  ]);
  byId("result").hidden = false;
  // For programs that look at the page.
  Object.assign(byId("result").dataset, { number, answer: JSON.stringify(answer) });
}

function fail(message) {
  tell("");
  busy(false);
  byId("result").hidden = true;
  byId("problem").textContent = message;
  byId("problem").hidden = false;
}

// A button that is disabled would lose the focus of whoever pressed it by key.
function busy(is) {
  byId("ask").setAttribute("aria-disabled", String(is));
}

function tell(message) {
  byId("status").textContent = message;
}

function list(target, pairs) {
  target.replaceChildren(
    ...pairs.flatMap(([name, value]) => {
      const [term, told] = [document.createElement("dt"), document.createElement("dd")];
      term.textContent = name;
      told.textContent = value;
      return [term, told];
    }),
  );
}

function time(milliseconds) {
  return milliseconds < 1000 ? `${milliseconds.toFixed(milliseconds < 10 ? 1 : 0)} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
}
