// node check.mjs DASHBOARD.json WORK: says what Grafana's own types do not know about the dashboard, one
// line each, then "N panels". NODE_MODULES names the folder of the packages; WORK is an empty folder
// beside it.
import fs from "node:fs";
import path from "node:path";
import { createRequire } from "node:module";

const modules = process.env.NODE_MODULES;
const require = createRequire(path.join(modules, "x"));
const { createGenerator } = require("ts-json-schema-generator");
const Ajv = require("ajv").default;
const [dashboardFile, work] = process.argv.slice(2);

const raw = path.join(modules, "@grafana/schema/dist/types/raw");
const panel = (name) => path.join(raw, "composable", name, "panelcfg/x/types.gen");
fs.writeFileSync(
  path.join(work, "types.ts"),
  `import { Dashboard, Panel, RowPanel } from "${raw}/dashboard/x/types.gen";
   import { TableFieldOptions } from "${modules}/@grafana/schema";
   ${["stat", "table", "heatmap", "timeseries"].map((name) => `import * as ${name} from "${panel(name)}";`).join("\n")}
   export type TheDashboard = Dashboard;
   export type ThePanel = Panel;
   export type TheRow = RowPanel;
   export type statOptions = stat.Options;
   export type tableOptions = table.Options;
   export type tableField = Partial<TableFieldOptions>;
   export type heatmapOptions = heatmap.Options;
   export type heatmapField = heatmap.FieldConfig;
   export type timeseriesOptions = timeseries.Options;
   export type timeseriesField = timeseries.FieldConfig;`,
);
const compilerOptions = {
  target: "es2020", module: "esnext", moduleResolution: "bundler", skipLibCheck: true, strict: true, types: [],
  baseUrl: modules, paths: { "@grafana/schema": ["@grafana/schema"] },
};
fs.writeFileSync(path.join(work, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["types.ts"] }));

const generator = createGenerator({
  path: path.join(work, "types.ts"), tsconfig: path.join(work, "tsconfig.json"), skipTypeCheck: true,
  expose: "export", uniqueNames: true, additionalProperties: false,
});
// Strictness is about schemas; these are made by a machine.
const ajv = new Ajv({ strict: false, allErrors: true });
const judges = {};
let wrong = 0;
function judge(type, what, value) {
  judges[type] ??= ajv.compile(generator.createSchema(type));
  if (judges[type](value)) return;
  for (const error of judges[type].errors) {
    wrong += 1;
    console.log(`${what}: ${type}${error.instancePath}: ${error.message} ${JSON.stringify(error.params)}`);
  }
}

const dashboard = JSON.parse(fs.readFileSync(dashboardFile));
const { panels } = dashboard;
judge("TheDashboard", "dashboard", { ...dashboard, panels: [] });
for (const one of panels) {
  if (one.type === "row") {
    judge("TheRow", one.title, one);
    continue;
  }
  judge("ThePanel", one.title, one);
  judge(`${one.type}Options`, one.title, one.options);
  const custom = one.fieldConfig.defaults.custom;
  if (custom) judge(`${one.type}Field`, one.title, custom);
}
console.log(`${panels.length} panels`);
process.exit(wrong ? 1 : 0);
