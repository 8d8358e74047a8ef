import { MicroError } from "@microts/core";
import { parseAddress } from "@microts/core/rpc";
import type { Node, ServiceEntry, Value } from "./driver.ts";

const maxNameBytes = 255;
const maxEndpoints = 1_000;
const maxNodes = 1_000;
const maxMetadata = 200;
const maxMetadataBytes = 64 * 1024;
/** Of all endpoint schemas of an entry together. */
const maxValues = 50_000;
const maxValueDepth = 32;

const serviceName = /^[A-Za-z0-9_][A-Za-z0-9._-]*$/;
const endpointName = /^[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)?$/;
const printable = /^[^\p{Cc}\p{Cs}]+$/u;

/** Throws 400 unless a service may have the name: letters, digits, `_`, `-` and `.`, at most 255. */
export function checkServiceName(name: string, id: string): string {
  if (name === "") throw MicroError.badRequest(id, "the service's name is missing");
  if (name.length > maxNameBytes || !serviceName.test(name)) {
    throw MicroError.badRequest(
      id,
      `${JSON.stringify(name.slice(0, 100))} can't be a service's name: use letters, digits, "-", "_" and ".", at most ${maxNameBytes}`,
    );
  }
  return name;
}

/** Throws 400 unless it can be a domain: printable text of at most 255 bytes. */
export function checkDomain(domain: string, id: string): string {
  if (!printable.test(domain) || Buffer.byteLength(domain) > maxNameBytes) {
    throw MicroError.badRequest(
      id,
      `${JSON.stringify(domain.slice(0, 100))} can't be a domain: expected a namespace's name`,
    );
  }
  return domain;
}

/** Throws 400 naming the first thing that is wrong with an entry. */
export function checkEntry(entry: ServiceEntry, id: string): void {
  checkServiceName(entry.name, id);
  const of = `of service "${entry.name}"`;
  if (!printable.test(entry.version) || Buffer.byteLength(entry.version) > maxNameBytes) {
    throw MicroError.badRequest(id, `the version ${of} is empty, too long or not printable`);
  }
  checkMetadata(entry.metadata, of, id);
  checkCount(entry.nodes.length, maxNodes, `nodes ${of}`, id);
  checkCount(entry.endpoints.length, maxEndpoints, `endpoints ${of}`, id);
  for (const node of entry.nodes) checkNode(node, of, id);
  checkEndpoints(entry, of, id);
}

function checkEndpoints({ endpoints }: ServiceEntry, of: string, id: string): void {
  let values = 0;
  for (const { name, request, response, metadata } of endpoints) {
    if (name.length > maxNameBytes || !endpointName.test(name)) {
      throw MicroError.badRequest(
        id,
        `${JSON.stringify(name.slice(0, 100))} can't be an endpoint ${of}: expected Handler.Method`,
      );
    }
    checkMetadata(metadata, `of endpoint ${name} ${of}`, id);
    for (const value of [request, response])
      if (value !== undefined) values += countValues(value, 1, `endpoint ${name} ${of}`, id);
    checkCount(values, maxValues, `fields in the endpoints ${of}`, id);
  }
}

function checkNode({ id: nodeId, address, metadata }: Node, of: string, id: string): void {
  if (!printable.test(nodeId) || Buffer.byteLength(nodeId) > maxNameBytes) {
    throw MicroError.badRequest(id, `a node ${of} has an id that is empty, too long or not printable`);
  }
  checkMetadata(metadata, `of node "${nodeId}" ${of}`, id);
  checkAddress(address, `node "${nodeId}" ${of}`, id);
}

/** Hosts no service can be reached at, or must not be: unspecified, link-local (cloud metadata lives there) and multicast. */
const refusedHosts = [/^0\.0\.0\.0$/, /^169\.254\./, /^(22[4-9]|23\d)\./, /^::$/, /^fe[89ab]/i, /^ff/i, /^::ffff:/i];

function checkAddress(address: string, of: string, id: string): void {
  const expected = "expected host:port, such as 10.0.0.7:41000";
  if (!/^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):\d{1,5}$/.test(address)) {
    throw MicroError.badRequest(
      id,
      `${JSON.stringify(address.slice(0, 100))} can't be the address of ${of}: ${expected}`,
    );
  }
  const { host, port } = parseAddress(address);
  const numeric = /^[\d.:a-fA-F]+$/.test(host);
  if (port === 0 || (numeric && refusedHosts.some((refused) => refused.test(host)))) {
    throw MicroError.badRequest(
      id,
      `${address} can't be the address of ${of}: no service is reached there; ${expected}`,
    );
  }
}

function checkMetadata(metadata: Readonly<Record<string, string>>, of: string, id: string): void {
  const entries = Object.entries(metadata);
  checkCount(entries.length, maxMetadata, `metadata keys ${of}`, id);
  const size = entries.reduce((bytes, [key, value]) => bytes + Buffer.byteLength(key) + Buffer.byteLength(value), 0);
  checkCount(size, maxMetadataBytes, `bytes of metadata ${of}`, id);
}

function countValues({ name, type, values }: Value, depth: number, of: string, id: string): number {
  checkCount(depth, maxValueDepth, `levels in the schema of ${of}`, id);
  checkCount(Math.max(name.length, type.length), maxNameBytes, `characters in a field of ${of}`, id);
  return values.reduce((count, value) => count + countValues(value, depth + 1, of, id), 1);
}

function checkCount(count: number, limit: number, what: string, id: string): void {
  if (count > limit) throw MicroError.badRequest(id, `${count} ${what}; the limit is ${limit}`);
}
