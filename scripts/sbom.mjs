/**
 * npm run sbom: prints a software bill of materials (CycloneDX 1.5, JSON) of what an installation may bring along, from the
 * lock file. npm's own `npm sbom --omit dev` leaves out what a development tool can use too (yaml, @webgpu/types).
 */
import { readFileSync } from "node:fs";
import { thirdParty } from "./licences.mjs";

const { name, version, license, description } = JSON.parse(
  readFileSync(new URL("../package.json", import.meta.url), "utf8"),
);

/** A package's address by the purl specification. */
const purl = (one) => `pkg:npm/${one.name.replace("@", "%40")}@${one.version}`;

/** `sha512-BASE64` as CycloneDX writes hashes. */
const hashes = (integrity) => [
  { alg: "SHA-512", content: Buffer.from(integrity.slice("sha512-".length), "base64").toString("hex") },
];

const component = (one) => ({
  type: "library",
  "bom-ref": `${one.name}@${one.version}`,
  name: one.name,
  version: one.version,
  scope: one.optional ? "optional" : "required",
  purl: purl(one),
  licenses: one.licence.includes(" ") ? [{ expression: one.licence }] : [{ license: { id: one.licence } }],
  hashes: hashes(one.integrity),
});

const BILL = {
  $schema: "http://cyclonedx.org/schema/bom-1.5.schema.json",
  bomFormat: "CycloneDX",
  specVersion: "1.5",
  version: 1,
  metadata: {
    component: {
      type: "application",
      "bom-ref": `${name}@${version}`,
      ...{ name, version, description, purl: purl({ name, version }) },
      licenses: [{ license: { id: license } }],
    },
  },
  components: thirdParty().map(component),
};
console.log(JSON.stringify(BILL, null, 2));
