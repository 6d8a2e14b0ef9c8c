// Bundles the third-party browser modules into static/vendor/, once per lock file,
// with their licences. Run by build.py; run it alone after `npm ci` in static/.

import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const top = dirname(here);
const out = join(top, "vendor");

/** Gives y-codemirror.next a DOM that honours the Content-Security-Policy. */
const styleByProperty = {
  name: "style-by-property",
  setup({ onResolve }) {
    onResolve({ filter: /^lib0\/dom$/ }, ({ importer }) =>
      importer.includes("y-codemirror.next") ? { path: join(here, "dom.js") } : null,
    );
  },
};

/** The folders of the packages that ended up in the bundles, sorted. */
function packagesIn(metafile) {
  const found = new Set();
  for (const input of Object.keys(metafile.inputs)) {
    const match = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input);
    if (match) found.add(match[1]);
  }
  return [...found].sort();
}

/** One package's name, version and licence text. */
function licence(folder) {
  const path = join(top, folder);
  const { name, version, license } = JSON.parse(
    readFileSync(join(path, "package.json"), "utf8"),
  );
  const files = readdirSync(path).filter((file) => /^(licen[cs]e|notice)/i.test(file));
  const texts = files.map((file) => readFileSync(join(path, file), "utf8").trim());
  const text = texts.join("\n\n") || "(The package carries no licence text.)";
  return `${name} ${version} (${license})\n\n${text}\n`;
}

/** Socket.IO's client as its authors built it: what a page's bare io() is. */
const SOCKET_IO = "node_modules/socket.io-client";
const SOCKET_IO_FILES = ["socket.io.js", "socket.io.min.js", "socket.io.esm.min.js"];

function copySocketIo() {
  const folder = join(out, "socket.io");
  mkdirSync(folder, { recursive: true });
  for (const file of SOCKET_IO_FILES.flatMap((name) => [name, `${name}.map`])) {
    copyFileSync(join(top, SOCKET_IO, "dist", file), join(folder, file));
    console.log(`  static/vendor/socket.io/${file}`);
  }
}

/** Its packages, which carry no trace in what esbuild bundled. */
function packagesOfSocketIo() {
  const found = new Set();
  const visit = (name) => {
    const folder = `node_modules/${name}`;
    if (found.has(folder)) return;
    found.add(folder);
    const words = JSON.parse(readFileSync(join(top, folder, "package.json"), "utf8"));
    Object.keys(words.dependencies ?? {}).forEach(visit);
  };
  visit("socket.io-client");
  return [...found];
}

/** Two copies of Yjs refuse each other's types, so the build does too. */
function refuseTwice(folders) {
  const names = folders.map((folder) => folder.replace(/^.*node_modules\//, ""));
  const twice = names.filter((name, at) => names.indexOf(name) !== at);
  if (twice.length > 0) throw new Error(`bundled twice: ${twice.join(", ")}`);
}

const { metafile } = await build({
  absWorkingDir: top,
  bundle: true,
  entryPoints: ["vendor-src/charts.js", "vendor-src/notes.js"],
  format: "esm",
  logLevel: "warning",
  metafile: true,
  minify: true,
  outdir: out,
  platform: "browser",
  plugins: [styleByProperty],
  target: "es2022",
});
const bundled = packagesIn(metafile);
refuseTwice(bundled);

if (!existsSync(out)) mkdirSync(out);
copySocketIo();
const folders = [...new Set([...bundled, ...packagesOfSocketIo()])].sort();
const rule = `\n${"-".repeat(78)}\n\n`;
writeFileSync(join(out, "LICENSES.txt"), folders.map(licence).join(rule));
for (const [file, { bytes }] of Object.entries(metafile.outputs))
  console.log(`  static/${file}  ${Math.round(bytes / 1000)} kB`);
