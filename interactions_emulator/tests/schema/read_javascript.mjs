// Prints the names that an installed @google/genai knows, as JSON in the form of read_python.py.
// Usage: node read_javascript.mjs <folder with node_modules>. It reads the types and the paths of the package.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const folder = process.argv[2];
const ts = createRequire(join(folder, "package.json"))("typescript");
const home = join(folder, "node_modules", "@google", "genai");

const ROOTS = [
  "CreateModelInteraction",
  "CreateAgentInteraction",
  "Interaction",
  "InteractionSSEEvent",
  "GetInteractionByIdRequest",
];
const RENAMED = { GetInteractionByIdRequest: "GetInteractionByIDRequest", FunctionT: "Function", ErrorT: "Error" };
const DISCRIMINATORS = ["type", "event_type"];

const source = ts.createSourceFile("genai.d.ts", readFileSync(join(home, "dist", "genai.d.ts"), "utf8"), ts.ScriptTarget.Latest, true);
const declared = new Map();
for (const statement of source.statements) {
  if (ts.isTypeAliasDeclaration(statement)) declared.set(statement.name.text, statement);
}

const classes = {};
const unions = {};

// The bundler renames types whose names clash: Tool to Tool_2, Step to Step$.
function plain(name) {
  const stripped = name.replace(/(_\d+|\$\d*)$/, "");
  return RENAMED[stripped] ?? stripped;
}

// Collect the types in a node, and return the values of its literals.
function read(node, name) {
  if (ts.isTypeLiteralNode(node)) {
    if (name) readClass(node, name);
    return [];
  }
  if (ts.isLiteralTypeNode(node)) return ts.isStringLiteral(node.literal) ? [node.literal.text] : [];
  if (ts.isUnionTypeNode(node)) {
    const values = node.types.flatMap((type) => read(type));
    if (name) readUnion(node, name);
    return values;
  }
  if (ts.isTypeReferenceNode(node)) {
    if (node.typeArguments) return node.typeArguments.flatMap((type) => read(type));
    const target = ts.isQualifiedName(node.typeName) ? node.typeName.right.text : node.typeName.text;
    const found = declared.get(target);
    return found ? read(found.type, target) : [];
  }
  return ts.isArrayTypeNode(node) ? read(node.elementType) : [];
}

function readClass(node, name) {
  if (plain(name) in classes) return;
  const fields = (classes[plain(name)] = {});
  for (const member of node.members) {
    if (ts.isPropertySignature(member)) {
      const key = member.name.text;
      fields[key] = [...new Set(read(member.type))].sort();
    }
  }
}

function readUnion(node, name) {
  const members = {};
  for (const type of node.types) {
    const target = ts.isTypeReferenceNode(type) && plain(type.typeName.text ?? type.typeName.right.text);
    const discriminator = target && target in classes && DISCRIMINATORS.find((key) => classes[target][key]?.length === 1);
    if (discriminator) members[classes[target][discriminator][0]] = target;
  }
  if (Object.keys(members).length) unions[plain(name)] = members;
}

function endpoints() {
  const code = readFileSync(join(home, "dist", "index.mjs"), "utf8");
  const found = new Set();
  for (const [, path, verb] of code.matchAll(/pathToFunc\("([^"]+)"\)\(pathParams\)[\s\S]*?method: "(\w+)"/g)) {
    found.add(`${verb} ${plainPath(path)}`);
  }
  // The last path before a verb is the one of the Gemini API; the one before it, if any, is for Vertex AI.
  let path = "";
  for (const [, assigned, verb] of code.matchAll(/path = formatMap\('([^']+)'|httpMethod: '(\w+)'/g)) {
    // `{name}` alone may be anything here; read_python.py knows what it stands for.
    if (path && verb && !/^(upload\/\{api_version\}\/)?\{/.test(path)) found.add(`${verb} ${plainPath(path)}`);
    path = assigned ?? "";
  }
  return [...found].sort();
}

function plainPath(path) {
  const unversioned = `/${path.replace(/^\//, "")}`.replace("{api_version}/", "").replace(/\?.*/, "");
  return unversioned.replace(/\{[^}]*\}/g, "{}");
}

for (const root of ROOTS) read(declared.get(root).type, root);
const { version } = JSON.parse(readFileSync(join(home, "package.json"), "utf8"));
console.log(JSON.stringify({ version, classes, unions, endpoints: endpoints() }));
