// The same job for programs: with curl, on the command line, in Python, and without a server.

const TOKEN = "MEDIAMILL_TOKEN";

// What each is written as, by its kind; `names` are those of the files, null where not all are known.
export function programs(body, origin, names) {
  const step = body.steps?.length === 1 ? body.steps[0] : null;
  return {
    curl: curl(body, origin),
    command: command(body, origin),
    python: python(body, origin),
    alone: step && names ? alone(step, names, body.seed) : null,
  };
}

const quoted = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
const json = (value) => JSON.stringify(value, null, 2);

function curl(body, origin) {
  return `curl -s ${quoted(`${origin}/v1/jobs`)} \\\n  -H "Authorization: Bearer $${TOKEN}" \\\n  --json ${quoted(json(body))}`;
}

function command(body, origin) {
  const { files = [], steps, template, variables = {}, notify, ...rest } = body;
  const words = [...files, ...Object.entries(rest).flatMap(([name, value]) => option(name, value))];
  if (template) words.push(`--template ${quoted(template)}`);
  for (const [name, value] of Object.entries(variables)) words.push(`--set ${quoted(`${name}=${typeof value === "string" ? value : JSON.stringify(value)}`)}`);
  if (notify) words.push(notify.email ? "--notify" : "--no-notify");
  if (steps) words.push("--steps -");
  const line = ["mediamill jobs submit", ...words, "--wait"].join(" \\\n  ");
  const there = `export MEDIAMILL_SERVER=${quoted(origin)}\n`;
  return steps ? `${there}${line} <<'STEPS'\n${json(steps)}\nSTEPS` : `${there}${line}`;
}

function option(name, value) {
  if (name === "reuse") return value ? [] : ["--no-reuse"];
  if (name === "members") return value.map((one) => `--members ${quoted(one)}`);
  const flag = `--${name.replaceAll("_", "-")}`;
  return value === true ? [flag] : [`${flag} ${quoted(String(value))}`];
}

function python(body, origin) {
  return [
    "import os", "", "import httpx", "",
    "answer = httpx.post(",
    `    ${JSON.stringify(`${origin}/v1/jobs`)},`,
    `    headers={"Authorization": f"Bearer {os.environ['${TOKEN}']}"},`,
    `    json=${literal(body, "    ")},`,
    ")",
    "answer.raise_for_status()",
    'print(answer.json()["id"])',
  ].join("\n");
}

// A value of JSON as Python writes it.
function literal(value, indent) {
  const inner = `${indent}    `;
  const lines = (open, parts, close) => (parts.length ? `${open}\n${parts.map((one) => `${inner}${one},\n`).join("")}${indent}${close}` : `${open}${close}`);
  if (Array.isArray(value)) return lines("[", value.map((one) => literal(one, inner)), "]");
  if (value && typeof value === "object") return lines("{", Object.entries(value).map(([name, one]) => `${JSON.stringify(name)}: ${literal(one, inner)}`), "}");
  return { true: "True", false: "False", null: "None" }[String(value)] && typeof value !== "string"
    ? { true: "True", false: "False", null: "None" }[String(value)] : JSON.stringify(value);
}

function alone({ operation, parameters }, names, seed) {
  const words = Object.entries(parameters).filter(([, value]) => value !== null).map(([name, value]) => local(`--${name.replaceAll("_", "-")}`, value));
  if (seed !== undefined) words.push(`--seed ${seed}`);
  return [`mediamill run ${operation}`, ...names.map(quoted), ...words, "-o results/"].join(" \\\n  ");
}

function local(flag, value) {
  if (typeof value === "boolean") return value ? flag : flag.replace("--", "--no-");
  const text = Array.isArray(value) ? value.join(",") : typeof value === "object" ? JSON.stringify(value) : String(value);
  return `${flag}=${quoted(text)}`;
}
