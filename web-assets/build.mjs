// Bundle uppy.js into the folder that is named, with the licences of what is in it; print what that is.
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const [folder] = process.argv.slice(2);
const root = import.meta.dirname;

// lodash makes a program of text where it finds no global object, which every browser of today has.
const globals = {
  name: "globals",
  setup({ onLoad }) {
    onLoad({ filter: /lodash[/\\]_root\.js$/ }, () => ({ contents: "module.exports = globalThis;" }));
  },
};

const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: ["uppy.js"],
  outfile: join(folder, "uppy.js"),
  bundle: true,
  minify: true,
  charset: "utf8",
  format: "esm",
  target: ["chrome111", "firefox114", "safari16.4"],
  legalComments: "none",
  plugins: [globals],
  metafile: true,
  logLevel: "warning",
});

const [{ inputs }] = Object.values(metafile.outputs);
const bundled = new Set(Object.keys(inputs).map((path) => path.match(/node_modules\/((?:@[^/]+\/)?[^/]+)\//)?.[1]).filter(Boolean));
const about = [...bundled].sort().map((name) => {
  const place = join(root, "node_modules", name);
  const { version, license, author } = JSON.parse(readFileSync(join(place, "package.json"), "utf8"));
  const file = readdirSync(place).find((one) => /^licen[cs]e/i.test(one));
  const text = file ? readFileSync(join(place, file), "utf8").trim() : `Copyright ${author?.name ?? author}. Its package holds no text of the licence.`;
  return { name, version, license, text };
});
const written = about.map(({ name, version, license, text }) => `${name} ${version}, ${license}\n\n${text}\n`);
writeFileSync(join(folder, "uppy.licences.txt"), written.join(`\n${"-".repeat(80)}\n\n`));
console.log(JSON.stringify(Object.fromEntries(about.map(({ name, version, license }) => [name, { version, license }]))));
